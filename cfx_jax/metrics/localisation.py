"""How well a thresholded map meets the true region, by counting pixels. Per image; aggregate with
NumPy (``nanmean``) or ``bootstrap_interval``.

Maps become masks by ``above_percentile`` or ``top_pixels``. No count looks at neighbours, so a
volume ``(s, h, w)``, which is one case and not s of them, is scored as one tall image:
``volumes.reshape(n, -1, w)``. ``volume_overlap`` does so with the threshold that each volume's own
region asks for.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics.map_arrays import SPACE, as_mask
from cfx_jax.metrics.value_arrays import check_same_shape, ratio

Masks: TypeAlias = Bool[np.ndarray, "*batch h w"]
PerImage: TypeAlias = Float[np.ndarray, "*batch"]
Overlap: TypeAlias = Callable[[Masks, Masks], PerImage]


def intersection_over_union(predicted: Masks, truth: Masks) -> PerImage:
    """``|P and T| / |P or T|`` of each image (Boreiko et al. 2022, figure 1).

    Args:
        predicted: the thresholded maps.
        truth: the true regions.

    Returns:
        Values in [0, 1]; NaN where both are empty, for the ratio is undefined there.

    Raises:
        InputError: the shapes differ, or values other than 0 and 1.
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(predicted | truth))


def dice(predicted: Masks, truth: Masks) -> PerImage:
    """``2 |P and T| / (|P| + |T|)`` of each image, the F1 score of its pixels.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1], ``2 IoU / (1 + IoU)``; NaN where both are empty.
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(2 * _count(predicted & truth), _count(predicted) + _count(truth))


def precision(predicted: Masks, truth: Masks) -> PerImage:
    """The share of the thresholded map inside of the true region, ``|P and T| / |P|``.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1]; NaN where the thresholded map is empty.
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(predicted))


def recall(predicted: Masks, truth: Masks) -> PerImage:
    """The share of the true region that the thresholded map covers, ``|P and T| / |T|``.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1]; NaN where the true region is empty.
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(truth))


def false_discovery_rate(predicted: Masks, truth: Masks) -> PerImage:
    """The share of the thresholded map outside of the true region, ``1 - precision``.

    Charachon et al. 2021 (table 1) print this number under the name "FNR"; the false negative rate
    proper is ``1 - recall``. Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1], lower is better; NaN where the thresholded map is empty.
    """
    return 1 - precision(predicted, truth)


def macro_average(overlap: Overlap, predicted: Masks, truth: Masks) -> PerImage:
    """The mean of an overlap of the regions and the same overlap of all that is outside of them.

    Table 5 of Fontanella et al. 2023 (ACAT) fits this with whole scans and
    ``top_pixels(maps, size of the region)``; chance is about one half there, not 0.

    Args:
        overlap: such as ``intersection_over_union`` or ``dice``.
        predicted: the thresholded maps.
        truth: the true regions.

    Returns:
        Values in [0, 1]; NaN where either overlap is, which is where both masks are empty or both
        are full.

    Raises:
        InputError: as ``overlap``.
    """
    predicted, truth = _as_masks(predicted, truth)
    return (overlap(predicted, truth) + overlap(~predicted, ~truth)) / 2


def mask_kappa(predicted: Masks, truth: Masks) -> PerImage:
    """Cohen's kappa between the pixels of two masks: agreement beyond chance over the most that is
    possible.

    Where both masks have the same size, the macro-averaged Dice is ``(1 + kappa) / 2``. Arguments
    and errors as ``intersection_over_union``.

    Returns:
        Values in [-1, 1], 0 by chance; NaN where both masks are empty or both are full.
    """
    predicted, truth = _as_masks(predicted, truth)
    share_predicted, share_truth = predicted.mean(axis=SPACE), truth.mean(axis=SPACE)
    by_chance = share_predicted * share_truth + (1 - share_predicted) * (1 - share_truth)
    return ratio((predicted == truth).mean(axis=SPACE) - by_chance, 1 - by_chance)


def _as_masks(predicted: Masks, truth: Masks) -> tuple[Masks, Masks]:
    predicted, truth = as_mask(predicted, name="predicted"), as_mask(truth, name="truth")
    check_same_shape(truth, predicted, names=("truth", "predicted"))
    return predicted, truth


def _count(mask: Masks) -> PerImage:
    return mask.sum(axis=SPACE)
