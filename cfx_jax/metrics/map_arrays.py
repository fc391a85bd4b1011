"""Maps and masks as the metrics of maps take them: the last two axes are one image, the axes before
them any batch.
"""

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import check_same_shape

SPACE = (-2, -1)
"""The axes of one image."""


def as_mask(mask: Shaped[np.ndarray, "*batch h w"], *, name: str) -> Bool[np.ndarray, "*batch h w"]:
    """A mask as booleans.

    Args:
        mask: booleans, or numbers that are all 0 or 1.
        name: what a message calls it.

    Raises:
        InputError: fewer than two axes, no pixel, or another value than 0 and 1, as of a map
            without a threshold.
    """
    mask = np.asarray(mask)
    _check_pixels(mask, name)
    if mask.dtype != bool and not ((mask == 0) | (mask == 1)).all():
        raise InputError(
            f"{name}: expected a mask of 0 and 1, got other values: threshold it first"
        )
    return mask.astype(bool)


def as_map(
    maps: Num[np.ndarray, "*batch h w"], *, name: str = "maps"
) -> Float[np.ndarray, "*batch h w"]:
    """Maps as float64, in which thresholds between float32 values are exact enough to keep their
    order.

    Args:
        maps: finite values.
        name: what a message calls them.

    Raises:
        InputError: fewer than two axes, no pixel, no real numbers, NaN or infinity.
    """
    maps = np.asarray(maps)
    _check_pixels(maps, name)
    if maps.dtype.kind in "cmMOSU":
        raise InputError(f"{name}: expected real numbers, got dtype {maps.dtype}")
    maps = maps.astype(np.float64)
    if not np.isfinite(maps).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: look at how the maps were made"
        )
    return maps


def as_maps_and_masks(
    maps: Num[np.ndarray, "*batch h w"], truth: Shaped[np.ndarray, "*batch h w"]
) -> tuple[Float[np.ndarray, "*batch h w"], Bool[np.ndarray, "*batch h w"]]:
    """Maps and the true regions of the same images.

    Raises:
        InputError: as ``as_map`` and ``as_mask``, or the shapes differ.
    """
    maps, truth = as_map(maps), as_mask(truth, name="truth")
    check_same_shape(truth, maps, names=("truth", "maps"))
    return maps, truth


def as_tall(
    volumes: Shaped[np.ndarray, "*batch s h w"], *, name: str
) -> Shaped[np.ndarray, "*batch sh w"]:
    """Volumes as one tall image each, slices below each other, for what does not look at
    neighbours.

    Args:
        volumes: of any kind, without channels.
        name: what a message calls them.

    Raises:
        InputError: fewer than three axes, or no voxel.
    """
    volumes = np.asarray(volumes)
    if volumes.ndim < 3 or 0 in volumes.shape[-3:]:
        raise InputError(
            f"{name}: expected (s, h, w) or a batch (..., s, h, w) with at least one voxel, got"
            f" {volumes.shape}"
        )
    *batch, slices, height, width = volumes.shape
    return volumes.reshape(*batch, slices * height, width)


def _check_pixels(array: np.ndarray, name: str) -> None:
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise InputError(
            f"{name}: expected (h, w) or a batch (..., h, w) with at least one pixel, got"
            f" {array.shape}"
        )
