"""The finding: pneumonic opacities, patches of lung that hold fluid instead of air.

Numbers and sizes follow the boxes of the RSNA pneumonia set as Charachon et al. (ICPR 2020, Table
III) give them for pictures of 224 pixels: 1.6 boxes a picture, heights from 13 to 171 (mean 72,
median 68), widths from 13 to 91 (mean 48, median 47), wide where they are high.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_dots, soften, unit_grid

MOST_OPACITIES = 3
_NUMBER_SHARES = (0.50, 0.41, 0.09)  # of 1, 2 and 3 opacities
_PIXELS = 224  # the side for which sizes are given
_HEIGHT, _HEIGHT_SPREAD = 68.0, 0.34  # median and deviation of the logarithm
_WIDTH, _WIDTH_SPREAD = 47.0, 13.0
_TOGETHER = 0.6  # correlation of the two
_HEIGHTS, _WIDTHS = (13.0, 171.0), (13.0, 91.0)
_STRENGTHS = (0.085, 0.30)  # density where an opacity is thickest
_SEEN = 0.85  # share of an opacity's extent that is dense enough and in the lung
_FLECKS = 22


class Opacity(NamedTuple):
    """One patch of an opacity.

    Attributes:
        centre: (x, y) in unit coordinates.
        half_size: half its width and height, as shares of the picture's side.
        strength: density where it is thickest.
        flecks: where its denser parts lie, in units of the half size.
        fleck_radii: their radii, in the same units.
    """

    centre: Float[np.ndarray, "2"]
    half_size: Float[np.ndarray, "2"]
    strength: float
    flecks: Float[np.ndarray, "n 2"]
    fleck_radii: Float[np.ndarray, " n"]


def sample_opacities(
    rng: np.random.Generator, anatomy: Anatomy, *, severity: float
) -> list[Opacity]:
    """Draws the opacities of one chest.

    The first is in either lung, the second more often in the other one.
    """
    number = 1 + int(rng.choice(MOST_OPACITIES, p=_NUMBER_SHARES))
    side = 1 if rng.random() < 0.5 else -1
    opacities = []
    for _ in range(number):
        opacities.append(_sample_opacity(rng, anatomy, side, severity))
        side = -side if rng.random() < 0.75 else side
    return opacities


def opacity_density(opacity: Opacity, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Density that one opacity adds where there is lung: soft flecks under an elliptic hill."""
    x, y = unit_grid(frame)
    half_x, half_y = (opacity.half_size / frame.radius).tolist()
    centre_x, centre_y = opacity.centre.tolist()
    distance = ((x - centre_x) / half_x) ** 2 + ((y - centre_y) / half_y) ** 2
    hill = np.clip((1 - distance) / 0.55, 0, 1)
    canvas = blank(frame)
    places = opacity.centre + opacity.flecks * (half_x, half_y)
    draw_dots(
        canvas, frame, places, opacity.fleck_radii * min(half_x, half_y), np.ones(len(places))
    )
    flecks = soften(coverage(canvas), frame, 0.35 * min(half_x, half_y))
    return (opacity.strength * hill * (0.45 + 0.55 * flecks)).astype(np.float32)


def opacity_boxes(
    densities: list[Float[np.ndarray, "h w"]], visible: Bool[np.ndarray, "h w"]
) -> Int[np.ndarray, "n 4"]:
    """The smallest boxes that hold what is seen of each opacity.

    Args:
        densities: one per opacity, as blurred as the picture is: above 0 wherever the opacity is
            seen.
        visible: the pixels that opacities change noticeably; where several overlap, a pixel belongs
            to each that is at least half as dense as the densest.

    Returns:
        y0, x0, y1, x1 in pixels, the last two exclusive; an opacity that is not seen at all has no
        box.
    """
    densest = np.max(densities, axis=0)
    boxes = [_box(visible & (density >= 0.5 * densest)) for density in densities]
    return np.array([box for box in boxes if box is not None], int).reshape(-1, 4)


def _sample_opacity(
    rng: np.random.Generator, anatomy: Anatomy, side: int, severity: float
) -> Opacity:
    spread = rng.standard_normal(2)
    tall = _TOGETHER * spread[0] + np.sqrt(1 - _TOGETHER**2) * spread[1]
    width = np.clip(_WIDTH + _WIDTH_SPREAD * spread[0], *_WIDTHS)
    height = np.clip(_HEIGHT * np.exp(_HEIGHT_SPREAD * tall), *_HEIGHTS)
    height_of_centre = rng.uniform(-0.45, 0.32)
    beside_heart = 0.20 * anatomy.heart * np.clip((height_of_centre + 0.1) / 0.4, 0, 1) * (side > 0)
    place = np.array([side * rng.uniform(0.28 + beside_heart, 0.56), height_of_centre])
    flecks = rng.normal(0, 0.5, (_FLECKS, 2))
    return Opacity(
        centre=anatomy.place(place),
        half_size=np.array([width, height]) / (2 * _PIXELS * _SEEN),
        strength=severity * rng.uniform(*_STRENGTHS),
        flecks=flecks,
        fleck_radii=rng.uniform(0.10, 0.32, _FLECKS),
    )


def _box(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int] | None:
    """The smallest box around the pixels of a mask; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) if len(rows) else None
