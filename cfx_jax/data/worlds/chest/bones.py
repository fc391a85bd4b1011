"""The bones: ribs around the chest, clavicles, shoulder blades and spine.

Where a posterior rib crosses an anterior one their densities add up, which is one of the
look-alikes of a faint opacity.
"""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.curves import Curves, bezier
from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_curves,
    outline_cover,
    smooth_outline,
    soften,
)

_PAIRS = 10
_TOP, _SPACING = -0.80, 0.142
_DROP = 0.20  # by which a rib's lateral end lies below its head
_WIDTH = 0.058
_MARROW, _MARROW_DENSITY = 0.55, 0.65  # width and density of the inside, as shares
_POSTERIOR, _ANTERIOR, _CLAVICLE, _BLADE, _SPINE = 0.105, 0.070, 0.13, 0.055, 0.08  # densities
_COLLAR = np.array([[(0.07, -0.60), (0.30, -0.52), (0.50, -0.86), (0.85, -0.80)]])
_SHOULDER_BLADE = smooth_outline(
    np.array(
        [(0.62, -0.66), (0.82, -0.72), (1.0, -0.60), (0.80, -0.10), (0.72, 0.05), (0.66, -0.25)]
    )
)
_BOTH = np.array([(-1, 1), (1, 1)])


def bone_density(
    rng: np.random.Generator, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Density of all bones of one chest."""
    heads = _TOP + _SPACING * np.arange(_PAIRS) + rng.normal(0, 0.008, _PAIRS)
    steepness = rng.uniform(0.7, 1.3)
    strength = rng.uniform(0.6, 1.05)
    ribs = _POSTERIOR * _tubes(anatomy, frame, _both_sides(_posterior(heads, steepness)), _WIDTH)
    ribs += _ANTERIOR * _tubes(
        anatomy, frame, _both_sides(_anterior(heads[:7], steepness)), 1.2 * _WIDTH
    )
    collar = _CLAVICLE * _tubes(
        anatomy, frame, _both_sides(bezier(_COLLAR + rng.normal(0, 0.015, (1, 4, 2)))), 0.075
    )
    blades = [anatomy.place(_SHOULDER_BLADE * side) for side in _BOTH]
    spine = _spine(anatomy, frame)
    return strength * (
        ribs
        + collar
        + _BLADE * soften(outline_cover(frame, *blades), frame, 0.015)
        + _SPINE * spine
    )


def _posterior(heads: Float[np.ndarray, " n"], steepness: float) -> Curves:
    """The back parts of the ribs, nearly level from the spine to the wall of the chest."""
    wall, drop = _half_width(heads), _DROP * steepness
    return _ribs(
        (0.05 + 0 * wall, heads),
        (0.35 * wall, heads - 0.08),
        (wall, heads - 0.04),
        (wall, heads + drop),
    )


def _anterior(heads: Float[np.ndarray, " n"], steepness: float) -> Curves:
    """A rib's front part: steeply down from the wall of the chest to where cartilage begins."""
    wall, drop = _half_width(heads), _DROP * steepness
    end = 0.30 + 0.12 * np.linspace(0, 1, len(heads))
    low = heads + 2.1 * drop
    return _ribs(
        (wall, heads + drop), (wall, heads + 1.7 * drop), (0.7 * wall, low), (end * wall / 0.6, low)
    )


def _ribs(*corners: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]) -> Curves:
    """Bezier curves from their corners, each given as (x, y) of all ribs."""
    return bezier(np.stack([np.stack(corner, -1) for corner in corners], 1))


def _half_width(y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Distance of the chest's wall from the midline at a rib's head."""
    return 0.76 * np.sqrt(1 - ((y - 0.50) / 1.48) ** 2)


def _both_sides(curves: Curves) -> Curves:
    return np.concatenate([curves * side for side in _BOTH])


def _tubes(
    anatomy: Anatomy, frame: Frame, curves: Curves, width: float
) -> Float[np.ndarray, "h w"]:
    """Bones along curves: a dense rim around a less dense inside."""
    canvas, placed = blank(frame), anatomy.place(curves)
    draw_curves(canvas, frame, placed, np.full(len(curves), width))
    draw_curves(canvas, frame, placed, np.full(len(curves), _MARROW * width), _MARROW_DENSITY)
    return coverage(canvas)


def _spine(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """A column of vertebrae with paler gaps between them."""
    x, y = anatomy.grid(frame)
    column = np.exp(-((x / 0.085) ** 4))
    return column * (0.75 + 0.25 * np.cos(2 * np.pi * y / _SPACING))
