"""Bright things in a lung that are no ground glass of an infection, whatever the label.

The lower parts of the lungs of somebody who lies on the back collapse a little; air is distributed
unevenly; scars draw bright lines; small nodules are round.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.chest_anatomy import Trunk
from cfx_jax.data.worlds.ct.chest_slices import TISSUE
from cfx_jax.data.worlds.ct.stack import Stack, solid_noise
from cfx_jax.data.worlds.drawing import Frame


class ChestLookalikes(NamedTuple):
    """The look-alikes of each kind in a lung.

    Attributes:
        collapse: share of the air that is missing at the very back.
        uneven: share of the air by which smooth fluctuations reach up and down.
        scars: how many thin plates of scarred lung.
        nodules: how many round nodules.
    """

    collapse: float
    uneven: float
    scars: int
    nodules: int


def sample_chest_lookalikes(rng: np.random.Generator) -> ChestLookalikes:
    """Draws what there is of each kind."""
    return ChestLookalikes(
        collapse=rng.uniform(0, 0.28),
        uneven=rng.uniform(0.005, 0.05),
        scars=int(rng.poisson(0.6)),
        nodules=int(rng.poisson(0.7)),
    )


def add_chest_lookalikes(
    rng: np.random.Generator,
    chest: Stack,
    counts: ChestLookalikes,
    trunk: Trunk,
    frame: Frame,
    levels: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "s h w"]:
    """Brightness of a chest with its look-alikes."""
    x, y = trunk.grid(frame)
    level = levels[:, None, None]
    coarse, fine = (solid_noise(rng, frame.size, len(levels), cells=cells) for cells in (4, 10))
    filled = counts.uneven * coarse + 0.015 * fine
    filled += counts.collapse * np.clip((y - 0.16) / 0.30, 0, 1) ** 2 * (1.2 - 0.7 * level)
    for _ in range(counts.scars):
        filled += _scar(rng, x, y, level)
    for _ in range(counts.nodules):
        filled += _nodule(rng, x, y, level)
    filled = np.clip(filled, -0.06, 0.9).astype(np.float32)
    return chest.brightness + chest.organ * filled * (TISSUE - chest.brightness)


def _scar(
    rng: np.random.Generator,
    x: Float[np.ndarray, "h w"],
    y: Float[np.ndarray, "h w"],
    level: Float[np.ndarray, "s 1 1"],
) -> Float[np.ndarray, "s h w"]:
    """A thin plate through the outer part of a lung, in a few slices."""
    angle, side = rng.uniform(0, np.pi), rng.choice([-1, 1])
    to_side, to_back = x - side * rng.uniform(0.25, 0.6), y - rng.uniform(-0.25, 0.35)
    across = np.cos(angle) * to_side + np.sin(angle) * to_back
    along = np.cos(angle) * to_back - np.sin(angle) * to_side
    plate = np.exp(-((across / 0.025) ** 2) - (along / rng.uniform(0.1, 0.25)) ** 2)
    return rng.uniform(0.2, 0.6) * plate * np.exp(-(((level - rng.uniform(0.1, 0.9)) / 0.09) ** 2))


def _nodule(
    rng: np.random.Generator,
    x: Float[np.ndarray, "h w"],
    y: Float[np.ndarray, "h w"],
    level: Float[np.ndarray, "s 1 1"],
) -> Float[np.ndarray, "s h w"]:
    """A small ball of soft tissue."""
    side, radius = rng.choice([-1, 1]), rng.uniform(0.025, 0.06)
    away = (x - side * rng.uniform(0.22, 0.62)) ** 2 + (y - rng.uniform(-0.3, 0.4)) ** 2
    return (
        rng.uniform(0.4, 0.9)
        * np.exp(-away / radius**2)
        * np.exp(-(((level - rng.uniform(0, 1)) / 0.05) ** 2))
    )
