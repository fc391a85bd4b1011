"""How well a saliency volume meets the lesion of a scan, one scan as one case.

``volume_overlap`` follows appendix H, table 5, of Fontanella et al. 2023. Each scan is thresholded
as a whole, at the percentile that keeps as many voxels as its own mask has: a slice without a
lesion may then hold some of them, and one with a lesion none. The table's numbers are the means
over scans of ``macro_iou`` and ``macro_dice``, for which a map at random has 0.5; ``dice`` and
``kappa`` are 0 by chance, and say what the table does not show.

``hit_score`` follows their section 4.4, after the pointing game of Zhang et al. 2018 without a
tolerance: how often the highest voxel of a whole scan lies in the territory of its lesion. A scan
is a hit or a miss as ``pointing_game`` says: where several voxels share the highest value, all have
to lie in the territory, and a constant map is a miss. The paper says nothing of either; an arg-max
would give a flat map the scan's first voxel.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import as_numpy
from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import SPACE, as_map, as_maps_and_masks, as_tall, check_same_shape
from cfx_jax.metrics.localisation import (
    dice,
    intersection_over_union,
    macro_average,
    mask_kappa,
    pointing_game,
    top_pixels,
)


class VolumeOverlap(NamedTuple):
    """The overlap of each scan's highest voxels with its true region, NaN where that is empty."""

    iou: Float[np.ndarray, "*batch"]
    """Intersection over union of the lesion, in [0, 1]."""
    dice: Float[np.ndarray, "*batch"]
    """Dice score of the lesion, in [0, 1]; also its precision and its recall, for both regions have
    one size.
    """
    macro_iou: Float[np.ndarray, "*batch"]
    """Mean of the intersections over union of lesion and background, in [0, 1]; NaN where the
    lesion is everything.
    """
    macro_dice: Float[np.ndarray, "*batch"]
    """Mean of the Dice scores of lesion and background, ``(1 + kappa) / 2``; NaN where the lesion
    is everything.
    """
    kappa: Float[np.ndarray, "*batch"]
    """Cohen's kappa between the voxels, in [-1, 1]; NaN where the lesion is everything."""


def volume_overlap(
    volumes: Float[np.ndarray, "*batch s h w"], truth: Bool[np.ndarray, "*batch s h w"]
) -> VolumeOverlap:
    """Compares each scan's highest voxels, as many as its true region has, with that region.

    Of equal voxels those that come first are kept, so a constant volume scores what its first
    slices happen to hold. Score on the scan's own grid: upsample maps that were made on fewer
    slices or smaller ones.

    Args:
        volumes: saliency of whole scans, finite and without channels; signed maps are ranked as
            they are.
        truth: the true region of each scan.

    Returns:
        One number for each scan. Scans without a lesion are NaN, so take the mean with
        ``numpy.nanmean``.

    Raises:
        InputError: there are fewer than three axes or no voxel, the shapes differ, a
            volume has NaN or infinity, or the truth has other values than 0 and 1.

    >>> truth = np.array([[[1, 0], [0, 0]], [[1, 0], [0, 0]]])
    >>> overlap = volume_overlap(truth * 0.9, truth)
    >>> float(overlap.iou), float(overlap.kappa)
    (1.0, 1.0)
    """
    maps, truth = as_maps_and_masks(as_tall(volumes, name="volumes"), as_tall(truth, name="truth"))
    kept = top_pixels(maps, truth.sum(axis=SPACE))
    return VolumeOverlap(
        iou=intersection_over_union(kept, truth),
        dice=dice(kept, truth),
        macro_iou=macro_average(intersection_over_union, kept, truth),
        macro_dice=macro_average(dice, kept, truth),
        kappa=mask_kappa(kept, truth),
    )


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
        InputError: there is no scan, an array has a wrong number of axes, the shapes differ, a
            volume has NaN or infinity, or a scan has no voxel of its territory.

    >>> volume = np.array([[[[0.1, 0.8], [0.2, 0.3]]]])
    >>> hit_score(volume, np.array([[[[1, 2], [1, 2]]]]), np.array([2])).score
    1.0
    """
    atlas, territories = as_numpy(atlas, name="atlas"), as_numpy(territories, name="territories")
    if atlas.ndim != 4 or territories.shape != atlas.shape[:1] or not len(atlas):
        raise InputError(
            "territories: expected one number for each of at least one scan of the atlas (n, s, h,"
            f" w), got shapes {territories.shape} and {atlas.shape}"
        )
    check_same_shape(atlas, as_numpy(volumes, name="volumes"), names=("atlas", "volumes"))
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
            f" scan {absent[0]}, which has no such voxel: leave scans without a lesion out"
        )
