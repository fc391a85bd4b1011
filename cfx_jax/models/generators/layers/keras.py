"""Layers with the defaults of Keras, in which the generators were published.

They have Glorot-uniform weights, a bias that starts at zero, and zero padding that keeps the size
of the maps ("same").
"""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from cfx_jax.models.layers import promote_dtype, widest


def glorot_uniform(
    key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
) -> Array:
    """Draws initial weights uniformly within the root of ``6 / (fan_in + fan_out)``.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward
    neural networks", equation 16.

    Args:
        key: source of randomness.
        shape: the kernel's, with input and output channels last.
        dtype: the number type of the weights.

    Returns:
        An array of that shape; the fans are the kernel's area times its channels.
    """
    area = math.prod(shape[:-2])
    bound = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    # Drawn flat: JAX compiles that three times faster than the same draw in four dimensions.
    return jax.random.uniform(key, (math.prod(shape),), dtype, minval=-bound, maxval=bound).reshape(
        shape
    )


def same_convolution(
    in_channels: int, out_channels: int, *, stride: int = 1, last: bool = False, rngs: nnx.Rngs
) -> nnx.Conv:
    """Makes a 3x3 convolution with bias and Keras' padding.

    With stride 2 even maps are padded at their end alone.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        stride: step of the kernel, in pixels.
        last: whether it is a network's last layer, which computes in the type of its weights.
        rngs: source of the initial weights.

    Returns:
        The layer, (b, h, w, in_channels) -> (b, ceil(h / stride), ceil(w / stride), out_channels).
    """
    return nnx.Conv(
        in_channels,
        out_channels,
        kernel_size=(3, 3),
        strides=(stride, stride),
        padding="SAME",
        kernel_init=glorot_uniform,
        promote_dtype=widest if last else promote_dtype,
        rngs=rngs,
    )


def dense(in_channels: int, out_channels: int, *, last: bool = False, rngs: nnx.Rngs) -> nnx.Linear:
    """Makes a linear layer with bias, over the last axis; on maps it is a 1x1 convolution.

    Args:
        in_channels: size of the last axis of its input.
        out_channels: size of the last axis of its output.
        last: whether it is a network's last layer, which computes in the type of its weights.
        rngs: source of the initial weights.

    Returns:
        The layer, (..., in_channels) -> (..., out_channels).
    """
    return nnx.Linear(
        in_channels,
        out_channels,
        kernel_init=glorot_uniform,
        promote_dtype=widest if last else promote_dtype,
        rngs=rngs,
    )


class Affine(nnx.Module):
    """A learned scale and shift for each channel, ``scale * x + bias``, at first the identity.

    The layer has no statistics.

    Args:
        channels: size of the last axis.
        rngs: not used, since nothing is random; here as in the batch norm whose place the layer
            takes.
    """

    def __init__(self, channels: int, *, rngs: nnx.Rngs) -> None:
        del rngs
        self.dtype: DTypeLike | None = None
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        """Maps any shape with the channels last to the same shape."""
        x, scale, bias = promote_dtype((x, self.scale[...], self.bias[...]), dtype=self.dtype)
        return scale * x + bias
