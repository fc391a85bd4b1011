"""Convolutions, batch norm and last layer of the networks.

They are laid out as in PyTorch, so that weights can be exchanged.

Padding is explicit and symmetric: JAX's ``"SAME"`` shifts the window by one pixel on even maps with
stride 2. A 1x1 convolution is a matrix product over channels, about twice as fast on a CPU and the
same numbers.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from cfx_jax.models.layers.checks import check_rngs
from cfx_jax.models.layers.compute_dtype import widest
from cfx_jax.models.layers.small_maps import convolve

Activation = Callable[[jax.Array], jax.Array]
"""An elementwise non-linearity; a named function, since an inline lambda would retrace once per
model.
"""

Norm = Callable[..., nnx.Module]
"""Makes the norm of a number of channels: ``norm(channels, rngs=rngs)``."""

# PyTorch's initial weights of a linear layer: uniform with bound 1 / sqrt(fan_in).
_LINEAR_INIT = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def he_fan_out(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Draws initial weights from N(0, 2 / fan_out).

    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 14.

    Args:
        key: source of randomness.
        shape: the kernel's, with input and output channels last.
        dtype: the number type of the weights.

    Returns:
        An array of that shape; its fan out is the kernel's area times the output channels.
    """
    size = math.prod(shape)
    # Drawn flat: JAX compiles that three times faster than the same draw in four dimensions.
    return math.sqrt(2 * shape[-2] / size) * jax.random.normal(key, (size,), dtype).reshape(shape)


def convolution(
    in_channels: int, out_channels: int, *, size: int, stride: int = 1, rngs: nnx.Rngs
) -> nnx.Conv:
    """Makes a bias-free square convolution with padding (size - 1) // 2 on each side.

    Small maps are convolved as ``small_maps`` says.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        size: odd side of the kernel, in pixels.
        stride: step of the kernel, in pixels.
        rngs: source of the initial weights.

    Returns:
        The layer, (b, h, w, in_channels) -> (b, ceil(h / stride), ceil(w / stride), out_channels).
    """
    check_rngs(rngs)
    pad = (size - 1) // 2
    return nnx.Conv(
        in_channels,
        out_channels,
        kernel_size=(size, size),
        strides=(stride, stride),
        padding=[(pad, pad), (pad, pad)],
        use_bias=False,
        kernel_init=he_fan_out,
        conv_general_dilated=convolve,
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


def batch_norm(
    channels: int, *, momentum: float = 0.9, epsilon: float = 1e-5, rngs: nnx.Rngs
) -> nnx.BatchNorm:
    """Makes a batch norm; the defaults come from the published residual networks.

    Args:
        channels: size of the last axis.
        momentum: share of its value that a running average keeps in a step, in [0, 1).
        epsilon: added to the variance.
        rngs: required by the layer, though scale 1 and bias 0 are not random.

    Returns:
        The layer, in training mode as all new NNX layers are.
    """
    return nnx.BatchNorm(channels, momentum=momentum, epsilon=epsilon, rngs=rngs)


def last_layer(channels: int, num_classes: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """Makes the linear layer of the logits.

    Its weights start from PyTorch's uniform distribution, its bias from zero. It computes in the
    type of its weights, also where the network computes in bfloat16.

    Args:
        channels: size of the last axis of its input.
        num_classes: number of logits.
        rngs: source of the initial weights.

    Returns:
        The layer, (..., channels) -> (..., num_classes).
    """
    return nnx.Linear(
        channels, num_classes, kernel_init=_LINEAR_INIT, promote_dtype=widest, rngs=rngs
    )


class NormalisedPointwise(nnx.Module):
    """A 1x1 convolution and batch norm."""

    def __init__(
        self, in_channels: int, out_channels: int, *, norm: Norm = batch_norm, rngs: nnx.Rngs
    ) -> None:
        self.linear = pointwise(in_channels, out_channels, rngs=rngs)
        self.norm = norm(out_channels, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Maps (b, h, w, in_channels) to (b, h, w, out_channels)."""
        return self.norm(self.linear(x))


class Shortcut(nnx.Module):
    """The projection of a block's input: stride, 1x1 convolution and batch norm.

    The stride takes every stride-th pixel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        norm: Norm = batch_norm,
        rngs: nnx.Rngs,
    ) -> None:
        self.stride = stride
        self.linear = pointwise(in_channels, out_channels, rngs=rngs)
        self.norm = norm(out_channels, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Projects maps of shape (b, h, w, c) to the shape of the block's output."""
        return self.norm(self.linear(x[:, :: self.stride, :: self.stride]))
