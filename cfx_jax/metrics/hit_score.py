"""The hit score of saliency volumes: how often the highest voxel of a whole scan lies in the
territory of its lesion.

Fontanella et al. 2023, section 4.4, after the pointing game of Zhang et al. 2018 without a
tolerance. A scan is a hit or a miss as ``pointing_game`` says: where several voxels share the
highest value, all have to lie in the territory, and a constant map is a miss. The paper says
nothing of either; an arg-max would give a flat map the scan's first voxel.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.errors import InputError
from cfx_jax.metrics.map_arrays import SPACE, as_map, as_tall
from cfx_jax.metrics.pointing import pointing_game
from cfx_jax.metrics.value_arrays import check_same_shape


class HitScore(NamedTuple):
    """The hit score of a set of scans, and what it counts."""

    score: float
    """``hits / (hits + misses)``, in [0, 1]."""
    num_hits: int
    """Scans whose highest voxel lies in their lesion's territory."""
    num_misses: int
    """All other scans, the flat ones among them."""
    num_flat: int
    """Scans whose map is constant, which points nowhere."""
    hits: Bool[np.ndarray, " n"]
    """One decision for each scan, to be averaged by territory or size of the lesion, or given to
    ``paired_test``.
    """


def hit_score(
    volumes: Float[np.ndarray, "n s h w"],
    atlas: Int[np.ndarray, "n s h w"],
    territories: Int[np.ndarray, " n"],
) -> HitScore:
    """Scores the maps of scans with a lesion, each by the territory that its lesion lies in.

    Published: the six territories of the middle, anterior and posterior cerebral artery, left and
    right, and only scans with a lesion that the classifier was not trained on.

    Args:
        volumes: saliency of whole scans, finite and without channels.
        atlas: the number of the territory that each voxel belongs to, on the same grid.
        territories: the number of the territory of each scan's lesion.

    Returns:
        The score and its counts.

    Raises:
        InputError: no scan, other ranks, shapes that differ, NaN or infinity in a volume, or a scan
            that has no voxel of its territory.
    """
    atlas, territories = np.asarray(atlas), np.asarray(territories)
    if atlas.ndim != 4 or territories.shape != atlas.shape[:1] or not len(atlas):
        raise InputError(
            "territories: expected one number for each of at least one scan of the atlas (n, s, h,"
            " w), got shapes"
            f" {territories.shape} and {atlas.shape}"
        )
    check_same_shape(atlas, np.asarray(volumes), names=("atlas", "volumes"))
    maps, truth = (
        as_map(as_tall(volumes, name="volumes")),
        as_tall(atlas, name="atlas") == territories[:, None, None],
    )
    _check_territories(truth, territories)
    hits = pointing_game(maps, truth) == 1
    flat = maps.max(axis=SPACE) == maps.min(axis=SPACE)
    return HitScore(float(hits.mean()), int(hits.sum()), int((~hits).sum()), int(flat.sum()), hits)


def _check_territories(
    truth: Bool[np.ndarray, "n sh w"], territories: Int[np.ndarray, " n"]
) -> None:
    absent = np.flatnonzero(~truth.any(axis=SPACE))
    if absent.size:
        raise InputError(
            f"territories: expected numbers that the atlas has, got {territories[absent[0]]} for"
            f" scan {absent[0]}, which"
            " has no such voxel: leave scans without a lesion out"
        )
