"""The regions of the brain that the three cerebral arteries supply, on either side.

They are the middle, the anterior and the posterior one.

Simplified from the maps of vascular territories of Tatu et al. ("Arterial territories of the human
brain", Neurology 1998): the anterior artery supplies a strip beside the midline, which reaches
further back the higher the slice; the posterior one the back and the inner temporal lobe; the
middle one the rest. Cerebellum and brain stem have none here.
"""

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.data.worlds.ct.head_anatomy import Head
from cfx_jax.data.worlds.ct.head_slices import brain_depth
from cfx_jax.data.worlds.drawing import Frame, outline_cover

ARTERIES = ("MCA", "ACA", "PCA")
# Numbered from 1.
TERRITORIES = tuple(f"{side} {artery}" for side in ("left", "right") for artery in ARTERIES)
_STEM = 0.20  # level below which the back of the slice shows cerebellum and brain stem


def territory_number(artery: int, right: bool) -> int:
    """Number in 1..6 of a territory: its place in ``TERRITORIES``, counted from 1."""
    return 1 + artery + len(ARTERIES) * right


def territory_mask(
    head: Head, frame: Frame, levels: Float[np.ndarray, " s"]
) -> UInt8[np.ndarray, "s h w"]:
    """The number of the territory of each voxel inside the brain's surface, 0 elsewhere."""
    x, y = head.grid(frame, levels)
    level, side_ways = levels[:, None, None], np.abs(x) / np.float32(head.aspect)
    upwards = np.clip((level - 0.35) / 0.4, 0, 1)
    reach = 0.69 + 0.78 * upwards  # of the anterior territory from the forehead backwards
    anterior = (side_ways / (0.22 + 0.07 * upwards)) ** 2 + ((y + 0.95) / reach) ** 2 < 1
    outer = np.where(
        level < 0.30, 0.10 + 0.75 * side_ways, 0.32 + 0.28 * upwards + 0.30 * side_ways
    )
    # The thalamus is the posterior's.
    border = outer - 0.45 * (1 - upwards) * np.exp(-((side_ways / 0.22) ** 2))
    artery = np.where(anterior, 1, np.where(y > border, 2, 0))
    numbers = (territory_number(0, False) + artery + len(ARTERIES) * (x < 0)).astype(np.uint8)
    behind = (level < _STEM) & (y > 0.05)
    return np.where(behind, 0, numbers * _brain(head, frame, levels)).astype(np.uint8)


def _brain(head: Head, frame: Frame, levels: Float[np.ndarray, " s"]) -> UInt8[np.ndarray, "s h w"]:
    """1 inside the brain's surface."""
    covers = [
        outline_cover(frame, head.place(head.ring(brain_depth(head, level)), level)) >= 0.5
        for level in levels.tolist()
    ]
    return np.stack(covers).astype(np.uint8)
