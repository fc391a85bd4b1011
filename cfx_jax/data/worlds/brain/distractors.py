"""Look-alikes of tumours; nothing of them depends on the label.

Vessels and the venous sinus take up contrast agent and shine like a tumour's ring; the choroid
plexus does inside the ventricles; cysts are dark and round like a tumour's core, but have no ring;
meningeal thickenings are bright, and shallow.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.brain.anatomy import Anatomy
from cfx_jax.data.worlds.brain.skull import FLUID, brain_depth
from cfx_jax.data.worlds.brain.tissue import brain_cover
from cfx_jax.data.worlds.brain.ventricles import TRIGONE, ventricle_size
from cfx_jax.data.worlds.curves import bezier, wiggle
from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_dots, soften, stroke_cover

_BLOOD, _PLEXUS, _DURA = 0.90, 0.70, 0.70  # brightness
_CYST_RADII = (0.04, 0.10)


class Distractors(NamedTuple):
    """The numbers of look-alikes of each kind in a brain or its picture.

    Attributes:
        veins: bright vessels that run along the surface.
        dots: vessels that cross the slice.
        plexus: choroid plexus of the two sides.
        cysts: dark round cavities.
        thickenings: bright patches of the meninges.
        ripples: images disturbed by motion.
    """

    veins: int
    dots: int
    plexus: int
    cysts: int
    thickenings: int
    ripples: int


def sample_distractors(rng: np.random.Generator) -> Distractors:
    """Draws how many there are of each kind."""
    return Distractors(
        veins=int(rng.integers(2, 7)),
        dots=int(rng.poisson(2.0)),
        plexus=2 * int(rng.random() < 0.7),
        cysts=int(rng.poisson(0.25)),
        thickenings=int(rng.poisson(0.25)),
        ripples=int(rng.random() < 0.25),
    )


def add_distractors(
    rng: np.random.Generator,
    image: Float[np.ndarray, "h w"],
    counts: Distractors,
    anatomy: Anatomy,
    frame: Frame,
) -> Float[np.ndarray, "h w"]:
    """Draws the look-alikes on a brain; ripples belong to the scanner."""
    inside = brain_cover(anatomy, frame)
    cysts = _within(rng, anatomy, counts.cysts)
    image = _blend(
        image, _discs(frame, anatomy, cysts, rng.uniform(*_CYST_RADII, len(cysts))), 1.3 * FLUID
    )
    image = _blend(
        image,
        inside * _discs(frame, anatomy, *_thickenings(rng, anatomy, counts.thickenings)),
        _DURA,
    )
    if counts.plexus and ventricle_size(anatomy):
        image = _blend(image, _plexus(rng, anatomy, frame), _PLEXUS)
    dots = _within(rng, anatomy, counts.dots)
    image = _blend(
        image, _discs(frame, anatomy, dots, rng.uniform(0.014, 0.030, len(dots))), _BLOOD
    )
    return _blend(image, _veins(rng, anatomy, counts.veins, frame), _BLOOD)


def _veins(
    rng: np.random.Generator, anatomy: Anatomy, number: int, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Vessels along the surface, and the venous sinus at both ends of the midline."""
    angle = rng.uniform(0, 2 * np.pi, number)
    depth = brain_depth(anatomy)
    start, middle, end = (
        anatomy.ring(depth + inwards, angle + turn)
        for inwards, turn in (
            (0.0, 0.0),
            (rng.uniform(0, 0.06), 0.08),
            (rng.uniform(0, 0.14), 0.22),
        )
    )
    curves = wiggle(rng, bezier(np.stack([start, middle, end], 1)), 0.015)
    drawn = stroke_cover(frame, anatomy.place(curves), rng.uniform(0.012, 0.024, number))
    poles = np.array([(0.0, -1 + depth - 0.015), (0.0, 1 - depth + 0.015)])
    return np.maximum(
        drawn, _discs(frame, anatomy, poles, rng.uniform((0.012, 0.03), (0.03, 0.05)))
    )


def _plexus(rng: np.random.Generator, anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """A clump in the widest part of each ventricle."""
    size = ventricle_size(anatomy)
    places = TRIGONE * (size, 0.7 + 0.3 * size) * np.array([(-1, 1), (1, 1)])
    places = (places[:, None] + rng.normal(0, 0.016, (2, 4, 2))).reshape(-1, 2)
    return _discs(frame, anatomy, places, rng.uniform(0.018, 0.036, len(places)) * min(size, 1.0))


def _thickenings(
    rng: np.random.Generator, anatomy: Anatomy, number: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Places on the surface and radii."""
    places = anatomy.ring(brain_depth(anatomy) - 0.01, rng.uniform(0, 2 * np.pi, number))
    return places, rng.uniform(0.045, 0.085, number)


def _within(rng: np.random.Generator, anatomy: Anatomy, number: int) -> Float[np.ndarray, "n 2"]:
    """Random places inside the brain, in head coordinates."""
    angle, share = rng.uniform(0, 2 * np.pi, number), np.sqrt(rng.uniform(0, 1, number))
    return share[:, None] * anatomy.ring(brain_depth(anatomy) + 0.08, angle)


def _discs(
    frame: Frame, anatomy: Anatomy, places: Float[np.ndarray, "n 2"], radii: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "h w"]:
    """Coverage by discs given in head coordinates."""
    if not len(places):
        return np.zeros((frame.size, frame.size), np.float32)
    canvas = blank(frame)
    draw_dots(canvas, frame, anatomy.place(places), radii, np.ones(len(places)))
    return soften(coverage(canvas), frame, 0.008)


def _blend(
    image: Float[np.ndarray, "h w"], cover: Float[np.ndarray, "h w"], brightness: float
) -> Float[np.ndarray, "h w"]:
    return image + cover * np.float32(brightness) - cover * image
