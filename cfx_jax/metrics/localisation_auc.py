"""The area under precision against recall of a map, over all its thresholds at once.

Charachon et al. 2020 ("Combining similarity and adversarial learning to generate visual
explanation", equation 14).
"""

from numbers import Integral

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.errors import InputError
from cfx_jax.metrics.map_arrays import as_maps_and_masks


def localisation_auc(
    maps: Float[np.ndarray, "*batch h w"], truth: Bool[np.ndarray, "*batch h w"], *, lowest: int = 1
) -> Float[np.ndarray, "*batch"]:
    """The area under precision against recall over the percentiles of each map.

    The sum over percentiles i, from ``lowest`` to 100, of ``P_i (R_i - R_{i+1})``, with the
    precision and recall of ``above_percentile(maps, i)`` and ``R_101 = 0``. The order that the
    paper prints, ``P_i (R_i - R_{i-1})``, makes the sum negative; counted from the highest
    percentile recall rises from 0, the sum is the average precision over 100 thresholds, and a map
    that equals the region scores 1.

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
        InputError: the shapes differ, NaN or infinity in a map, or a percentile outside of [0,
            100].
    """
    maps, truth = as_maps_and_masks(maps, truth)
    if not isinstance(lowest, Integral) or lowest not in range(101):
        raise InputError(f"lowest: expected a percentile, an integer in 0..100, got {lowest!r}")
    batch, size = maps.shape[:-2], maps.shape[-2] * maps.shape[-1]
    pairs = zip(maps.reshape(-1, size), truth.reshape(-1, size), strict=True)
    return np.asarray(
        [_area(values, inside, np.arange(lowest, 101)) for values, inside in pairs]
    ).reshape(batch)


def _area(
    values: Float[np.ndarray, " n"],
    inside: Bool[np.ndarray, " n"],
    percentiles: Int[np.ndarray, " p"],
) -> float:
    """One map's area. The pixels are sorted once: those above a threshold are then the end of the
    list.
    """
    if not inside.any():
        return float("nan")
    order = np.argsort(values)
    places = -(-percentiles * (len(values) - 1) // 100)  # rounded up, as in above_percentile
    num_below = np.searchsorted(values[order], values[order[places]])
    hits = inside.sum() - np.append(0, np.cumsum(inside[order]))[num_below]
    gained_recall = -np.diff(hits / inside.sum(), append=0)
    return float((hits / (len(values) - num_below) * gained_recall).sum())
