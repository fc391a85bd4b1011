"""The kinds of arrays that functions take, and the precision that sums of them need."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

AnyArray: TypeAlias = jax.Array | np.ndarray
"""A JAX array or a NumPy array: what functions outside of ``jit`` take and give."""


def at_least_float32(values: Float[AnyArray, "*shape"]) -> Float[Array, "*shape"]:
    """The values in float32, those of float64 as they are.

    The logits of a network that computes in float16 or bfloat16 have three digits or two. Their
    probabilities and sums need more: in float16 all from 0.9998 on are 1.

    Args:
        values: of any floating-point dtype.

    Example:
        >>> at_least_float32(jnp.zeros(2, jnp.bfloat16)).dtype
        dtype('float32')
    """
    return jnp.asarray(values, jnp.promote_types(values.dtype, jnp.float32))
