"""Balls of an lp norm: projections for l2 and linf, linear minimisation, random points.

Each has a closed form. The functions take the centred vector, a perturbation ``delta``. Where
pixels are bounded too, and for the projection on an l1 ball, ``lp_ball_in_box`` makes the sets and
``bounded_magnitudes`` solves their problems.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import check_array, check_norm
from cfx_jax.geometry.exact import (
    accurate_sum,
    magnitude_bits,
    power,
    rescale,
    times_power_of_two,
)


def lp_norm(delta: Float[Array, "*shape"], p: float) -> Float[Array, ""]:
    """The lp norm over all entries.

    Entries are scaled by the largest first, so that no power overflows or underflows.

    Args:
        delta: any shape.
        p: at least 1, or infinity.

    Raises:
        InputError: no array, or no such p.

    Example:
        >>> change = jnp.array([3.0, -4.0])
        >>> float(lp_norm(change, 2)), float(lp_norm(change, jnp.inf))
        (5.0, 4.0)
    """
    check_array(delta, name="delta")
    check_norm(p)
    delta = at_least_float32(delta)
    if not delta.size:
        return jnp.zeros((), delta.dtype)
    if math.isinf(p):
        return jnp.abs(delta).max()
    scaled, exponent = rescale(delta)
    return times_power_of_two(_norm_near_1(scaled, p), exponent)


def _norm_near_1(scaled: Float[Array, "*shape"], p: float) -> Float[Array, ""]:
    """The lp norm of entries whose largest is in [1, 2), or of zeros."""
    largest = jnp.abs(scaled).max()
    return largest * accurate_sum(power(jnp.abs(scaled) / jnp.maximum(largest, 1), p)) ** (1 / p)


def project_l2(delta: Float[Array, "*shape"], radius: Float[Array, ""]) -> Float[Array, "*shape"]:
    """The nearest point of the l2 ball around 0, ``argmin_{||u||_2 <= radius} ||u - delta||_2``.

    Inside of the ball this is the vector itself, outside the vector shortened to the radius.
    """
    scaled, exponent = rescale(delta)
    norm = _norm_near_1(scaled, 2)
    shortened = scaled * (radius / jnp.maximum(norm, 1))
    return jnp.where(times_power_of_two(norm, exponent) > radius, shortened, delta)


def project_linf(delta: Float[Array, "*shape"], radius: Float[Array, ""]) -> Float[Array, "*shape"]:
    """The nearest point of the linf ball around 0, in which each entry is clipped."""
    return jnp.clip(delta, -radius, radius)


def unit_direction(gradient: Float[Array, "*shape"], p: float) -> Float[Array, "*shape"]:
    """The direction of steepest ascent, ``argmax_{||u||_p <= 1} <gradient, u>``, p = 2 or infinity.

    For p = 2 it is the normalised gradient, for infinity its sign.

    The gradient's scale does not matter: 1e-44 and 1e38 give the same direction as 1. A zero
    gradient gives a zero direction.
    """
    if math.isinf(p):
        return jnp.where(
            magnitude_bits(gradient) > 0, jnp.where(jnp.signbit(gradient), -1, 1), 0
        ).astype(gradient.dtype)
    scaled, _ = rescale(gradient)
    return scaled / jnp.maximum(_norm_near_1(scaled, 2), 1)


def sample_sphere(
    key: PRNGKeyArray, shape: tuple[int, ...], p: float, dtype: jnp.dtype
) -> Float[Array, "*shape"]:
    """A random point of unit lp norm, as APGD starts from it.

    For p = 2 it is a normalised Gaussian. For infinity it is uniform in a cube, stretched until one
    entry reaches the surface (the start of the released code of Boreiko et al. 2022).
    """
    if math.isinf(p):
        flat = jax.random.uniform(key, (math.prod(shape),), dtype, minval=-1, maxval=1)
        point = flat.reshape(shape)
    else:
        point = sample_gaussian(key, shape, dtype)
    return point / lp_norm(point, p)


def sample_gaussian(
    key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype
) -> Float[Array, "*shape"]:
    """Independent standard normal entries.

    They are drawn flat: JAX compiles that several times faster than a draw in 3-D.
    """
    return jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)
