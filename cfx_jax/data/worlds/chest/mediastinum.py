"""The middle of the chest: the heart, the great vessels, and the air in the trachea.

The great vessels end in the aortic knob.
"""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften, stroke_cover

_HEART = smooth_outline(
    np.array(
        [
            (-0.06, -0.22),
            (-0.17, -0.05),
            (-0.23, 0.20),
            (-0.18, 0.42),
            (-0.05, 0.54),
            (0.25, 0.56),
            (0.46, 0.48),
            (0.50, 0.36),
            (0.42, 0.16),
            (0.27, -0.04),
            (0.14, -0.20),
        ]
    )
)
_VESSELS = smooth_outline(
    np.array(
        [
            (-0.13, -0.80),
            (-0.15, -0.45),
            (-0.16, -0.10),
            (0.0, 0.30),
            (0.18, -0.10),
            (0.15, -0.45),
            (0.11, -0.80),
        ]
    )
)
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_KNOB = (0.13, -0.40) + 0.085 * np.stack([np.cos(_TURN), np.sin(_TURN)], -1)
_TRACHEA = np.array([[(0.01, -1.05), (0.0, -0.70), (-0.015, -0.36)]])
_BRONCHI = np.array(
    [
        [(-0.015, -0.38), (-0.09, -0.26), (-0.17, -0.17)],
        [(-0.015, -0.38), (0.09, -0.24), (0.18, -0.14)],
    ]
)
_EDGE = 0.022
# By how much an enlarged heart's width factor exceeds that of the same person's normal heart.
_GROWTH = (0.20, 0.40)
_WIDEST = 1.6  # beyond it the heart would leave the chest


def enlarge_heart(rng: np.random.Generator, anatomy: Anatomy, *, severity: float) -> Anatomy:
    """The same chest with cardiomegaly: a wider heart.

    Normal factors on the heart's width lie in 0.85..1.2 and enlarged ones, at severity 1, in
    1.05..1.6: some normal hearts are wider than some enlarged ones, but each person's heart is
    wider with the finding than without.
    """
    return anatomy._replace(heart=min(anatomy.heart + severity * rng.uniform(*_GROWTH), _WIDEST))


def heart_outline(anatomy: Anatomy) -> Float[np.ndarray, "points 2"]:
    """The heart's border, in unit coordinates."""
    return anatomy.place(_HEART * (anatomy.heart, 1) + (0, 0.6 * anatomy.inspiration))


def heart_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that lies inside the heart's border, which is not softened here."""
    return outline_cover(frame, heart_outline(anatomy))


def mediastinal_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel in which heart or great vessels hide the lung."""
    outlines = anatomy.place(_VESSELS), anatomy.place(_KNOB), heart_outline(anatomy)
    return soften(outline_cover(frame, *outlines), frame, _EDGE)


def airway_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that the trachea and the main bronchi make darker."""
    curves = anatomy.place(np.concatenate([_TRACHEA, _BRONCHI]))
    return soften(stroke_cover(frame, curves, np.array([0.10, 0.05, 0.05])), frame, 0.02)
