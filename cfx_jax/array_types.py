"""The kinds of arrays that functions take, and the precision that sums of them need."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from cfx_jax.errors import InputError

AnyArray: TypeAlias = jax.Array | np.ndarray
"""A JAX array or a NumPy array: what functions outside of ``jit`` take and give."""


def check_usable(array: object, *, name: str) -> None:
    """Checks that JAX can compute with an array.

    JAX refuses most others itself. But a compiled function reads numbers in another byte order, as
    NIfTI and FITS files may hold them, as if they were in this machine's.

    Args:
        array: anything; what has no dtype passes.
        name: what the message calls it.

    Raises:
        InputError: a masked array, a tensor of another library, complex numbers, or numbers in
            another byte order or of a type that JAX has not.
    """
    dtype = getattr(array, "dtype", None)
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(
            f"{name}: expected an array without masked values, got a masked array: fill them with"
            " .filled(value)"
        )
    if dtype is None:
        return
    is_jax = isinstance(array, jax.Array | jax.ShapeDtypeStruct)
    if not is_jax and not isinstance(dtype, np.dtype):
        raise InputError(
            f"{name}: expected an array of NumPy or JAX, got {type(array).__name__} of {dtype}: use"
            " np.asarray, of a tensor of PyTorch .detach().cpu().numpy()"
        )
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise InputError(f"{name}: expected real numbers, got dtype {dtype}: take .real or np.abs")
    if is_jax:
        return
    if not dtype.isnative:
        raise InputError(
            f"{name}: expected numbers in this machine's byte order, got {dtype.str}: use"
            " .astype(array.dtype.newbyteorder('='))"
        )
    if dtype.kind in "OSUMm" or dtype.type in (np.longdouble, np.clongdouble):
        raise InputError(f"{name}: expected numbers, got dtype {dtype}: cast it")


def at_least_float32(values: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """The values of one array in float32, those of float64 as they are.

    The logits of a network that computes in float16 or bfloat16 have three digits or two. Their
    probabilities and sums need more: in float16 all from 0.9998 on are 1. A pytree of arrays, some
    of which may be integers, is for ``models.leaves_at_least_float32``.

    Args:
        values: of any floating-point dtype.

    Example:
        >>> at_least_float32(jnp.zeros(2, jnp.bfloat16)).dtype
        dtype('float32')
    """
    check_usable(values, name="values")
    if not hasattr(values, "dtype") or jnp.issubdtype(values.dtype, jax.dtypes.prng_key):
        raise InputError(f"values: expected an array, got {type(values).__name__}")
    return jnp.asarray(values, jnp.promote_types(values.dtype, jnp.float32))
