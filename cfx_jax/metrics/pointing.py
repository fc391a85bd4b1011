"""Where a map points, without a threshold: the pointing game and the relevance mass.

The last two axes are one image. A volume is scored as one tall image
(``volumes.reshape(n, -1, w)``), the pointing game then without a tolerance.
"""

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.checks import check_at_least
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.map_arrays import SPACE, as_maps_and_masks
from cfx_jax.metrics.value_arrays import ratio


def pointing_game(
    maps: Float[np.ndarray, "*batch h w"],
    truth: Bool[np.ndarray, "*batch h w"],
    *,
    tolerance: float = 0.0,
) -> Float[np.ndarray, "*batch"]:
    """Whether the highest pixel of each map lies in the true region (Zhang et al. 2018, "Top-down
    neural attention").

    The mean is the hit score ``hits / (hits + misses)``, as in Fontanella et al. 2023. Where the
    truth is one of several regions of an atlas, the region's mask is ``atlas == number``. Where
    several pixels share the highest value, all have to lie in the region, and a constant map is
    always a miss: it points nowhere.

    Args:
        maps: finite, without channels.
        truth: the true regions.
        tolerance: how far outside of the region the pixel may lie, in pixels, at least 0; the
            original game has 15.

    Returns:
        1 for a hit, 0 for a miss, NaN where the region is empty.

    Raises:
        InputError: the shapes differ, NaN or infinity in a map, or a tolerance below 0.
    """
    maps, truth = as_maps_and_masks(maps, truth)
    check_at_least(tolerance, 0, name="tolerance")
    highest = maps.max(axis=SPACE, keepdims=True)
    hit = (_widened(truth, tolerance) | (maps < highest)).all(axis=SPACE)
    constant = (maps == highest).all(axis=SPACE)
    return np.where(truth.any(axis=SPACE), hit & ~constant, np.nan)


def relevance_mass(
    maps: Float[np.ndarray, "*batch h w"], truth: Bool[np.ndarray, "*batch h w"]
) -> Float[np.ndarray, "*batch"]:
    """The share of each map's sum that lies in the true region (Arras et al. 2022, "CLEVR-XAI",
    relevance mass accuracy).

    Their relevance rank accuracy is
    ``precision(top_pixels(maps, truth.sum(axis=(-2, -1))), truth)``.

    Args:
        maps: finite and at least 0, without channels, such as ``maps.channel_sum`` gives.
        truth: the true regions.

    Returns:
        Values in [0, 1]; a constant map has the region's share of the image. NaN where the region
        is empty or the map is zero everywhere.

    Raises:
        InputError: the shapes differ, NaN, infinity or a negative value in a map.
    """
    maps, truth = as_maps_and_masks(maps, truth)
    if maps.min(initial=0) < 0:
        raise InputError(
            f"maps: expected values of at least 0, got {maps.min():g}: sum absolute values"
            f" (channel_sum)"
        )
    share = ratio((maps * truth).sum(axis=SPACE), maps.sum(axis=SPACE))
    return np.where(truth.any(axis=SPACE), share, np.nan)


def _widened(
    regions: Bool[np.ndarray, "*batch h w"], tolerance: float
) -> Bool[np.ndarray, "*batch h w"]:
    """All pixels within a distance of a region; an empty one gives anything."""
    if tolerance == 0:
        return regions
    distance = import_extra(
        "scipy.ndimage", "a tolerance in the pointing game"
    ).distance_transform_edt
    flat = regions.reshape(-1, *regions.shape[-2:])
    return np.asarray([distance(~each) <= tolerance for each in flat], bool).reshape(regions.shape)
