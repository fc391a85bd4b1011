"""Checks of options: functions, choices, numbers, norms and random keys."""

import math
import reprlib
from collections.abc import Collection, Mapping, Sequence, Set
from numbers import Integral, Real
from types import UnionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cfx_jax.array_types import AnyArray, check_usable
from cfx_jax.errors import InputError

_MOST_CHOICES = 50  # that a message lists
_MOST = 2**31 - 1  # the largest of the integers that JAX counts with


def is_concrete(value: object) -> bool:
    """Whether ``value`` holds numbers, rather than standing for them while a function is traced."""
    return not isinstance(value, jax.core.Tracer)


def check_callable(function: object, *, name: str, gives: str) -> None:
    """Checks for a function.

    Args:
        function: the function to check.
        name: the argument's name in messages.
        gives: what it takes and gives, completing "expected a function of ...".

    Raises:
        InputError: naming the type that came.
    """
    if not callable(function):
        raise InputError(f"{name}: expected a function of {gives}, got {type(function).__name__}")


def check_choice(value: object, choices: Sequence[object], *, name: str) -> None:
    """Checks that an option is one of its valid choices.

    Args:
        value: the value to check.
        choices: what may be given.
        name: the argument's name in messages.

    Raises:
        InputError: listing the valid choices, of many the first.
    """
    # True == 1, but it is no choice of (1, 3).
    alike = [choice for choice in choices if isinstance(choice, bool) == isinstance(value, bool)]
    is_array = hasattr(value, "ndim") and not isinstance(value, np.generic)
    if is_array or value not in alike:
        shown = ", ".join(map(repr, choices[:_MOST_CHOICES]))
        more = len(choices) - _MOST_CHOICES
        shown += f" and {more} more" if more > 0 else ""
        raise InputError(f"{name}: expected one of {shown}, got {value!r}")


def check_flag(value: object, *, name: str) -> None:
    """Checks for True or False: other values are taken for one of them without a word.

    Raises:
        InputError: giving the value.
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name}: expected True or False, got {reprlib.repr(value)}")


def check_texts(texts: object, *, name: str) -> None:
    """Checks for several texts in a list, a tuple or an array.

    Raises:
        InputError: it is one text, has no order, or holds something else.
    """
    if (
        isinstance(texts, str | bytes | Mapping | Set)
        or not isinstance(texts, Collection)
        or not getattr(texts, "ndim", 1)
        or not all(isinstance(text, str) for text in texts)
    ):
        raise InputError(f"{name}: expected texts in a list, got {reprlib.repr(texts)}")


def check_text(text: object, *, name: str, or_none: bool = False) -> None:
    """Checks for a text.

    Args:
        text: the value to check.
        name: the argument's name in messages.
        or_none: whether None may be given.

    Raises:
        InputError: giving the value.
    """
    if not (isinstance(text, str) or (or_none and text is None)):
        wanted = "a text or None" if or_none else "a text"
        raise InputError(f"{name}: expected {wanted}, got {reprlib.repr(text)}")


def as_numpy(values: Any, *, name: str) -> np.ndarray:
    """Converts an array, a number or lists of numbers or texts to an array of NumPy.

    Args:
        values: the values to convert.
        name: the argument's name in messages.

    Raises:
        InputError: rows of different lengths, or random keys, which have no values.
    """
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: expected an array, or lists of one length, got {reprlib.repr(values)}"
        ) from error


def check_type(value: object, kind: type | UnionType, *, name: str, wanted: str) -> None:
    """Checks for an object of one class.

    Args:
        value: the object to check.
        kind: its class.
        name: the argument's name in messages.
        wanted: what it is and which function makes it, completing "expected ...".

    Raises:
        InputError: naming the type that came.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name}: expected {wanted}, got {type(value).__name__}")


def check_num_steps(num_steps: int) -> None:
    """Checks that a number of steps is an integer of at least 1.

    Raises:
        InputError: giving the number.
    """
    check_count(num_steps, name="num_steps")


def check_count(value: int | None, *, name: str, or_none: bool = False) -> None:
    """Checks that a number of steps, nodes or samples is an integer of at least 1.

    Args:
        value: the value to check.
        name: the argument's name in messages.
        or_none: whether None, for all of them, is valid too.

    Raises:
        InputError: giving the number.
    """
    if or_none and value is None:
        return
    check_integer(value, name=name, at_least=1)


