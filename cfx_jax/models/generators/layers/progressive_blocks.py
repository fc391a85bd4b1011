"""The residual blocks of progressive exaggeration's networks.

Singla et al. 2020; layers as released: of the generator, with conditional batch norm, and of the
discriminator, with spectral norm.

In the discriminator's shortcuts the released code takes the mean over 2x2 pixels after the 1x1
convolution; the two commute, and the mean comes first here, which costs a quarter.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import jax
from flax import nnx
from jaxtyping import Array, Float, Int

from cfx_jax.models.generators.layers.conditional_norm import ConditionalBatchNorm
from cfx_jax.models.generators.layers.keras import dense, same_convolution
from cfx_jax.models.generators.layers.spectral_norm import SpectralConvolution, SpectralLinear
from cfx_jax.models.layers import Block


class ConditionalNorm(Protocol):
    """Makes the conditional batch norm of a number of channels: ``norm(channels, rngs=rngs)``."""

    def __call__(self, channels: int, *, rngs: nnx.Rngs) -> ConditionalBatchNorm:
        """Makes the layer, in training mode."""


def mean_halve(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Takes the mean over disjoint 2x2 windows; height and width must be even."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


class ConditionalBlock(Block):
    """A residual block of the generator, with a resizing and conditional norms.

    The branch is norm, ReLU, resizing, 3x3 convolution, norm, ReLU, 3x3 convolution. The shortcut
    is the input, resized and by a 1x1 convolution.

    Args:
        in_channels: the number of channels of the input maps.
        width: channels of the output maps.
        resize: ``mean_halve``, or ``double``, by the nearest pixel.
        norm: makes the conditional norms.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        resize: Callable[[jax.Array], jax.Array],
        norm: ConditionalNorm,
        rngs: nnx.Rngs,
    ) -> None:
        self.resize = resize
        self.norm1, self.norm2 = norm(in_channels, rngs=rngs), norm(width, rngs=rngs)
        self.conv1 = same_convolution(in_channels, width, rngs=rngs)
        self.conv2 = same_convolution(width, width, rngs=rngs)
        self.shortcut = dense(in_channels, width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b h w c"], condition: Int[Array, " b"]
    ) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h / 2, w / 2, width) or (b, 2 h, 2 w, width)."""
        y = self.conv1(self.resize(nnx.relu(self.norm1(x, condition))))
        y = self.conv2(nnx.relu(self.norm2(y, condition)))
        return y + self.shortcut(self.resize(x))


def conditional_blocks(
    widths: Sequence[int],
    *,
    resize: Callable[[jax.Array], jax.Array],
    norm: ConditionalNorm,
    rngs: nnx.Rngs,
) -> nnx.List:
    """Makes a row of conditional blocks.

    Args:
        widths: channels before the first block, and after each.
        resize, norm, rngs: as of ``ConditionalBlock``.
    """
    return nnx.List(
        [ConditionalBlock(a, b, resize=resize, norm=norm, rngs=rngs) for a, b in pairwise(widths)]
    )


class SpectralBlock(Block):
    """A residual block of the discriminator that halves the maps.

    The branch is ReLU, 3x3 convolution, ReLU, 3x3 convolution and means over 2x2 pixels. The
    shortcut is the input, by such means and a 1x1 convolution.

    Args:
        in_channels: the number of channels of the input maps.
        width: channels of the output maps.
        first: whether it is the network's first, on images, with no leading ReLU.
        rngs: source of the initial weights and of the vectors of spectral norm.
    """

    def __init__(self, in_channels: int, width: int, *, first: bool, rngs: nnx.Rngs) -> None:
        self.first = first
        self.conv1 = SpectralConvolution(in_channels, width, rngs=rngs)
        self.conv2 = SpectralConvolution(width, width, rngs=rngs)
        self.shortcut = SpectralLinear(in_channels, width, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h / 2, w / 2, width)."""
        y = self.conv1(x if self.first else nnx.relu(x))
        return mean_halve(self.conv2(nnx.relu(y))) + self.shortcut(mean_halve(x))


class SpectralIdentityBlock(Block):
    """A residual block of the discriminator that keeps the size and channels of the maps.

    The branch is ReLU, 3x3 convolution, ReLU, 3x3 convolution; the shortcut is the input.
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.conv1, self.conv2 = (SpectralConvolution(width, width, rngs=rngs) for _ in range(2))

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Maps (b, h, w, width) to the same shape."""
        return x + self.conv2(nnx.relu(self.conv1(nnx.relu(x))))
