"""How well a map meets the true region of an image.

Maps become masks by ``above_percentile`` or ``top_pixels``, each map by its own threshold. Signed
maps are ranked as they are: sum absolute values first (``maps.channel_sum``) where the sign does
not matter. Masks are compared by counts of pixels, such as ``intersection_over_union``.
``pointing_game``, ``relevance_mass`` and ``localisation_auc`` need no threshold.

The last two axes are one image, the axes before them any batch. Every metric gives one number for
each image: aggregate them with NumPy (``nanmean``) or ``bootstrap_interval``. No count looks at
neighbours, so a volume ``(s, h, w)``, which is one case and not s of them, is scored as one tall
image, ``volumes.reshape(n, -1, w)``; see ``scan_localisation``.
"""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import as_numpy, check_at_least, check_callable
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.checks import (
    SPACE,
    as_map,
    as_maps_and_masks,
    as_mask,
    check_same_shape,
    ratio,
)

Maps: TypeAlias = Float[np.ndarray, "*batch h w"]
Masks: TypeAlias = Bool[np.ndarray, "*batch h w"]
PerImage: TypeAlias = Float[np.ndarray, "*batch"]
Overlap: TypeAlias = Callable[[Masks, Masks], PerImage]


def above_percentile(maps: Maps, percentile: float) -> Masks:
    """Keeps the pixels at or above a percentile of their own map (Charachon et al. 2020, eq. 13).

    Percentiles are interpolated linearly. Of a map without ties about ``1 - percentile / 100`` of
    the pixels are kept. Pixels of equal value are kept or left together, so a constant map, or one
    that is zero at the percentile and nowhere negative, is kept as a whole. The share that is kept,
    ``masks.mean(axis=(-2, -1))``, tells; ``top_pixels`` keeps a given number.

    Args:
        maps: finite, without channels.
        percentile: in [0, 100]; 95 keeps the highest twentieth.

    Returns:
        True where kept.

    Raises:
        InputError: the percentile lies outside of [0, 100], or a map has NaN or infinity.

    >>> above_percentile(np.array([[0.1, 0.9], [0.3, 0.5]]), 60)
    array([[False,  True],
           [False,  True]])
    """
    if not (isinstance(percentile, Real) and 0 <= percentile <= 100):
        raise InputError(f"percentile: expected a number in [0, 100], got {percentile}")
    maps = as_map(maps)
    *batch, height, width = maps.shape
    flat = maps.reshape(*batch, height * width)
    # No pixel lies between the two that the percentile is interpolated from: the upper one is as
    # good a threshold, and exact, where an interpolated one may be rounded past a pixel.
    place = math.ceil(round(percentile * (flat.shape[-1] - 1) / 100, 9))
    return maps >= np.partition(flat, place, axis=-1)[..., place, None, None]


def top_pixels(maps: Maps, counts: int | Int[np.ndarray, "*batch"]) -> Masks:
    """Keeps a given number of the highest pixels of each map, exactly.

    Of equal pixels those that come first, row by row, are kept. With the size of each true region,
    ``top_pixels(maps, truth.sum(axis=(-2, -1)))``, this is the percentile that Fontanella et al.
    2023 (appendix H) choose for each image, at which precision, recall and Dice are one number.

    Args:
        maps: finite, without channels.
        counts: how many pixels to keep, one number or one for each map; from 0 to h * w.

    Returns:
        True where kept.

    Raises:
        InputError: the counts are no integers, have not the shape of the batch or lie outside of
            [0, h * w], or a map has NaN or infinity.

    >>> top_pixels(np.array([[0.1, 0.9], [0.9, 0.5]]), 1)
    array([[False,  True],
           [False, False]])
    """
    maps = as_map(maps)
    counts = as_numpy(counts, name="counts")
    batch, size = maps.shape[:-2], maps.shape[-2] * maps.shape[-1]
    if counts.shape not in ((), batch):
        raise InputError(
            f"counts: expected one number or one for each map {batch}, got shape {counts.shape}"
        )
    if not np.issubdtype(counts.dtype, np.integer):
        raise InputError(
            f"counts: expected integers, got dtype {counts.dtype}: use top_pixels(maps,"
            " mask.sum((-2, -1)))"
        )
    if ((counts < 0) | (counts > size)).any():
        raise InputError(
            f"counts: expected 0 to {size}, the pixels of a map, got {counts.min()} to"
            f" {counts.max()}"
        )
    flat = maps.reshape(*batch, size)
    order = np.argsort(-flat, axis=-1, kind="stable")
    kept = np.empty(flat.shape, bool)
    np.put_along_axis(kept, order, np.arange(size) < counts[..., None], axis=-1)
    return kept.reshape(maps.shape)


