"""The finding in a head: an ischaemic infarct.

It is a part of one artery's territory that turned a little darker: how much is ``severity``, which
an experiment's presets choose.

Water makes the tissue darker and wipes out the contrast between grey and white matter. Four sizes
follow the order of the International Stroke Trials' reading (1 small, 2 medium, 3 large, 4 very
large); their extents and frequencies are this world's own, as the trials' data are not public. The
swelling that presses furrows shut is left out.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.data.worlds.ct.head_anatomy import Head
from cfx_jax.data.worlds.ct.head_slices import GREY
from cfx_jax.data.worlds.ct.stack import solid_noise
from cfx_jax.data.worlds.ct.territories import territory_number
from cfx_jax.data.worlds.drawing import Frame

SIZE_SHARES = (0.25, 0.28, 0.25, 0.22)  # of the four sizes
_ARTERY_SHARES = (0.68, 0.14, 0.18)
# Radii of the four sizes, in head coordinates.
_RADII = ((0.085, 0.12), (0.14, 0.20), (0.22, 0.32), (0.42, 0.65))
_HEIGHT = 1.2  # of the stack, in head coordinates
_PLACES = (  # of the arteries: the ranges of distance from the midline, of y and of the level
    ((0.35, 0.58), (-0.30, 0.22), (0.27, 0.74)),
    ((0.05, 0.11), (-0.72, -0.46), (0.42, 0.80)),
    ((0.10, 0.34), (0.56, 0.74), (0.32, 0.60)),
)
_DROPS = (0.14, 0.32)  # by how much infarcted tissue is darker than grey matter
_ROUGHNESS, _EDGE = 0.22, 0.25  # of the border, in radii


class Infarct(NamedTuple):
    """One infarct in a territory.

    Attributes:
        size: 1 to 4.
        territory: its number in 1..6.
        centre: x, y in head coordinates and level.
        radius: the radius in head coordinates.
        drop: how much darker its tissue is than grey matter.
    """

    size: int
    territory: int
    centre: tuple[float, float, float]
    radius: float
    drop: float


def sample_infarct(rng: np.random.Generator, *, right: bool, severity: float) -> Infarct:
    """Draws one infarct of a side.

    ``severity`` is a factor on how much darker it is, down to a brightness of 0.

    Above a severity of 1.56 (0.5 / 0.32) the darkest are cut off there, and from 3.57 (0.5 / 0.14)
    on all are equally black.
    """
    size = int(rng.choice(len(SIZE_SHARES), p=SIZE_SHARES))
    artery = int(rng.choice(len(_ARTERY_SHARES), p=_ARTERY_SHARES))
    away, y, level = (rng.uniform(*bounds) for bounds in _PLACES[artery])
    return Infarct(
        size=size + 1,
        territory=territory_number(artery, right),
        centre=(-away if right else away, y, level),
        radius=rng.uniform(*_RADII[size]),
        drop=min(severity * rng.uniform(*_DROPS), GREY),
    )


def infarct_cover(
    rng: np.random.Generator,
    infarct: Infarct,
    head: Head,
    territories: UInt8[np.ndarray, "s h w"],
    frame: Frame,
    levels: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "s h w"]:
    """The infarcted share of the tissue in each voxel.

    The infarct is a rough ball that ends where the territory does.

    A ball flatter than a slice and a half is made as high, so that no infarct slips between two
    slices.
    """
    x, y = head.grid(frame, levels)
    to_side, to_back, upwards = infarct.centre
    high = max(infarct.radius / _HEIGHT, 0.75 / len(levels))
    distance = np.hypot(
        np.hypot(x - to_side, y - to_back) / infarct.radius,
        (levels[:, None, None] - upwards) / high,
    )
    border = 1 + _ROUGHNESS * solid_noise(rng, frame.size, len(levels), cells=5)
    inside = np.clip((border - distance) / _EDGE + 0.5, 0, 1)
    return (inside * (territories == infarct.territory)).astype(np.float32)


def with_infarct(
    brightness: Float[np.ndarray, "s h w"],
    tissue: Float[np.ndarray, "s h w"],
    infarct: Infarct,
    cover: Float[np.ndarray, "s h w"],
) -> Float[np.ndarray, "s h w"]:
    """Darkens the tissue that the infarct covers; what is darker already stays as it is."""
    return brightness - tissue * cover * np.clip(
        brightness - (GREY - np.float32(infarct.drop)), 0, None
    )
