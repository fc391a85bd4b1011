"""The guided ReLU of guided backpropagation (Springenberg et al. 2015, "Striving for Simplicity").

Forward it is the ordinary ReLU. Backward it passes the signal R back as R * 1[x > 0] * 1[R > 0], so
that only units that were active and that raise the explained score take part.
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


def unit_clip(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Clips to [0, 1]; the derivative outside is 0."""
    return jnp.clip(x, 0, 1)


@jax.custom_vjp
def unit_clip_leading_back(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Clips to [0, 1] and lets through the gradients that lead back there, as projected gradient
    descent would.

    Plain clipping tells a generator nothing about the pixels that it draws outside, so one that
    starts with all of them there never learns. Reverse mode only.

    Args:
        x: any shape.

    Returns:
        The clipped values. A gradient whose descent moves a value below 0 up, or one above 1 down,
        passes; one that moves it further away does not.
    """
    return unit_clip(x)


def _clip_forward(x: Float[Array, "*b"]) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    return unit_clip(x), x


def _clip_backward(x: Float[Array, "*b"], signal: Float[Array, "*b"]) -> tuple[Float[Array, "*b"]]:
    leads_away = ((x < 0) & (signal > 0)) | ((x > 1) & (signal < 0))
    return (jnp.where(leads_away, 0, signal),)


unit_clip_leading_back.defvjp(_clip_forward, _clip_backward)
