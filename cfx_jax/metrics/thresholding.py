"""Maps of many images into masks, each by its own threshold. Signed maps are ranked as they are:
sum absolute values first (``maps.channel_sum``) where the sign does not matter."""

import math
from numbers import Real

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.errors import InputError
from cfx_jax.metrics.map_arrays import as_map


def above_percentile(
    maps: Float[np.ndarray, "*batch h w"], percentile: float
) -> Bool[np.ndarray, "*batch h w"]:
    """The pixels at or above a percentile of their own map (Charachon et al. 2020, equation 13).

    Percentiles are interpolated linearly. Of a map without ties about ``1 - percentile / 100`` of
    the pixels are kept; a plateau is kept or left as a whole, so a constant map, or one that is
    zero at the percentile and nowhere negative, is kept whole. The share kept,
    ``masks.mean(axis=(-2, -1))``, tells; ``top_pixels`` keeps a given number.

    Args:
        maps: finite, without channels.
        percentile: in [0, 100]; 95 keeps the highest twentieth.

    Returns:
        True where kept.

    Raises:
        InputError: a percentile outside of [0, 100], NaN or infinity in a map.
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


def top_pixels(
    maps: Float[np.ndarray, "*batch h w"], counts: int | Int[np.ndarray, "*batch"]
) -> Bool[np.ndarray, "*batch h w"]:
    """The given number of highest pixels of each map, exactly; of equal ones those that come first,
    row by row.

    With the size of each true region, ``top_pixels(maps, truth.sum(axis=(-2, -1)))``, this is the
    percentile chosen for each image of Fontanella et al. 2023 (appendix H), at which precision,
    recall and Dice are one number.

    Args:
        maps: finite, without channels.
        counts: how many pixels to keep, one number or one for each map; from 0 to h * w.

    Returns:
        True where kept.

    Raises:
        InputError: counts that are no integers, of another shape than the batch or outside of [0, h
            * w], NaN or infinity in a map.
    """
    maps = as_map(maps)
    counts = np.asarray(counts)
    batch, size = maps.shape[:-2], maps.shape[-2] * maps.shape[-1]
    if counts.shape not in ((), batch):
        raise InputError(
            f"counts: expected one number or one for each map {batch}, got shape {counts.shape}"
        )
    if not np.issubdtype(counts.dtype, np.integer):
        raise InputError(
            f"counts: expected integers, got dtype {counts.dtype}: use top_pixels(maps,"
            f" mask.sum((-2, -1)))"
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
