"""Sums of many maps with a bounded number of them in memory."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.backend import loop_body, varying_like
from cfx_jax.compilation import compiled


def sum_over(
    term: Callable[[Int[Array, ""]], Float[Array, "*shape"]], count: int, *, per_batch: int | None
) -> Float[Array, "*shape"]:
    """``term(0) + ... + term(count - 1)``, with ``per_batch`` terms computed at once.

    Args:
        term: an index, traced -> an array, always of the same shape and dtype.
        count: number of terms, at least 1.
        per_batch: how many terms are held in memory, at least 1; None takes all.

    Returns:
        The sum; it depends on ``per_batch`` by rounding only.
    """
    return compiled(_sum, term, count, min(per_batch or count, count))


def _sum(term: Callable[[Array], Array], count: int, size: int) -> Float[Array, "*shape"]:
    if size == count:
        return jax.vmap(term)(jnp.arange(count)).sum(axis=0)
    index = jnp.arange(-(-count // size) * size).reshape(-1, size)
    terms_of = loop_body(jax.vmap(term))

    def add(
        total: Float[Array, "*shape"], chunk: Int[Array, " size"]
    ) -> tuple[Float[Array, "*shape"], None]:
        # The last chunk is filled up with the last term, which is computed again and left out.
        terms = terms_of(jnp.minimum(chunk, count - 1))
        kept = (chunk < count).reshape(-1, *[1] * (terms.ndim - 1))
        return total + jnp.where(kept, terms, 0).sum(axis=0), None

    shape = jax.eval_shape(term, jax.ShapeDtypeStruct((), index.dtype))
    return lax.scan(add, varying_like(jnp.zeros(shape.shape, shape.dtype), shape), index)[0]
