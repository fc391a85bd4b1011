"""The number type that a layer computes in, apart from the type of its weights.

A layer here has the attribute ``dtype``, as Flax's layers have it: input and weights are converted
to that type; None leaves them. ``models.computing_in`` sets it for all layers of a network. The
last layers of a network are made with ``promote_dtype=widest``: they compute in float32 whatever
their ``dtype`` is, so that logits and images are not rounded to the few digits of bfloat16.
"""

from typing import Any, TypeVar

from flax.nnx.nn.dtypes import promote_dtype as promote_dtype
from jax.typing import DTypeLike

Arrays = TypeVar("Arrays", bound=tuple[Any, ...])


def widest(arrays: Arrays, /, *, dtype: DTypeLike | None = None, inexact: bool = True) -> Arrays:
    """Converts the input and the weights of a layer to the widest of their own types.

    Args:
        arrays: input and weights; None stands for a weight that a layer has not.
        dtype: the number type of the layer, without effect.
        inexact: whether integers become floating point.

    Returns:
        The arrays, float32 where a weight is.

    >>> import jax.numpy as jnp
    >>> maps, kernel = jnp.zeros(2, jnp.bfloat16), jnp.zeros(2)
    >>> [array.dtype.name for array in widest((maps, kernel), dtype=jnp.bfloat16)]
    ['float32', 'float32']
    """
    del dtype
    return promote_dtype(arrays, inexact=inexact)
