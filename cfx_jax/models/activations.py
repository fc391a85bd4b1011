"""The guided ReLU of guided backpropagation (Springenberg et al. 2015, "Striving for Simplicity").

Forward it is the ordinary ReLU. Backward it passes the signal R back as R * 1[x > 0] * 1[R > 0], so that only
units that were active and that raise the explained score take part.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def guided_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rectifies, and sends back only positive signals through active units.

    It has no forward-mode derivative: use ``jax.grad`` or ``jax.vjp``, not ``jax.jvp``.

    Args:
        x: pre-activations, any shape.

    Returns:
        max(x, 0), same shape and dtype.
    """
    return jnp.maximum(x, 0)


def _forward(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    return guided_relu(x), x


def _backward(x: Float[Array, "..."], signal: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    return (jnp.where((x > 0) & (signal > 0), signal, jnp.zeros_like(signal)),)


guided_relu.defvjp(_forward, _backward)
