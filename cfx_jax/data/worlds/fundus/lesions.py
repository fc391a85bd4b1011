"""The signs of diabetic retinopathy: microaneurysms, haemorrhages, hard and soft exudates.

Their looks follow the grading manual of the Early Treatment Diabetic Retinopathy Study; sizes are
exaggerated, for a microaneurysm (below 125 micrometres, a twelfth of the optic disc) would vanish
in a 64-pixel picture. A *stage* sets the mix: mild eyes have microaneurysms and the odd haemorrhage
only, and may be hard to tell from healthy ones; moderate and severe eyes have more of every kind.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame
from cfx_jax.data.worlds.fundus.anatomy import Anatomy
from cfx_jax.data.worlds.fundus.layers import Spots, cover, dim, opacity
from cfx_jax.data.worlds.fundus.places import is_free, sample_places

STAGES = ("mild", "moderate", "severe")
_STAGE_SHARES = (0.22, 0.45, 0.33)
# Expected numbers by stage: microaneurysms, haemorrhages, clusters of hard exudates, soft exudates.
_RATES = (
    (10.0, 1.4, 0.0, 0.0),
    (10.0, 3.5, 1.1, 0.6),
    (13.0, 6.5, 2.0, 1.4),
)
_FEWEST_MICROANEURYSMS = 3  # so that every DR eye shows something
# Tints: the share of red, green and blue light that blood lets through.
_MICROANEURYSM_TINT = np.array([0.70, 0.24, 0.26], np.float32)
_HAEMORRHAGE_TINT = np.array([0.62, 0.22, 0.24], np.float32)
_HARD_COLOUR = np.array([1.0, 0.90, 0.50], np.float32)
_SOFT_COLOUR = np.array([0.95, 0.86, 0.66], np.float32)


class Lesions(NamedTuple):
    """All findings of one eye."""

    stage: int
    microaneurysms: Spots
    haemorrhages: Spots
    hard_exudates: Spots
    soft_exudates: Spots


def sample_lesions(rng: np.random.Generator, anatomy: Anatomy, *, severity: float) -> Lesions:
    """Draws the findings of one eye.

    ``severity`` multiplies their numbers and, below 1, their opacity.
    """
    stage = int(rng.choice(len(STAGES), p=_STAGE_SHARES))
    dots, blots, clusters, wool = rng.poisson(np.multiply(_RATES[stage], severity))
    fade = min(severity, 1.0)
    return Lesions(
        stage,
        _microaneurysms(rng, anatomy, max(dots, _FEWEST_MICROANEURYSMS), fade),
        _haemorrhages(rng, anatomy, blots, fade),
        _hard_exudates(rng, anatomy, clusters, fade),
        _soft_exudates(rng, anatomy, wool, fade),
    )


def add_lesions(
    image: Float[np.ndarray, "h w 3"], lesions: Lesions, frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """Lays the findings on a retina: blood dims what lies below it, exudates cover it."""
    image = cover(image, opacity(frame, lesions.soft_exudates, soft=True), _SOFT_COLOUR)
    image = dim(image, opacity(frame, lesions.haemorrhages), _HAEMORRHAGE_TINT)
    image = dim(image, opacity(frame, lesions.microaneurysms), _MICROANEURYSM_TINT)
    return cover(image, opacity(frame, lesions.hard_exudates), _HARD_COLOUR)


def _microaneurysms(rng: np.random.Generator, anatomy: Anatomy, number: int, fade: float) -> Spots:
    """Draws tiny round dots."""
    places = sample_places(rng, anatomy, number, spread=0.42)
    radii = rng.uniform(0.022, 0.033, len(places))
    return Spots(len(places), places, radii, fade * rng.uniform(0.65, 1.0, len(places)))


def _haemorrhages(rng: np.random.Generator, anatomy: Anatomy, number: int, fade: float) -> Spots:
    """Blots, and flames where the scatter is elongated: nine overlapping discs each."""
    places = sample_places(rng, anatomy, number, spread=0.42)
    sizes = rng.uniform(0.031, 0.066, len(places))
    centres, sizes = _scatter(rng, places, sizes, pieces=9, reach=0.62)
    strengths = np.repeat(rng.uniform(0.7, 1.0, len(places)), 9)
    return Spots(
        len(places), centres, sizes * rng.uniform(0.4, 0.75, len(centres)), fade * strengths
    )


def _hard_exudates(rng: np.random.Generator, anatomy: Anatomy, number: int, fade: float) -> Spots:
    """Loose clusters of specks, near the macula more often than not."""
    places = sample_places(rng, anatomy, number, spread=0.34)
    centres, _ = _scatter(rng, places, rng.uniform(0.06, 0.12, len(places)), pieces=13, reach=1.0)
    centres = centres[is_free(anatomy, centres)]
    radii = rng.uniform(0.015, 0.031, len(centres))
    return Spots(len(places), centres, radii, fade * rng.uniform(0.7, 1.0, len(centres)))


def _soft_exudates(rng: np.random.Generator, anatomy: Anatomy, number: int, fade: float) -> Spots:
    """Cotton-wool spots: a few overlapping discs each, blurred when drawn."""
    places = sample_places(rng, anatomy, number, spread=0.42)
    centres, sizes = _scatter(
        rng, places, rng.uniform(0.045, 0.085, len(places)), pieces=4, reach=0.6
    )
    radii = sizes * rng.uniform(0.6, 0.9, len(centres))
    return Spots(len(places), centres, radii, fade * rng.uniform(0.55, 0.8, len(centres)))


def _scatter(
    rng: np.random.Generator,
    places: Float[np.ndarray, "n 2"],
    sizes: Float[np.ndarray, " n"],
    *,
    pieces: int,
    reach: float,
) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, " m"]]:
    """Replaces each place by several along a random direction; repeats the sizes to match."""
    angle = rng.uniform(0, np.pi, len(places))
    along = np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]
    across = np.stack([-np.sin(angle), np.cos(angle)], -1)[:, None]
    steps = rng.normal(0, reach, (len(places), pieces, 2)) * sizes[:, None, None]
    moved = places[:, None] + steps[..., :1] * along + 0.5 * steps[..., 1:] * across
    return moved.reshape(-1, 2), np.repeat(sizes, pieces)
