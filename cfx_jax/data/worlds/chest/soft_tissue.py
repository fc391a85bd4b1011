"""The soft tissue around the lungs: trunk, shoulders and neck, the abdomen's density, breasts."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften

_SIDE = np.array(
    [
        (0.20, -1.6),
        (0.24, -1.02),
        (0.55, -0.90),
        (0.95, -0.76),
        (1.40, -0.50),
        (1.40, 0.0),
        (0.98, 0.0),
        (0.93, 1.6),
    ]
)
_TRUNK = smooth_outline(np.concatenate([_SIDE, _SIDE[::-1] * (-1, 1)]), rounds=2)
_EDGE = 0.02
_SOFT_TISSUE = 0.56  # density of the trunk where nothing else lies
_ABDOMEN = 0.13  # what the abdomen adds
_BREAST = 0.10  # what a breast adds where it is thickest


def soft_tissue(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Density of the trunk without lungs, heart and bones; 0 outside the body."""
    outline = _TRUNK * (1 + 0.06 * anatomy.stoutness, 1)
    inside = soften(outline_cover(frame, anatomy.place(outline)), frame, _EDGE)
    x, y = anatomy.grid(frame)
    abdomen = 1 / (1 + np.exp(-(y - 0.50 - anatomy.inspiration) / 0.06))
    depth = _SOFT_TISSUE + 0.06 * anatomy.stoutness - 0.10 * x * x + _ABDOMEN * abdomen
    return (inside * (depth + _breasts(anatomy, x, y))).astype(np.float32)


def _breasts(
    anatomy: Anatomy, x: Float[np.ndarray, "h w"], y: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"] | float:
    """Two soft shadows over the lower lungs, densest at their lower border."""
    if not anatomy.breasts:
        return 0.0
    down = (y - 0.16) / 0.34
    distance = np.sqrt(((np.abs(x) - 0.44) / 0.36) ** 2 + down**2)
    thickness = np.clip((1 - distance) / 0.30, 0, 1) * np.clip(0.62 + 0.38 * down, 0, 1)
    return _BREAST * anatomy.breasts * thickness
