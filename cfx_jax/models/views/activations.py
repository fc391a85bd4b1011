"""Elementwise non-linearities, some of them with a derivative of their own.

The guided ReLU comes from guided backpropagation (Springenberg et al. 2015, "Striving for
Simplicity"). Forward it is the ordinary ReLU. Backward it passes the signal R back as R * 1[x > 0]
* 1[R > 0], so that only units that were active and that raise the explained score take part.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def guided_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rectifies values, and sends back only positive signals through active units.

    It has no forward-mode derivative: use ``jax.grad`` or ``jax.vjp``, not ``jax.jvp``.

    Args:
        x: pre-activations, any shape.

    Returns:
        max(x, 0), same shape and dtype.

    >>> _, pull_back = jax.vjp(guided_relu, jnp.array([2.0, 2.0, -1.0]))
    >>> pull_back(jnp.array([1.0, -1.0, 1.0]))[0].tolist()
    [1.0, 0.0, 0.0]
    """
    return jnp.maximum(x, 0)


def _forward(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    return guided_relu(x), x


def _backward(x: Float[Array, "..."], signal: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    return (jnp.where((x > 0) & (signal > 0), signal, jnp.zeros_like(signal)),)


guided_relu.defvjp(_forward, _backward)


def leaky_relu(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Computes the leaky ReLU with Keras' slope of 0.3 below 0; JAX's own is 0.01.

    >>> leaky_relu(jnp.array([-1.0, 2.0])).round(3).tolist()
    [-0.30000001192092896, 2.0]
    """
    return jax.nn.leaky_relu(x, negative_slope=0.3)


def unit_clip(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Clips values to [0, 1]; the derivative outside is 0.

    >>> unit_clip(jnp.array([-0.5, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return jnp.clip(x, 0, 1)


@jax.custom_vjp
def unit_clip_leading_back(x: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Clips values to [0, 1], with a gradient that leads values outside back inside.

    Gradients that lead back pass, as in projected gradient descent. Plain clipping tells a
    generator nothing about the pixels that it draws outside, so one that starts with all of them
    there never learns. Reverse mode only.

    Args:
        x: any shape.

    Returns:
        The clipped values. A gradient whose descent moves a value below 0 up, or one above 1 down,
        passes; one that moves it further away does not.

    >>> jax.grad(lambda x: unit_clip_leading_back(x).sum())(jnp.array([2.0, -1.0])).tolist()
    [1.0, 0.0]
    """
    return unit_clip(x)


def _clip_forward(x: Float[Array, "*b"]) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    return unit_clip(x), x


def _clip_backward(x: Float[Array, "*b"], signal: Float[Array, "*b"]) -> tuple[Float[Array, "*b"]]:
    leads_away = ((x < 0) & (signal > 0)) | ((x > 1) & (signal < 0))
    return (jnp.where(leads_away, 0, signal),)


unit_clip_leading_back.defvjp(_clip_forward, _clip_backward)
