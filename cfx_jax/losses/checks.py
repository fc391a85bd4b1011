"""Checks of the arrays that losses take; shapes that differ would be broadcast without a word."""

import jax.numpy as jnp

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_array
from cfx_jax.errors import InputError


def check_alike(*, ndim: int | None = None, **arrays: AnyArray) -> None:
    """Checks that arrays have one shape and hold floating-point numbers; they may be traced.

    Args:
        ndim: the number of axes; None for one or more.
        arrays: by the argument's name.

    Raises:
        InputError: naming the first that is no such array, or that has another shape than the
            first one.
    """
    first, *_ = arrays
    for name, array in arrays.items():
        check_array(array, name=name)
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise InputError(f"{name}: expected floating-point numbers, got dtype {array.dtype}")
        if array.ndim == 0 or (ndim is not None and array.ndim != ndim):
            axes = "at least one axis" if ndim is None else f"{ndim} axes"
            raise InputError(f"{name}: expected an array of {axes}, got shape {array.shape}")
        if array.shape != arrays[first].shape:
            raise InputError(
                f"{name}: expected the shape of {first}, {arrays[first].shape}, got {array.shape}"
            )


def check_several(values: object, count: int, *, name: str) -> None:
    """Checks for a tuple, or a list, of a known number of things.

    Args:
        values: the value to check.
        count: how many there must be.
        name: the argument's name in messages.

    Raises:
        InputError: giving what came.
    """
    if not isinstance(values, tuple | list) or len(values) != count:
        came = f"{len(values)}" if isinstance(values, tuple | list) else type(values).__name__
        raise InputError(f"{name}: expected {count} in a tuple, got {came}")
