"""Boxes: every pixel between its own bounds."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, PRNGKeyArray

from cfx_jax.checks import check_array
from cfx_jax.errors import InputError
from cfx_jax.geometry.constraint_set import ConstraintSet


def box(lower: Float[Array, "*shape"], upper: Float[Array, "*shape"]) -> ConstraintSet:
    """The images with ``lower <= image <= upper``.

    Args:
        lower: smallest values, an image.
        upper: largest values, an image of the same shape.

    Returns:
        The set, with its midpoint as centre, p = infinity and half its widest side as radius. A
        random start is uniform in the box.

    Raises:
        InputError: the bounds are no arrays, or differ in shape.

    Example:
        >>> unit = box(jnp.zeros((1, 2, 1)), jnp.ones((1, 2, 1)))
        >>> unit.project(jnp.array([[-0.5, 0.25]])[..., None])[..., 0].tolist()
        [[0.0, 0.25]]
    """
    check_array(lower, name="lower")
    check_array(upper, name="upper")
    if jnp.shape(lower) != jnp.shape(upper):
        raise InputError(
            f"box: expected bounds of one shape, got {jnp.shape(lower)} and {jnp.shape(upper)}"
        )
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)

    def linear_minimiser(gradient: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        center = (lower + upper) / 2
        return jnp.where(gradient > 0, lower, jnp.where(gradient < 0, upper, center))

    def sample(key: PRNGKeyArray) -> Float[Array, "*shape"]:
        return jax.random.uniform(key, lower.shape, lower.dtype, minval=lower, maxval=upper)

    return ConstraintSet(
        project=lambda point: jnp.clip(point, lower, upper),
        linear_minimiser=linear_minimiser,
        sample=sample,
        center=(lower + upper) / 2,
        radius=((upper - lower) / 2).max(),
        p=float("inf"),
    )
