"""The lung fields: two dark shapes with a narrow apex and a domed base.

The dome of the right one is higher.
"""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften

RIGHT, LEFT = -1, 1  # the patient's; a right lung is on the picture's left
_ABOVE_BASE = np.array(
    [
        (0.12, -0.05),
        (0.13, -0.58),
        (0.19, -0.80),
        (0.33, -0.85),
        (0.49, -0.68),
        (0.62, -0.32),
        (0.69, 0.08),
    ]
)
_BASE = np.array(
    [
        (0.74, 0.46),
        (0.75, 0.64),
        (0.72, 0.64),
        (0.60, 0.46),
        (0.42, 0.38),
        (0.25, 0.41),
        (0.13, 0.50),
    ]
)
_LUNG = smooth_outline(np.concatenate([_ABOVE_BASE, _BASE]))
# How far each point of the lung moves when the diaphragm does.
_MOVES = smooth_outline(np.concatenate([0 * _ABOVE_BASE, 0 * _BASE + (0, 1)]))
_LOWER_DOME = 0.05  # by which the left half of the diaphragm lies below the right one
_EDGE = 0.012  # standard deviation of the blur of the lungs' borders


def lung_outline(anatomy: Anatomy, side: int) -> Float[np.ndarray, "points 2"]:
    """The border of one lung, ``RIGHT`` or ``LEFT``, in unit coordinates."""
    down = anatomy.inspiration + (_LOWER_DOME if side == LEFT else 0)
    return anatomy.place((_LUNG + down * _MOVES) * (side, 1))


def lung_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that shows lung, with soft borders."""
    return soften(
        outline_cover(frame, lung_outline(anatomy, RIGHT), lung_outline(anatomy, LEFT)),
        frame,
        _EDGE,
    )
