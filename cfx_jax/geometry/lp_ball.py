"""Balls of an lp norm: projections, linear minimisation and random points, each in closed form.

The functions take the centred vector, a perturbation ``delta``. ``lp_ball_in_box`` holds the sets that images need,
where pixels are bounded too.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.geometry.exact import accurate_sum


def lp_norm(delta: Float[Array, "*shape"], p: float) -> Float[Array, ""]:
    """The lp norm over all entries, scaled by the largest so that no power overflows or underflows.

    Args:
        delta: any shape.
        p: at least 1, or infinity.
    """
    largest = jnp.abs(delta).max()
    if math.isinf(p):
        return largest
    scale = jnp.where(largest > 0, largest, 1)
    return largest * accurate_sum((jnp.abs(delta) / scale) ** p) ** (1 / p)


def project_l2(delta: Float[Array, "*shape"], radius: Float[Array, ""]) -> Float[Array, "*shape"]:
    """The nearest point of the l2 ball around 0: the vector itself inside, else shortened to the radius."""
    norm = lp_norm(delta, 2)
    return delta * jnp.where(norm > radius, radius / jnp.where(norm > 0, norm, 1), 1)


def project_linf(delta: Float[Array, "*shape"], radius: Float[Array, ""]) -> Float[Array, "*shape"]:
    """The nearest point of the linf ball around 0: each entry clipped."""
    return jnp.clip(delta, -radius, radius)


def unit_direction(gradient: Float[Array, "*shape"], p: float) -> Float[Array, "*shape"]:
    """The steepest ascent direction of unit lp norm, for p = 2 (the normalised gradient) or infinity (its sign).

    The gradient's scale does not matter: 1e-30 gives the same direction as 1. A zero gradient gives a zero direction.
    """
    if math.isinf(p):
        return jnp.sign(gradient)
    norm = lp_norm(gradient, 2)
    return gradient / jnp.where(norm > 0, norm, 1)


def sample_sphere(key: PRNGKeyArray, shape: tuple[int, ...], p: float, dtype: jnp.dtype) -> Float[Array, "*shape"]:
    """A random point of unit lp norm as APGD starts from it: p = 2 a normalised Gaussian, p = infinity a uniform cube
    stretched until one entry reaches the surface (the start of the released code of Boreiko et al. 2022)."""
    if math.isinf(p):
        point = jax.random.uniform(key, (math.prod(shape),), dtype, minval=-1, maxval=1).reshape(shape)
    else:
        point = sample_gaussian(key, shape, dtype)
    return point / lp_norm(point, p)


def sample_gaussian(key: PRNGKeyArray, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "*shape"]:
    """Independent standard normal entries, drawn flat: JAX compiles that several times faster than a draw in 3-D."""
    return jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)
