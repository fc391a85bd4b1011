"""Checks of the arrays that metrics take, and their conversion to one kind.

The first part is of values: one number, decision, category or row of numbers for each image. The
second part is about maps and masks: the last two axes are one image, the axes before them any
batch.
"""

from numbers import Real

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from cfx_jax.checks import as_numpy
from cfx_jax.errors import InputError

SPACE = (-2, -1)
"""The axes of one image in an array of maps or masks."""

_ROUNDING = 1e-5
"""The largest distance of a probability in float32 from [0, 1]."""


def as_vector(values: Shaped[np.ndarray, " n"], *, name: str) -> Shaped[np.ndarray, " n"]:
    """Converts one value for each image to a NumPy array.

    Args:
        values: ``(n,)``, of any kind, for at least one image.
        name: the name of the values in messages.

    Raises:
        InputError: the array has not one axis, or no image.

    >>> as_vector([0.2, 0.7], name="scores")
    array([0.2, 0.7])
    """
    values = as_numpy(values, name=name)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(
            f"{name}: expected one value for each of at least one image (n,), got shape"
            f" {values.shape}"
        )
    return values


def as_categories(values: Shaped[np.ndarray, " n"], *, name: str) -> Shaped[np.ndarray, " n"]:
    """Converts one category for each item to an array of whole numbers or of text.

    Args:
        values: ``(n,)`` whole numbers (also as floats or booleans) or names, in an array or a list.
        name: the name of the categories in messages.

    Raises:
        InputError: the array has not one axis or no item, numbers stand among names, an item has no
            category (NaN, None), or a number is not whole.

    >>> as_categories([0.0, 2.0], name="first")
    array([0, 2])
    """
    as_vector(values, name=name)
    # As Python's own, since NumPy makes text of numbers that stand beside text.
    items = np.asarray(values).tolist() if hasattr(values, "dtype") else list(values)
    if all(isinstance(item, str) for item in items):
        return np.asarray(items)
    missing = sum(item is None or item != item for item in items)
    if missing:
        raise InputError(
            f"{name}: expected a category for every item, got NaN or None for {missing}: leave"
            " these out"
        )
    other = next(
        (item for item in items if not isinstance(item, Real) or not float(item).is_integer()), None
    )
    if other is not None:
        raise InputError(
            f"{name}: expected categories that are all whole numbers or all names, got {other!r}:"
            " convert them to one kind"
        )
    return np.asarray([int(item) for item in items])


def check_same_kind(first: np.ndarray, second: np.ndarray, *, names: tuple[str, str]) -> None:
    """Checks that the categories of two arrays are of one kind, numbers or names.

    A number is never equal to a name.

    Args:
        first: an array from ``as_categories``.
        second: the array that it is compared with.
        names: the names of the two in messages.

    Raises:
        InputError: one array holds numbers and the other array holds names.
    """
    if (first.dtype.kind == "U") != (second.dtype.kind == "U"):
        kinds = ["names" if array.dtype.kind == "U" else "numbers" for array in (first, second)]
        raise InputError(
            f"{names[1]}: expected {kinds[0]}, as {names[0]} has, got {kinds[1]}: convert them to"
            " one kind"
        )


def as_decisions(values: Shaped[np.ndarray, " n"], *, name: str) -> Bool[np.ndarray, " n"]:
    """Converts one yes or no for each image to booleans.

    Args:
        values: ``(n,)`` booleans, or numbers 0 and 1.
        name: the name of the decisions in messages.

    Raises:
        InputError: the array has not one axis, no image, or a value other than 0 and 1.

    >>> as_decisions([1, 0], name="correct")
    array([ True, False])
    """
    numbers = as_numbers(values, name=name)
    other = numbers[~np.isin(numbers, (0, 1))]
    if other.size:
        raise InputError(
            f"{name}: expected 0 and 1 (or booleans), got {other[0]:g}: compare with a threshold or"
            " a class"
        )
    return numbers.astype(bool)


def as_numbers(values: Shaped[np.ndarray, " n"], *, name: str) -> Float[np.ndarray, " n"]:
    """Converts one finite number for each image to float64.

    Args:
        values: ``(n,)``.
        name: the name of the numbers in messages.

    Raises:
        InputError: the array has not one axis, no image, or has NaN or infinity.

    >>> as_numbers([1, 2], name="scores")
    array([1., 2.])
    """
    return _as_finite(as_vector(values, name=name), name)


def as_probabilities(
    values: Shaped[np.ndarray, "*shape"], *, name: str
) -> Float[np.ndarray, "*shape"]:
    """Converts probabilities of any shape to float64.

    Args:
        values: an array of any shape, in [0, 1] but for the rounding of ``exp(log p)`` in float32,
            which is cut off.
        name: the name of the probabilities in messages.

    Raises:
        InputError: a value is not finite or lies outside of [0, 1].

    >>> as_probabilities([0.25, 1.000001], name="probabilities")
    array([0.25, 1.  ])
    """
    numbers = _as_finite(np.asarray(values), name)
    if numbers.size and (numbers.min() < -_ROUNDING or numbers.max() > 1 + _ROUNDING):
        raise InputError(
            f"{name}: expected probabilities in [0, 1], got [{numbers.min():g}, {numbers.max():g}]:"
            " apply sigmoid or softmax"
        )
    return numbers.clip(0, 1)


