"""Checks of what metrics take: one number, decision or row of numbers for each image."""

from numbers import Real

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from cfx_jax.errors import InputError

_ROUNDING = 1e-5


def as_vector(values: Shaped[np.ndarray, " n"], *, name: str) -> Shaped[np.ndarray, " n"]:
    """One value for each of at least one image, as a NumPy array.

    Args:
        values: ``(n,)``, of any kind.
        name: what the message calls them.

    Raises:
        InputError: another rank, or no image.
    """
    values = np.asarray(values)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(
            f"{name}: expected one value for each of at least one image (n,), got shape"
            f" {values.shape}"
        )
    return values


def as_categories(values: Shaped[np.ndarray, " n"], *, name: str) -> Shaped[np.ndarray, " n"]:
    """One category for each item, as whole numbers or as text.

    Args:
        values: ``(n,)`` whole numbers (also as floats or booleans) or names, in an array or a list.
        name: what the message calls them.

    Raises:
        InputError: another rank, no item, numbers among names, an item without a category (NaN,
            None), or a number that is not whole.
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
            f" these out"
        )
    other = next(
        (item for item in items if not isinstance(item, Real) or not float(item).is_integer()), None
    )
    if other is not None:
        raise InputError(
            f"{name}: expected categories that are all whole numbers or all names, got {other!r}:"
            f" convert them to one kind"
        )
    return np.asarray([int(item) for item in items])


def check_same_kind(first: np.ndarray, second: np.ndarray, *, names: tuple[str, str]) -> None:
    """Checks that two arrays from ``as_categories`` are both numbers or both names, which are never
    equal to each other.

    Raises:
        InputError: naming the two kinds.
    """
    if (first.dtype.kind == "U") != (second.dtype.kind == "U"):
        kinds = ["names" if each.dtype.kind == "U" else "numbers" for each in (first, second)]
        raise InputError(
            f"{names[1]}: expected {kinds[0]}, as {names[0]} has, got {kinds[1]}: convert them to"
            f" one kind"
        )


def as_decisions(values: Shaped[np.ndarray, " n"], *, name: str) -> Bool[np.ndarray, " n"]:
    """One yes or no for each image.

    Args:
        values: ``(n,)`` booleans, or numbers 0 and 1.
        name: what the message calls them.

    Raises:
        InputError: another rank, no image, or another value.
    """
    numbers = as_numbers(values, name=name)
    other = numbers[~np.isin(numbers, (0, 1))]
    if other.size:
        raise InputError(
            f"{name}: expected 0 and 1 (or booleans), got {other[0]:g}: compare with a threshold or"
            f" a class"
        )
    return numbers.astype(bool)


def as_numbers(values: Shaped[np.ndarray, " n"], *, name: str) -> Float[np.ndarray, " n"]:
    """One finite number for each image, as float64.

    Args:
        values: ``(n,)``.
        name: what the message calls them.

    Raises:
        InputError: another rank, no image, NaN or infinity.
    """
    return _finite(as_vector(values, name=name), name)


def as_probabilities(
    values: Shaped[np.ndarray, "*shape"], *, name: str
) -> Float[np.ndarray, "*shape"]:
    """Probabilities of any shape, as float64.

    Args:
        values: of any shape, in [0, 1] but for the rounding of ``exp(log p)`` in float32, which is
            cut off.
        name: what the message calls them.

    Raises:
        InputError: a value that is not finite or outside [0, 1].
    """
    numbers = _finite(np.asarray(values), name)
    if numbers.size and (numbers.min() < -_ROUNDING or numbers.max() > 1 + _ROUNDING):
        raise InputError(
            f"{name}: expected probabilities in [0, 1], got [{numbers.min():g}, {numbers.max():g}]:"
            f" apply sigmoid or softmax"
        )
    return numbers.clip(0, 1)


def as_rows(
    values: Shaped[np.ndarray, "n d"], *, name: str, at_least: int = 1
) -> Float[np.ndarray, "n d"]:
    """One row of finite numbers for each image, as float64.

    Args:
        values: ``(n, d)``.
        name: what the message calls them.
        at_least: the smallest number of images.

    Raises:
        InputError: another rank, too few images, no numbers, NaN or infinity.
    """
    values = np.asarray(values)
    if values.ndim != 2 or len(values) < at_least or values.shape[1] == 0:
        raise InputError(
            f"{name}: expected rows (n, d) of at least {at_least} images, got shape {values.shape}"
        )
    return _finite(values, name)


def check_same_shape(first: np.ndarray, second: np.ndarray, *, names: tuple[str, str]) -> None:
    """Checks that two arrays are of the same images.

    Raises:
        InputError: the shapes differ.
    """
    if first.shape != second.shape:
        raise InputError(
            f"{names[1]}: expected the shape of {names[0]} {first.shape}, got {second.shape}"
        )


def ratio(
    part: Num[np.ndarray, "*batch"], whole: Num[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch"]:
    """``part / whole``, NaN where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind in "cmMOSU":
        raise InputError(f"{name}: expected real numbers, got dtype {values.dtype}")
    numbers = values.astype(float)
    bad = int((~np.isfinite(numbers)).sum())
    if bad:
        raise InputError(
            f"{name}: expected finite numbers, got {bad} of {numbers.size} that are NaN or infinite"
        )
    return numbers