def check_integer(value: object, *, name: str, at_least: int) -> None:
    """Checks that an option is an integer, of Python or NumPy, neither too small nor too large.

    Args:
        value: the value to check.
        name: the argument's name in messages.
        at_least: the smallest that is valid.

    Raises:
        InputError: giving the value.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise InputError(f"{name}: expected an integer of at least {at_least}, got {value!r}")
    if int(value) > _MOST:
        raise InputError(f"{name}: expected an integer of at most {_MOST}, got {value}")


def check_seed(seed: object, *, name: str = "seed") -> None:
    """Checks for a seed of NumPy's generators, an integer of at least 0.

    Raises:
        InputError: giving the value.
    """
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{name}: expected 0 or more, got {seed!r}: give e.g. 0")


def check_real(value: object, *, name: str) -> None:
    """Checks for real numbers, traced or not, rather than text, booleans or anything else.

    Raises:
        InputError: giving the value; or a whole number that JAX's int32 does not hold.
    """
    check_usable(value, name=name)
    shape, dtype = shape_and_dtype(value)
    if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        if shape:
            raise InputError(f"{name}: expected real numbers, got dtype {dtype}")
        raise InputError(f"{name}: expected a real number, got {value!r}")
    if isinstance(value, Integral) and abs(int(value)) > _MOST:
        raise InputError(
            f"{name}: expected a whole number up to {_MOST}, as JAX counts, got {value}: write it"
            " as a float"
        )


def check_number(value: Any, *, name: str) -> None:
    """Checks for one real number, traced or not.

    Raises:
        InputError: giving the value or the shape.
    """
    check_real(value, name=name)
    if np.shape(value) != ():
        raise InputError(f"{name}: expected one number, got shape {np.shape(value)}")


def check_positive(value: float | AnyArray, *, name: str) -> None:
    """Checks for one number, finite and above zero, where its value is known.

    Raises:
        InputError: giving the value or the shape.
    """
    check_number(value, name=name)
    _check_all_positive(value, name)


def check_between_0_and_1(value: object, *, name: str) -> None:
    """Checks that a number lies between 0 and 1, which are no valid values themselves.

    Args:
        value: the value to check, a Python or NumPy number.
        name: the argument's name in messages.

    Raises:
        InputError: no real number, or one out of that range.
    """
    check_number(value, name=name)
    if not 0 < value < 1:  # type: ignore[operator]
        raise InputError(f"{name}: expected a value between 0 and 1, got {value}")


def check_at_least(
    value: float | AnyArray, least: float, *, name: str, below: float = math.inf
) -> None:
    """Checks that one number is finite and in a range, where its value is known.

    Args:
        value: the value to check.
        least: the smallest that is valid.
        name: the argument's name in messages.
        below: all valid ones are less than this.

    Raises:
        InputError: giving the value or the shape.
    """
    check_number(value, name=name)
    if is_concrete(value) and not (np.isfinite(value) and least <= value < below):
        range_ = f"of at least {least}" if math.isinf(below) else f"in [{least}, {below})"
        raise InputError(f"{name}: expected a number {range_}, got {value}")


def check_number_or_one_each(value: float | AnyArray, count: int, *, name: str) -> None:
    """Checks for a finite number above zero for all of several images, or one for each.

    Args:
        value: the value to check.
        count: how many images there are.
        name: the argument's name in messages.

    Raises:
        InputError: giving the value or the shape.
    """
    check_real(value, name=name)
    if np.shape(value) not in ((), (count,)):
        raise InputError(
            f"{name}: expected one number, or one for each of the {count} images, shape ({count},),"
            f" got shape {np.shape(value)}"
        )
    _check_all_positive(value, name)


def _check_all_positive(value: float | AnyArray, name: str) -> None:
    if is_concrete(value) and not (np.isfinite(value).all() and (np.asarray(value) > 0).all()):
        raise InputError(f"{name}: expected a finite number above 0, got {value}")


def check_norm(p: float, *, name: str = "p") -> None:
    """Checks the order of an lp norm: a Python number of at least 1, or infinity.

    Raises:
        InputError: giving what came.
    """
    if not isinstance(p, Real) or isinstance(p, bool) or not p >= 1:
        advice = (
            "for p < 1 it is no norm"
            if isinstance(p, Real)
            else "give a Python number, math.inf for the maximum"
        )
        raise InputError(f"{name}: expected a norm with p >= 1 (or inf), got {p!r}: {advice}")
    if isinstance(p, Integral) and p > _MOST:
        raise InputError(f"{name}: expected at most {_MOST}, got {p}: math.inf is the maximum")


def check_key(key: object, *, or_none: bool = False) -> None:
    """Checks for one random key of JAX, new-style or old-style; may be traced.

    Args:
        key: the key to check.
        or_none: whether None, for no randomness, is valid too.

    Raises:
        InputError: naming how to make a key.
    """
    if or_none and key is None:
        return
    shape, dtype = getattr(key, "shape", None), getattr(key, "dtype", None)
    new = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    old = dtype == jnp.uint32 and shape is not None and len(shape) == 1
    if not (new or old):
        came = repr(key) if shape is None else f"dtype {dtype} of shape {shape}"
        raise InputError(
            f"key: expected one random key, got {came}: make it with jax.random.key(seed)"
        )


def shape_and_dtype(value: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Reads both of an array, traced or not, or of NumPy's array of a number, a text or a list."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return tuple(value.shape), value.dtype
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        return (), np.dtype(object)
    return array.shape, array.dtype
