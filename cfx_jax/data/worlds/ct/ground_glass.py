"""The finding in a chest: ground-glass opacities as COVID-19 leaves them.

Their grade is the share of the lung that they take.

Grades follow MosMedData (Morozov et al., "MosMedData: chest CT scans with COVID-19 related
findings", 2020): CT-0 none, CT-1 below a quarter of the lung, CT-2 up to a half, CT-3 up to three
quarters, CT-4 above.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.chest_anatomy import Trunk
from cfx_jax.data.worlds.ct.chest_slices import TISSUE
from cfx_jax.data.worlds.ct.stack import LEAST_COVER, Stack, solid_noise
from cfx_jax.data.worlds.drawing import Frame

GRADES = ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")
_SHARES = ((0.02, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.95))  # of the lung, from CT-1
_DENSITIES = (0.07, 0.45)  # share of the air that fluid replaces
_SOFTNESS = 0.35  # of the patches' borders, in deviations of the field that they are cut from


class GroundGlass(NamedTuple):
    """The opacities of one chest.

    Attributes:
        grade: 1 to 4.
        share: the share of the lung that it fills.
        density: share of the air in a patch that fluid replaces.
        outwards: how much patches prefer the lungs' outer parts.
        backwards: how much patches prefer the back.
        downwards: how much patches prefer the base.
    """

    grade: int
    share: float
    density: float
    outwards: float
    backwards: float
    downwards: float


def sample_ground_glass(rng: np.random.Generator, *, grade: int, severity: float) -> GroundGlass:
    """Draws the opacities of one chest of a grade in 1..4; ``severity`` is a factor on density."""
    least, most = np.log(_DENSITIES)
    return GroundGlass(
        grade=grade,
        share=rng.uniform(*_SHARES[grade - 1]),
        density=min(severity * float(np.exp(rng.uniform(least, most))), 1.0),
        outwards=rng.uniform(0.5, 1.5),
        backwards=rng.uniform(0, 1.2),
        downwards=rng.uniform(-0.2, 1.0),
    )


def glass_cover(
    rng: np.random.Generator,
    glass: GroundGlass,
    chest: Stack,
    trunk: Trunk,
    frame: Frame,
    levels: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "s h w"]:
    """The share of each voxel that lies in a patch, with soft borders.

    This is smooth noise that leans to where patches are frequent, cut so that the wanted share of
    the lung is covered by ``LEAST_COVER`` or more.
    """
    x, y = trunk.grid(frame)
    outer = np.hypot((np.abs(x) - 0.38) / 0.33, y / 0.45)
    leaning = glass.outwards * outer + glass.backwards * y - glass.downwards * levels[:, None, None]
    coarse, fine = (solid_noise(rng, frame.size, len(levels), cells=cells) for cells in (4, 9))
    field = 0.75 * coarse + 0.35 * fine + leaning
    in_lung = field[chest.holds_organ]
    height = np.quantile(in_lung, 1 - glass.share)
    return np.clip((field - height) / (_SOFTNESS * in_lung.std()) + LEAST_COVER, 0, 1).astype(
        np.float32
    )


def with_ground_glass(
    brightness: Float[np.ndarray, "s h w"],
    lung: Float[np.ndarray, "s h w"],
    glass: GroundGlass,
    cover: Float[np.ndarray, "s h w"],
) -> Float[np.ndarray, "s h w"]:
    """Fills a part of the air with fluid; vessels are still seen in it."""
    return brightness + lung * cover * np.float32(glass.density) * np.clip(
        TISSUE - brightness, 0, None
    )
