"""How well a saliency volume meets the true region, one scan as one case (Fontanella et al. 2023,
appendix H, table 5).

Each scan is thresholded as a whole, at the percentile that keeps as many voxels as its own mask
has: a slice without a lesion may then hold some of them, and one with a lesion none. The table's
numbers are the means over scans of ``macro_iou`` and ``macro_dice``, for which a map at random has
0.5; ``dice`` and ``kappa`` are 0 by chance, and say what the table does not show.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics.localisation import dice, intersection_over_union, macro_average, mask_kappa
from cfx_jax.metrics.map_arrays import SPACE, as_maps_and_masks, as_tall
from cfx_jax.metrics.thresholding import top_pixels


class VolumeOverlap(NamedTuple):
    """The overlap of each scan's highest voxels with its true region, NaN where that is empty."""

    iou: Float[np.ndarray, "*batch"]
    """Intersection over union of the lesion, in [0, 1]."""
    dice: Float[np.ndarray, "*batch"]
    """Dice score of the lesion, in [0, 1]; the precision and the recall as well, for both have one
    size.
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
        volumes: saliency of whole scans, finite and without channels; signed ones are ranked as
            they are.
        truth: the true region of each scan.

    Returns:
        One number for each scan. Those without a lesion are NaN, so take the mean with
        ``numpy.nanmean``.

    Raises:
        InputError: fewer than three axes, no voxel, the shapes differ, NaN or infinity in a volume,
            or a truth with other values than 0 and 1.
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