def intersection_over_union(predicted: Masks, truth: Masks) -> PerImage:
    """Computes ``|P and T| / |P or T|`` of each image (Boreiko et al. 2022, figure 1).

    Args:
        predicted: the thresholded maps.
        truth: the true regions.

    Returns:
        Values in [0, 1]; NaN where both are empty, for the ratio is undefined there.

    Raises:
        InputError: the shapes differ, or a mask has values other than 0 and 1.

    >>> predicted, truth = np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])
    >>> round(float(intersection_over_union(predicted, truth)), 3)
    0.333
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(predicted | truth))


def dice(predicted: Masks, truth: Masks) -> PerImage:
    """Computes ``2 |P and T| / (|P| + |T|)`` of each image, the F1 score of its pixels.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1], ``2 IoU / (1 + IoU)``; NaN where both are empty.

    >>> float(dice(np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])))
    0.5
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(2 * _count(predicted & truth), _count(predicted) + _count(truth))


def precision(predicted: Masks, truth: Masks) -> PerImage:
    """Computes the share of the thresholded map inside of the true region, ``|P and T| / |P|``.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1]; NaN where the thresholded map is empty.

    >>> float(precision(np.array([[1, 1, 0, 0]]), np.array([[1, 0, 0, 0]])))
    0.5
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(predicted))


def recall(predicted: Masks, truth: Masks) -> PerImage:
    """Computes the share of the true region that the thresholded map covers, ``|P and T| / |T|``.

    Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1]; NaN where the true region is empty.

    >>> float(recall(np.array([[1, 1, 0, 0]]), np.array([[1, 0, 0, 0]])))
    1.0
    """
    predicted, truth = _as_masks(predicted, truth)
    return ratio(_count(predicted & truth), _count(truth))


def false_discovery_rate(predicted: Masks, truth: Masks) -> PerImage:
    """Computes the share of the thresholded map outside of the true region, ``1 - precision``.

    Charachon et al. 2021 (table 1) print this number under the name "FNR"; the false negative rate
    proper is ``1 - recall``. Arguments and errors as ``intersection_over_union``.

    Returns:
        Values in [0, 1], lower is better; NaN where the thresholded map is empty.

    >>> float(false_discovery_rate(np.array([[1, 1, 1, 1]]), np.array([[1, 0, 0, 0]])))
    0.75
    """
    return 1 - precision(predicted, truth)


def macro_average(overlap: Overlap, predicted: Masks, truth: Masks) -> PerImage:
    """Computes the mean of an overlap of the regions and the same overlap of their backgrounds.

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

    >>> float(macro_average(dice, np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])))
    0.5
    """
    check_callable(overlap, name="overlap", gives="two masks -> one number for each image")
    predicted, truth = _as_masks(predicted, truth)
    return (overlap(predicted, truth) + overlap(~predicted, ~truth)) / 2


def mask_kappa(predicted: Masks, truth: Masks) -> PerImage:
    """Computes Cohen's kappa between the pixels of two masks.

    Kappa is the agreement beyond chance, as a share of the most that is possible. Where both masks
    have the same size, the macro-averaged Dice is ``(1 + kappa) / 2``. Arguments and errors as
    ``intersection_over_union``.

    Returns:
        Values in [-1, 1], 0 by chance; NaN where both masks are empty or both are full.

    >>> float(mask_kappa(np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])))
    0.0
    """
    predicted, truth = _as_masks(predicted, truth)
    share_predicted, share_truth = predicted.mean(axis=SPACE), truth.mean(axis=SPACE)
    by_chance = share_predicted * share_truth + (1 - share_predicted) * (1 - share_truth)
    return ratio((predicted == truth).mean(axis=SPACE) - by_chance, 1 - by_chance)


def localisation_auc(maps: Maps, truth: Masks, *, lowest: int = 1) -> PerImage:
    """Computes the area under precision against recall over the percentiles of each map.

    Charachon et al. 2020 ("Combining similarity and adversarial learning to generate visual
    explanation", equation 14): the sum over percentiles i, from ``lowest`` to 100, of
    ``P_i (R_i - R_{i+1})``, with the precision and recall of ``above_percentile(maps, i)`` and
    ``R_101 = 0``. The order that the paper prints, ``P_i (R_i - R_{i-1})``, makes the sum negative.
    Counted from the highest percentile recall rises from 0, the sum is the average precision over
    100 thresholds, and a map that equals the region scores 1.

    Args:
        maps: finite, without channels; volumes as one tall image.
        truth: the true regions.
        lowest: the lowest percentile, an integer from 0 to 100; 1 gives the published total, 80 the
            published partial area, which is not scaled up: a map at random has 0.2 times the
            region's share of the image.

    Returns:
        Values in [0, 1]; a constant map has the region's share of the image, whatever ``lowest``.
        NaN where the region is empty.

    Raises:
        InputError: the shapes differ, a map has NaN or infinity, or the percentile lies outside of
            [0, 100].

    >>> truth = np.array([[0, 0], [1, 1]])
    >>> float(localisation_auc(truth, truth)), float(localisation_auc(np.ones((2, 2)), truth))
    (1.0, 0.5)
    """
    maps, truth = as_maps_and_masks(maps, truth)
    if not isinstance(lowest, Integral) or lowest not in range(101):
        raise InputError(f"lowest: expected a percentile, an integer in 0..100, got {lowest!r}")
    batch, size = maps.shape[:-2], maps.shape[-2] * maps.shape[-1]
    pairs = zip(maps.reshape(-1, size), truth.reshape(-1, size), strict=True)
    return np.asarray(
        [_area(values, inside, np.arange(lowest, 101)) for values, inside in pairs]
    ).reshape(batch)


def pointing_game(maps: Maps, truth: Masks, *, tolerance: float = 0.0) -> PerImage:
    """Whether the highest pixel of each map lies in the true region.

    Zhang et al. 2018, "Top-down neural attention". The mean is the hit score
    ``hits / (hits + misses)``, as in Fontanella et al. 2023. Where the truth is one of several
    regions of an atlas, the region's mask is ``atlas == number``. Where several pixels share the
    highest value, all have to lie in the region, and a constant map is always a miss: it points
    nowhere. Give no tolerance with volumes as tall images.

    Args:
        maps: finite, without channels.
        truth: the true regions.
        tolerance: how far outside of the region the pixel may lie, in pixels, at least 0; the
            original game has 15.

    Returns:
        1 for a hit, 0 for a miss, NaN where the region is empty.

    Raises:
        InputError: the shapes differ, a map has NaN or infinity, or the tolerance is below 0.

    >>> float(pointing_game(np.array([[0.2, 0.7], [0.1, 0.3]]), np.array([[0, 1], [0, 0]])))
    1.0
    """
    maps, truth = as_maps_and_masks(maps, truth)
    check_at_least(tolerance, 0, name="tolerance")
    highest = maps.max(axis=SPACE, keepdims=True)
    hit = (_widen(truth, tolerance) | (maps < highest)).all(axis=SPACE)
    constant = (maps == highest).all(axis=SPACE)
    return np.where(truth.any(axis=SPACE), hit & ~constant, np.nan)


def relevance_mass(maps: Maps, truth: Masks) -> PerImage:
    """Computes the share of each map's sum that lies in the true region.

    Arras et al. 2022, "CLEVR-XAI", relevance mass accuracy. Their relevance rank accuracy is
    ``precision(top_pixels(maps, truth.sum(axis=(-2, -1))), truth)``.

    Args:
        maps: finite and at least 0, without channels, such as ``maps.channel_sum`` returns them.
        truth: the true regions.

    Returns:
        Values in [0, 1]; a constant map has the region's share of the image. NaN where the region
        is empty or the map is zero everywhere.

    Raises:
        InputError: the shapes differ, or a map has NaN, infinity or a negative value.

    >>> float(relevance_mass(np.array([[1.0, 3.0]]), np.array([[0, 1]])))
    0.75
    """
    maps, truth = as_maps_and_masks(maps, truth)
    if maps.min(initial=0) < 0:
        raise InputError(
            f"maps: expected values of at least 0, got {maps.min():g}: sum absolute values"
            " (channel_sum)"
        )
    share = ratio((maps * truth).sum(axis=SPACE), maps.sum(axis=SPACE))
    return np.where(truth.any(axis=SPACE), share, np.nan)


def _as_masks(predicted: Masks, truth: Masks) -> tuple[Masks, Masks]:
    predicted, truth = as_mask(predicted, name="predicted"), as_mask(truth, name="truth")
    check_same_shape(truth, predicted, names=("truth", "predicted"))
    return predicted, truth


def _count(mask: Masks) -> PerImage:
    return mask.sum(axis=SPACE)


def _area(
    values: Float[np.ndarray, " n"],
    inside: Bool[np.ndarray, " n"],
    percentiles: Int[np.ndarray, " p"],
) -> float:
    """Computes the area of one map.

    The pixels are sorted once: those above a threshold are then the end of the list.
    """
    if not inside.any():
        return float("nan")
    order = np.argsort(values)
    places = -(-percentiles * (len(values) - 1) // 100)  # rounded up, as in above_percentile
    num_below = np.searchsorted(values[order], values[order[places]])
    hits = inside.sum() - np.append(0, np.cumsum(inside[order]))[num_below]
    gained_recall = -np.diff(hits / inside.sum(), append=0)
    return float((hits / (len(values) - num_below) * gained_recall).sum())


def _widen(regions: Masks, tolerance: float) -> Masks:
    """Marks all pixels within a distance of a region, in pixels; an empty region gives anything."""
    if tolerance == 0:
        return regions
    distance = import_extra(
        "scipy.ndimage", "a tolerance in the pointing game"
    ).distance_transform_edt
    flat = regions.reshape(-1, *regions.shape[-2:])
    return np.asarray([distance(~mask) <= tolerance for mask in flat], bool).reshape(regions.shape)