def as_rows(
    values: Shaped[np.ndarray, "n d"], *, name: str, at_least: int = 1
) -> Float[np.ndarray, "n d"]:
    """Converts one row of finite numbers for each image to float64.

    Args:
        values: ``(n, d)``.
        name: the name of the rows in messages.
        at_least: the smallest number of images.

    Raises:
        InputError: the array has not two axes, too few images, no column, or has NaN or
            infinity.

    >>> as_rows([[1, 2], [3, 4]], name="features")
    array([[1., 2.],
           [3., 4.]])
    """
    values = as_numpy(values, name=name)
    if values.ndim != 2 or len(values) < at_least or values.shape[1] == 0:
        raise InputError(
            f"{name}: expected rows (n, d) of at least {at_least} images, got shape {values.shape}"
        )
    return _as_finite(values, name)


def check_same_shape(first: np.ndarray, second: np.ndarray, *, names: tuple[str, str]) -> None:
    """Checks that two arrays have one shape, as arrays of the same images have.

    Args:
        first: an array.
        second: the array that it is compared with.
        names: the names of the two in messages.

    Raises:
        InputError: the shapes differ.
    """
    if first.shape != second.shape:
        raise InputError(
            f"{names[1]}: expected the shape of {names[0]} {first.shape}, got {second.shape}"
        )


def ratio(
    part: Num[np.ndarray, "*batch"], total: Num[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch"]:
    """Divides parts by totals, with NaN where the total is 0.

    >>> ratio(np.array([1, 0]), np.array([4, 0]))
    array([0.25,  nan])
    """
    part, total = np.asarray(part, np.float64), np.asarray(total, np.float64)
    return np.divide(part, total, out=np.full(part.shape, np.nan), where=total != 0)


def as_mask(mask: Shaped[np.ndarray, "*batch h w"], *, name: str) -> Bool[np.ndarray, "*batch h w"]:
    """Converts a mask to booleans.

    Args:
        mask: booleans, or numbers that are all 0 or 1.
        name: the name of the mask in messages.

    Raises:
        InputError: the array has fewer than two axes, no pixel, or a value other than 0 and 1, as a
            map without a threshold has.

    >>> as_mask([[0, 1]], name="truth")
    array([[False,  True]])
    """
    mask = as_numpy(mask, name=name)
    _check_pixels(mask, name)
    is_number = mask.dtype.kind in "biuf"
    if mask.dtype != bool and not (is_number and ((mask == 0) | (mask == 1)).all()):
        raise InputError(
            f"{name}: expected a mask of 0 and 1, got other values: threshold it first"
        )
    return mask.astype(bool)


def as_map(
    maps: Num[np.ndarray, "*batch h w"], *, name: str = "maps"
) -> Float[np.ndarray, "*batch h w"]:
    """Converts maps to float64.

    Thresholds between float32 values are then exact enough to keep the order of the values.

    Args:
        maps: finite values.
        name: the name of the maps in messages.

    Raises:
        InputError: the array has fewer than two axes, no pixel, no real numbers, NaN or infinity.

    >>> as_map([[1, 2]])
    array([[1., 2.]])
    """
    maps = as_numpy(maps, name=name)
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
    """Converts maps to float64 and the true regions of the same images to booleans.

    Raises:
        InputError: as ``as_map`` and ``as_mask``, or the shapes differ.
    """
    maps, truth = as_map(maps), as_mask(truth, name="truth")
    check_same_shape(truth, maps, names=("truth", "maps"))
    return maps, truth


def as_tall(
    volumes: Shaped[np.ndarray, "*batch s h w"], *, name: str
) -> Shaped[np.ndarray, "*batch sh w"]:
    """Makes one tall image of each volume, its slices below each other.

    A metric that does not look at neighbours then takes the volume as one case.

    Args:
        volumes: volumes without channels, of any number type.
        name: the name of the volumes in messages.

    Raises:
        InputError: the array has fewer than three axes, or no voxel.

    >>> as_tall(np.zeros((2, 5, 4, 3)), name="volumes").shape
    (2, 20, 3)
    """
    volumes = as_numpy(volumes, name=name)
    if volumes.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected real numbers, got dtype {volumes.dtype}")
    if volumes.ndim < 3 or 0 in volumes.shape[-3:]:
        raise InputError(
            f"{name}: expected (s, h, w) or a batch (..., s, h, w) with at least one voxel, got"
            f" {volumes.shape}"
        )
    *batch, slices, height, width = volumes.shape
    return volumes.reshape(*batch, slices * height, width)


def _as_finite(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind in "cmMOSU":
        raise InputError(f"{name}: expected real numbers, got dtype {values.dtype}")
    numbers = values.astype(float)
    bad = int((~np.isfinite(numbers)).sum())
    if bad:
        raise InputError(
            f"{name}: expected finite numbers, got {bad} of {numbers.size} that are NaN or infinite"
        )
    return numbers


def _check_pixels(array: np.ndarray, name: str) -> None:
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise InputError(
            f"{name}: expected (h, w) or a batch (..., h, w) with at least one pixel, got"
            f" {array.shape}"
        )
