"""Look-alikes of findings: drusen, pigment dots, dust, reflexes and a naevus.

None of it depends on the label. Drusen resemble hard exudates (paler, softer, single), pigment dots
resemble microaneurysms and small haemorrhages (browner), out-of-focus dust resembles soft exudates.
Together with the crossings of vessels they keep a good classifier below perfect.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, unit_grid
from cfx_jax.data.worlds.fundus.anatomy import Anatomy
from cfx_jax.data.worlds.fundus.layers import Spots, cover, dim, opacity
from cfx_jax.data.worlds.fundus.places import sample_places

_DRUSEN = np.array([0.98, 0.80, 0.45], np.float32)
_PIGMENT_TINT = np.array([0.50, 0.44, 0.52], np.float32)
_DUST = np.array([0.88, 0.86, 0.80], np.float32)
_STRAY_LIGHT = np.array([0.50, 0.55, 0.60], np.float32)


class Distractors(NamedTuple):
    """The numbers of look-alikes of each kind in an eye or its photograph."""

    drusen: int
    pigment_dots: int
    dust: int
    reflexes: int
    naevi: int


def add_distractors(
    rng: np.random.Generator, image: Float[np.ndarray, "h w 3"], anatomy: Anatomy, frame: Frame
) -> tuple[Float[np.ndarray, "h w 3"], Distractors]:
    """Draws the look-alikes on a retina."""
    counts = _sample_counts(rng)
    naevi = _spots(rng, anatomy, counts.naevi, spread=0.5, radii=(0.10, 0.18), strengths=(0.3, 0.6))
    drusen = _spots(
        rng, anatomy, counts.drusen, spread=0.25, radii=(0.020, 0.038), strengths=(0.25, 0.7)
    )
    pigment = _spots(
        rng, anatomy, counts.pigment_dots, spread=0.45, radii=(0.018, 0.038), strengths=(0.4, 0.9)
    )
    dust = _spots(rng, anatomy, counts.dust, spread=0.5, radii=(0.03, 0.08), strengths=(0.15, 0.45))
    image = dim(image, opacity(frame, naevi, soft=True), _PIGMENT_TINT)
    image = cover(image, opacity(frame, drusen), _DRUSEN)
    image = dim(image, opacity(frame, pigment), _PIGMENT_TINT)
    image = cover(image, opacity(frame, dust, soft=True), _DUST)
    return (image + _reflex(rng, frame) if counts.reflexes else image), counts


def _sample_counts(rng: np.random.Generator) -> Distractors:
    """Draws how many there are of each kind."""
    return Distractors(
        drusen=int(rng.integers(3, 16)) if rng.random() < 0.4 else 0,
        pigment_dots=int(rng.poisson(2.0)),
        dust=int(rng.poisson(0.5)),
        reflexes=int(rng.random() < 0.3),
        naevi=int(rng.random() < 0.05),
    )


def _spots(
    rng: np.random.Generator,
    anatomy: Anatomy,
    number: int,
    *,
    spread: float,
    radii: tuple[float, float],
    strengths: tuple[float, float],
) -> Spots:
    """Scattered round spots of random size and opacity."""
    places = sample_places(rng, anatomy, number, spread=spread)
    return Spots(
        len(places), places, rng.uniform(*radii, len(places)), rng.uniform(*strengths, len(places))
    )


def _reflex(rng: np.random.Generator, frame: Frame) -> Float[np.ndarray, "h w 3"]:
    """A crescent of stray light along a part of the rim."""
    x, y = unit_grid(frame)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.5)
    away = np.sqrt((x + 0.35 * float(np.cos(angle))) ** 2 + (y + 0.35 * float(np.sin(angle))) ** 2)
    return (strength * np.clip((away - 1.08) / 0.27, 0, 1) ** 2)[..., None] * _STRAY_LIGHT
