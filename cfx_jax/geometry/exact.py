"""Sums and thresholds of long float32 vectors that stay exact enough for 1e-6 feasibility."""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.backend import varying_like

_FAN_IN = 32
_LARGEST_PRODUCT = 8


def accurate_sum(values: Float[Array, "*shape"]) -> Float[Array, ""]:
    """The sum of all entries, added in a tree of fan-in 32.

    A plain float32 reduction may add sequentially, with a relative error that grows with the length
    (1e-5 at d = 150,528); the tree keeps it near one unit in the last place.
    """
    flat = values.reshape(-1)
    while flat.size > 1:
        flat = jnp.pad(flat, (0, -flat.size % _FAN_IN)).reshape(_FAN_IN, -1).sum(axis=0)
    return flat.sum()


def power(values: Float[Array, "*shape"], p: float) -> Float[Array, "*shape"]:
    """``values ** p`` of numbers of at least 0, for p of at least 1.

    Where p is a small whole number, or one and a half, it is computed by products and a root, which
    on a CPU is several times faster than by logarithms.
    """
    integer = int(p) if p <= _LARGEST_PRODUCT else 0
    if integer and p == integer:
        return lax.integer_pow(values, integer)
    if integer and p == integer + 0.5:
        is_zero = values == 0  # there a root has no finite derivative, and the power has
        root = jnp.sqrt(jnp.where(is_zero, 1, values))
        return jnp.where(is_zero, 0, lax.integer_pow(values, integer) * root)
    return values**p


def magnitude_bits(values: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """The bit patterns of ``|values|`` as integers, which are ordered as the magnitudes are.

    Arithmetic and comparisons of XLA take subnormal numbers (below 1.2e-38 in float32) as 0 on a
    CPU; their bits do not.
    """
    kind = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    return lax.bitcast_convert_type(values, kind) & jnp.iinfo(kind).max


def log_magnitude(bits: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The natural logarithm of the magnitudes with these bits; -inf for 0.

    Subnormal magnitudes count: such a number is its bits, as an integer, times the smallest one.
    """
    kind = _float_dtype(bits)
    info = jnp.finfo(kind)
    log_smallest = (info.minexp - info.nmant) * math.log(2)
    is_subnormal = bits < 2**info.nmant
    normal = jnp.where(is_subnormal, bits.astype(kind), lax.bitcast_convert_type(bits, kind))
    return jnp.log(normal) + jnp.where(is_subnormal, log_smallest, 0)


def rescale(values: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """Divides values by a power of two, so that their largest magnitude is in [1, 2).

    Powers of two change no digit, so what is computed from the values has the accuracy that it has
    near 1: reciprocals do not underflow, squares do not overflow, and subnormal numbers count.

    Returns:
        The values and the exponent e, with ``values = scaled * 2^e``; zeros stay zeros, with an
        arbitrary exponent.
    """
    info = jnp.finfo(values.dtype)
    smallest_exponent = info.minexp - info.nmant
    bits = magnitude_bits(values)
    largest = bits.max()
    is_subnormal, largest_is_subnormal = bits < 2**info.nmant, largest < 2**info.nmant
    # A subnormal number is its bits, as an integer, times the smallest one.
    # values = normal * 2^power
    sign = jnp.where(jnp.signbit(values), -1, 1)
    normal = jnp.where(is_subnormal, bits.astype(values.dtype) * sign, values)
    power = jnp.where(is_subnormal, smallest_exponent, 0)
    largest_normal = jnp.where(
        largest_is_subnormal, largest.astype(values.dtype), _as_float(largest)
    )
    # The exponent is the field of bits above those of the digits, less its offset.
    exponent = (
        (magnitude_bits(largest_normal) >> info.nmant)
        - (info.maxexp - 1)
        + jnp.where(largest_is_subnormal, smallest_exponent, 0)
    )
    return times_power_of_two(normal, power - exponent), exponent


def times_power_of_two(
    values: Float[Array, "*shape"], exponent: Int[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """``values * 2^exponent``, also where ``2^exponent`` is outside of the dtype's range."""
    info = jnp.finfo(values.dtype)
    for _ in range(3):
        part = jnp.clip(exponent, info.minexp, info.maxexp - 1)
        values = values * _as_float(
            (part + info.maxexp - 1).astype(magnitude_bits(values).dtype) << info.nmant
        )
        exponent = exponent - part
    return values


def _float_dtype(bits: Int[Array, "*shape"]) -> jnp.dtype:
    return jnp.dtype(jnp.float64 if bits.dtype == jnp.int64 else jnp.float32)


def _as_float(bits: Int[Array, "*shape"]) -> Float[Array, "*shape"]:
    return lax.bitcast_convert_type(bits, _float_dtype(bits))


def weighted_threshold(
    values: Float[Array, "*shape"], weights: Float[Array, "*shape"], budget: Float[Array, ""]
) -> Float[Array, ""]:
    """The smallest threshold with at most ``budget`` of weight strictly above it.

    It is found without sorting.

    Args:
        values: non-negative float32 or float64 numbers.
        weights: non-negative, one for each value.
        budget: at least 0.

    Returns:
        ``min {t >= 0 : sum(weights[values > t]) <= budget}``, which is 0 or one of the values. With
        unit weights and budget ``d - 1 - j`` it is the order statistic of ascending index ``j``.
    """
    return _as_float(threshold_of_bits(magnitude_bits(values), weights, budget))


def threshold_of_bits(
    bits: Int[Array, "*shape"], weights: Float[Array, "*shape"], budget: Float[Array, ""]
) -> Int[Array, ""]:
    """``weighted_threshold`` of the values with these bits, as bits.

    31 steps of bisection find it exactly.

    Args:
        bits: from ``magnitude_bits``.
        weights, budget: as in ``weighted_threshold``.
    """

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = low + (high - low) // 2
        fits = accurate_sum(jnp.where(bits > middle, weights, 0)) <= budget
        return jnp.where(fits, low, middle + 1), jnp.where(fits, middle, high)

    num_halvings = 8 * bits.dtype.itemsize - 1
    kind = jax.typeof(bits.max() * weights.sum() * budget)
    return lax.fori_loop(
        0, num_halvings, halve, varying_like((jnp.zeros((), bits.dtype), bits.max()), kind)
    )[0]


def order_statistic(values: Float[Array, "*shape"], index: Array) -> Float[Array, ""]:
    """The value of ascending rank ``index`` (0 is the smallest) of non-negative ``values``.

    Args:
        values: non-negative numbers.
        index: integer in [0, size - 1]; may be traced.
    """
    budget = (values.size - 1 - index).astype(values.dtype)
    return weighted_threshold(values, jnp.ones_like(values), budget)
