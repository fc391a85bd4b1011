"""Convolutions and batch norm of residual networks, laid out as in PyTorch so that weights can be exchanged.

Padding is explicit and symmetric: JAX's ``"SAME"`` shifts the window by one pixel on even maps with stride 2.
A 1x1 convolution is a matrix product over channels, about twice as fast on a CPU and the same numbers.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

Activation = Callable[[jax.Array], jax.Array]
"""An elementwise non-linearity; a named function, since an inline lambda would retrace once per model."""


def he_fan_out(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Draws initial weights from N(0, 2 / fan_out).

    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 14.

    Args:
        key: source of randomness.
        shape: the kernel's, with input and output channels last.
        dtype: of the weights.

    Returns:
        An array of that shape; its fan out is the kernel's area times the output channels.
    """
    size = math.prod(shape)
    # Drawn flat: JAX compiles that three times faster than the same draw in four dimensions.
    return math.sqrt(2 * shape[-2] / size) * jax.random.normal(key, (size,), dtype).reshape(shape)


def convolution(in_channels: int, out_channels: int, *, size: int, stride: int = 1, rngs: nnx.Rngs) -> nnx.Conv:
    """Makes a bias-free square convolution with padding (size - 1) // 2 on each side.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        size: odd side of the kernel, in pixels.
        stride: step of the kernel, in pixels.
        rngs: source of the initial weights.

    Returns:
        The layer, (b, h, w, in_channels) -> (b, ceil(h / stride), ceil(w / stride), out_channels).
    """
    pad = (size - 1) // 2
    return nnx.Conv(
        in_channels,
        out_channels,
        kernel_size=(size, size),
        strides=(stride, stride),
        padding=[(pad, pad), (pad, pad)],
        use_bias=False,
        kernel_init=he_fan_out,
        rngs=rngs,
    )


def pointwise(in_channels: int, out_channels: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """Makes a bias-free 1x1 convolution, as a matrix product over the last axis.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        rngs: source of the initial weights.

    Returns:
        The layer, (..., in_channels) -> (..., out_channels).
    """
    return nnx.Linear(in_channels, out_channels, use_bias=False, kernel_init=he_fan_out, rngs=rngs)


def batch_norm(channels: int, *, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """Makes the batch norm of the published networks: running averages keep 0.9 a step, epsilon 1e-5.

    Args:
        channels: size of the last axis.
        rngs: required by the layer, though scale 1 and bias 0 are not random.

    Returns:
        The layer, in training mode as all new NNX layers are.
    """
    return nnx.BatchNorm(channels, momentum=0.9, epsilon=1e-5, rngs=rngs)


class Shortcut(nnx.Module):
    """The projection shortcut: take every stride-th pixel, then a 1x1 convolution and batch norm."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, rngs: nnx.Rngs) -> None:
        self.stride = stride
        self.linear = pointwise(in_channels, out_channels, rngs=rngs)
        self.norm = batch_norm(out_channels, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Projects maps of shape (b, h, w, c) to the shape of the block's output."""
        return self.norm(self.linear(x[:, :: self.stride, :: self.stride]))
