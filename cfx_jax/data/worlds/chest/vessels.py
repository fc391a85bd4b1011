"""The lung's vessels: trunks that fan out from each hilum, branches, twigs; and the hilum."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.curves import Curves, bezier, shoots, wiggle
from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_curves, soften, unit_grid

HILUM = np.array([0.20, -0.10])  # of the left lung; the right one mirrors it
_LOWER = 0.03  # by which the right one's vessels lie lower
_TRUNKS = 9
_WIDTH = 0.030
_DENSITY = 0.15
_HILUM_DENSITY = 0.15


def vessel_density(
    rng: np.random.Generator, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Density of the vessels of both lungs; it counts only where there is lung."""
    canvas = blank(frame)
    trunks = _trunks(rng)
    branches, _ = shoots(rng, trunks, per_parent=4, length=(0.15, 0.40))
    twigs, _ = shoots(rng, branches, per_parent=2, length=(0.06, 0.18))
    for curves, width in ((twigs[:, ::4], 0.25), (branches, 0.45), (trunks, 1.0)):
        draw_curves(canvas, frame, anatomy.place(curves), np.full(len(curves), width * _WIDTH))
    prominence = rng.uniform(0.6, 1.3)
    tree = soften(coverage(canvas), frame, 0.008)
    return np.float32(prominence) * (_DENSITY * tree + _HILUM_DENSITY * _hila(rng, anatomy, frame))


def _trunks(rng: np.random.Generator) -> Curves:
    """The vessels of both lungs, fanned out over up, side and down."""
    angle = np.tile(np.linspace(-1.35, 1.35, _TRUNKS), 2) + rng.normal(0, 0.08, 2 * _TRUNKS)
    reach = rng.uniform(0.30, 0.55, 2 * _TRUNKS)[:, None]
    direction = np.stack([0.75 * np.cos(angle), np.sin(angle)], -1)
    start = HILUM + np.zeros_like(direction)
    middle = (
        HILUM
        + 0.5 * reach * direction
        + np.array([0.06, 0.0])
        + rng.normal(0, 0.03, direction.shape)
    )
    corners = np.stack([start, middle, HILUM + reach * direction], 1)
    corners[:_TRUNKS] = corners[:_TRUNKS] * (-1, 1) + (0, _LOWER)
    return wiggle(rng, bezier(corners), 0.012)


def _hila(rng: np.random.Generator, anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Soft shadows where the vessels enter the lungs."""
    x, y = unit_grid(frame)
    total = np.zeros((frame.size, frame.size), np.float32)
    for side in (-1, 1):
        centre = anatomy.place(HILUM * (side, 1) + rng.normal(0, 0.02, 2))
        wide, high = rng.uniform(0.055, 0.085), rng.uniform(0.09, 0.15)
        total += np.exp(-(((x - centre[0]) / wide) ** 2) - ((y - centre[1]) / high) ** 2)
    return total
