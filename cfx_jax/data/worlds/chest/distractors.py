"""Look-alikes of opacities, and what draws the eye; nothing of them depends on the label.

Nipples cast round shadows; scars, crowded vessels and the fat beside the heart look like small
opacities; tubes and wires cross the lungs; a side marker (R or L) lies beside the chest.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.curves import bezier, wiggle
from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_dots,
    soften,
    stroke_cover,
    unit_grid,
)

_PATCH_RADII, _PATCH_DENSITIES = (0.06, 0.15), (0.04, 0.15)
_NIPPLE, _FAT, _WIRE, _TUBE = 0.10, 0.14, 0.22, 0.13  # densities


class Distractors(NamedTuple):
    """The numbers of look-alikes of each kind in a chest or its picture.

    Attributes:
        nipples: round shadows of a nipple.
        patches: scars and crowded vessels.
        fat_pads: fat beside the heart's apex.
        wires: leads on the skin.
        tubes: one down the windpipe.
        markers: side markers.
    """

    nipples: int
    patches: int
    fat_pads: int
    wires: int
    tubes: int
    markers: int


def sample_distractors(rng: np.random.Generator) -> Distractors:
    """Draws how many there are of each kind."""
    return Distractors(
        nipples=2 * int(rng.random() < 0.3),
        patches=int(rng.poisson(1.1)),
        fat_pads=int(rng.random() < 0.3),
        wires=int(rng.integers(1, 4)) if rng.random() < 0.2 else 0,
        tubes=int(rng.random() < 0.15),
        markers=int(rng.random() < 0.6),
    )


def lung_shadows(
    rng: np.random.Generator, counts: Distractors, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Density of the look-alikes that count only where there is lung: patches and fat pads."""
    x, y = unit_grid(frame)
    total = np.zeros((frame.size, frame.size), np.float32)
    for _ in range(counts.patches):
        side = 1 if rng.random() < 0.5 else -1
        centre = anatomy.place(np.array([side * rng.uniform(0.2, 0.58), rng.uniform(-0.65, 0.42)]))
        total += rng.uniform(*_PATCH_DENSITIES) * _hill(x, y, centre, rng.uniform(*_PATCH_RADII, 2))
    if counts.fat_pads:
        centre = anatomy.place(np.array([0.46 * anatomy.heart, 0.40 + anatomy.inspiration]))
        total += _FAT * _hill(x, y, centre, np.array([0.12, 0.10]))
    return total


def overlays(
    rng: np.random.Generator, counts: Distractors, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Density of what lies on the chest: nipples, wires and a tube."""
    total = np.zeros((frame.size, frame.size), np.float32)
    if counts.nipples:
        total += _NIPPLE * _nipples(rng, anatomy, frame)
    if counts.wires:
        start = np.stack([rng.uniform(-0.8, 0.8, counts.wires), np.full(counts.wires, -1.05)], -1)
        end = rng.uniform((-0.7, -0.3), (0.7, 0.6), (counts.wires, 2))
        bend = 0.5 * (start + end) + rng.normal(0, 0.25, (counts.wires, 2))
        curves = wiggle(rng, bezier(np.stack([start, bend, end], 1)), 0.02)
        total += _WIRE * stroke_cover(frame, anatomy.place(curves), np.full(counts.wires, 0.018))
        total += _WIRE * _dots(frame, anatomy.place(end), 0.035)
    if counts.tubes:
        tip = np.array([rng.normal(0, 0.01), rng.uniform(-0.50, -0.38)])
        curve = bezier(np.stack([(0.02, -1.1), (0.0, -0.75), tip])[None])
        total += _TUBE * stroke_cover(frame, anatomy.place(curve), np.array([0.035]))
    return total


def _nipples(rng: np.random.Generator, anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Two small round shadows at about one height; one may be fainter than the other."""
    height = rng.uniform(0.15, 0.36)
    places = np.array([(-rng.uniform(0.36, 0.50), height), (rng.uniform(0.36, 0.50), height)])
    places[:, 1] += rng.normal(0, 0.02, 2)
    return _dots(frame, anatomy.place(places), rng.uniform(0.030, 0.045), rng.uniform(0.5, 1, 2))


def _dots(
    frame: Frame,
    places: Float[np.ndarray, "n 2"],
    radius: float,
    strengths: Float[np.ndarray, " n"] | float = 1.0,
) -> Float[np.ndarray, "h w"]:
    canvas = blank(frame)
    draw_dots(
        canvas, frame, places, np.full(len(places), radius), np.broadcast_to(strengths, len(places))
    )
    return soften(coverage(canvas), frame, 0.01)


def _hill(
    x: Float[np.ndarray, "1 w"],
    y: Float[np.ndarray, "h 1"],
    centre: Float[np.ndarray, "2"],
    size: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "h w"]:
    """A Gaussian hill of height 1; ``size`` holds half its width and height in unit coordinates."""
    column = np.exp(-((y - np.float32(centre[1])) ** 2) / np.float32(size[1] ** 2))
    return column * np.exp(-((x - np.float32(centre[0])) ** 2) / np.float32(size[0] ** 2))
