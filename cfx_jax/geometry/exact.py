"""Sums and thresholds of long float32 vectors that stay exact enough for 1e-6 feasibility."""

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

_FAN_IN = 32


def accurate_sum(values: Float[Array, "*shape"]) -> Float[Array, ""]:
    """Sum of all entries, added in a tree of fan-in 32.

    A plain float32 reduction may add sequentially, with a relative error that grows with the length (1e-5 at
    d = 150,528); the tree keeps it near one unit in the last place.
    """
    flat = values.reshape(-1)
    while flat.size > 1:
        flat = jnp.pad(flat, (0, -flat.size % _FAN_IN)).reshape(_FAN_IN, -1).sum(axis=0)
    return flat.sum()


def weighted_threshold(
    values: Float[Array, "*shape"], weights: Float[Array, "*shape"], budget: Float[Array, ""]
) -> Float[Array, ""]:
    """The smallest threshold with at most ``budget`` of weight strictly above it, found without sorting.

    Non-negative floats are ordered as their bit patterns are, so 31 bisection steps on the bits find it exactly.

    Args:
        values: non-negative float32 or float64 numbers.
        weights: non-negative, one for each value.
        budget: at least 0.

    Returns:
        ``min {t >= 0 : sum(weights[values > t]) <= budget}``, which is 0 or one of the values. With unit weights
        and budget ``d - 1 - j`` it is the order statistic of ascending index ``j``.
    """
    bits_type = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    bits = lax.bitcast_convert_type(values + 0.0, bits_type)

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = low + (high - low) // 2
        fits = accurate_sum(jnp.where(bits > middle, weights, 0)) <= budget
        return jnp.where(fits, low, middle + 1), jnp.where(fits, middle, high)

    start = (jnp.zeros((), bits_type), bits.max())
    num_halvings = 8 * bits.dtype.itemsize - 1
    threshold, _ = lax.fori_loop(0, num_halvings, halve, start)
    return lax.bitcast_convert_type(threshold, values.dtype)


def order_statistic(values: Float[Array, "*shape"], index: Array) -> Float[Array, ""]:
    """The value of ascending rank ``index`` (0 is the smallest) of non-negative ``values``.

    Args:
        values: non-negative numbers.
        index: integer in [0, size - 1]; may be traced.
    """
    budget = (values.size - 1 - index).astype(values.dtype)
    return weighted_threshold(values, jnp.ones_like(values), budget)
