"""Dark things in a brain that are no fresh infarct; nothing of them depends on the label.

Scars of old infarcts are as dark as fluid and sharply bordered; small vessel disease darkens the
white matter around the ventricles on both sides; between the thick bones of the skull base,
hardened rays leave a dark band.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.head_anatomy import Head
from cfx_jax.data.worlds.ct.head_slices import FLUID
from cfx_jax.data.worlds.ct.stack import Stack, solid_noise
from cfx_jax.data.worlds.drawing import Frame

_CAPS = ((0.17, -0.40), (0.27, 0.40))  # where small vessel disease is worst, in head coordinates
_TEXTURE = 0.016


class HeadLookalikes(NamedTuple):
    """The look-alikes of each kind in a brain.

    Attributes:
        scars: how many old infarcts.
        vessel_disease: in [0, 1]; darkness of the white matter around the ventricles.
        uneven: in [-1, 1]; the darkness on the left side less the darkness on the right side.
        hardening: in [0, 1]; darkness of the band between the bones of the skull base.
    """

    scars: int
    vessel_disease: float
    uneven: float
    hardening: float


def sample_head_lookalikes(rng: np.random.Generator) -> HeadLookalikes:
    """Draws what there is of each kind."""
    return HeadLookalikes(
        scars=int(rng.poisson(0.35)),
        vessel_disease=rng.uniform(0.2, 1) * (rng.random() < 0.55),
        uneven=float(np.clip(rng.normal(0, 0.25), -1, 1)),
        hardening=rng.uniform(0, 1),
    )


def add_head_lookalikes(
    rng: np.random.Generator,
    healthy: Stack,
    counts: HeadLookalikes,
    head: Head,
    frame: Frame,
    levels: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "s h w"]:
    """Brightness of a head with its look-alikes and with the texture of its tissue."""
    x, y = head.grid(frame, levels)
    level = levels[:, None, None]
    dark = _TEXTURE * solid_noise(rng, frame.size, len(levels), cells=7)
    dark += 0.12 * counts.vessel_disease * _vessel_disease(x, y, level, counts.uneven)
    dark += (
        0.20
        * counts.hardening
        * np.exp(-(((y - 0.12) / 0.10) ** 2) - (x / 0.45) ** 4)
        * (level < 0.16)
    )
    image = healthy.brightness - healthy.organ * dark.astype(np.float32)
    for _ in range(counts.scars):
        cover = healthy.organ * _scar(rng, x, y, level)
        image = image + cover * (1.3 * FLUID - image)
    return image


def _vessel_disease(
    x: Float[np.ndarray, "s h w"],
    y: Float[np.ndarray, "s h w"],
    level: Float[np.ndarray, "s 1 1"],
    uneven: float,
) -> Float[np.ndarray, "s h w"]:
    """Caps at both ends of the ventricles, at their levels and above."""
    caps = sum(
        np.exp(-(((np.abs(x) - right) / 0.13) ** 2) - ((y - back) / 0.16) ** 2)
        for right, back in _CAPS
    )
    return caps * np.exp(-(((level - 0.56) / 0.16) ** 2)) * (1 + uneven * np.sign(x))


def _scar(
    rng: np.random.Generator,
    x: Float[np.ndarray, "s h w"],
    y: Float[np.ndarray, "s h w"],
    level: Float[np.ndarray, "s 1 1"],
) -> Float[np.ndarray, "s h w"]:
    """One old infarct: a sharply bordered ellipsoid."""
    angle, away = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0.02, 0.5))
    wide, deep, high = rng.uniform(0.05, 0.17), rng.uniform(0.05, 0.17), rng.uniform(0.05, 0.12)
    to_side, to_back = (x - 0.85 * away * np.cos(angle)) / wide, (y - away * np.sin(angle)) / deep
    distance = np.sqrt(to_side**2 + to_back**2 + ((level - rng.uniform(0.25, 0.8)) / high) ** 2)
    return np.clip((1 - distance) / 0.15 + 0.5, 0, 1).astype(np.float32)
