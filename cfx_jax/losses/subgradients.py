"""Functions with a kink at 0, where their derivative is taken as 0: what is equal is not moved."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def safe_abs(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Computes the absolute value, with derivative 0 at 0 (``jnp.abs`` has 1).

    Args:
        x: any shape.

    Returns:
        The magnitudes, same shape.
    """
    return jnp.maximum(x, -x)


def safe_sqrt(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Computes the square root, with derivative 0 at 0, where the root's own is infinite.

    So the norm of a zero vector has gradient 0, one of its subgradients, rather than NaN.

    Args:
        x: values of at least 0, any shape.

    Returns:
        The roots, same shape.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)
