"""The two residual blocks of He et al. 2016 ("Deep Residual Learning", figure 5), version 1.5.

Version 1.5 puts a bottleneck's stride into its 3x3 convolution rather than into the first 1x1, as
PyTorch and timm do. The activation is the attribute ``act``, so that ``models.guided`` can replace
it.
"""

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers.block import Block
from cfx_jax.models.layers.convolution import (
    Activation,
    Norm,
    Shortcut,
    batch_norm,
    convolution,
    pointwise,
)


def _shortcut(
    in_channels: int, out_channels: int, stride: int, rngs: nnx.Rngs, norm: Norm = batch_norm
) -> Shortcut | None:
    """Makes the projection of a block's input, where the block changes its shape; else None."""
    if stride == 1 and in_channels == out_channels:
        return None
    return Shortcut(in_channels, out_channels, stride=stride, norm=norm, rngs=rngs)


class BasicBlock(Block):
    """Two 3x3 convolutions and a shortcut: act(norm(conv(act(norm(conv(x))))) + x)."""

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int,
        act: Activation,
        norm: Norm = batch_norm,
        rngs: nnx.Rngs,
    ) -> None:
        self.act = act
        self.conv1 = convolution(in_channels, width, size=3, stride=stride, rngs=rngs)
        self.norm1 = norm(width, rngs=rngs)
        self.conv2 = convolution(width, width, size=3, rngs=rngs)
        self.norm2 = norm(width, rngs=rngs)
        self.shortcut = nnx.data(_shortcut(in_channels, width, stride, rngs, norm))

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, ceil(h / stride), ceil(w / stride), width)."""
        y = self.act(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return self.act(y + (x if self.shortcut is None else self.shortcut(x)))


class BottleneckBlock(Block):
    """1x1 to ``width`` channels, 3x3 (with the stride), 1x1 to 4 * ``width``, and a shortcut."""

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, *, stride: int, act: Activation, rngs: nnx.Rngs
    ) -> None:
        self.act = act
        self.conv1 = pointwise(in_channels, width, rngs=rngs)
        self.norm1 = batch_norm(width, rngs=rngs)
        self.conv2 = convolution(width, width, size=3, stride=stride, rngs=rngs)
        self.norm2 = batch_norm(width, rngs=rngs)
        self.conv3 = pointwise(width, self.expansion * width, rngs=rngs)
        self.norm3 = batch_norm(self.expansion * width, rngs=rngs)
        self.shortcut = nnx.data(_shortcut(in_channels, self.expansion * width, stride, rngs))

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, ceil(h / stride), ceil(w / stride), 4 * width)."""
        y = self.act(self.norm1(self.conv1(x)))
        y = self.act(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return self.act(y + (x if self.shortcut is None else self.shortcut(x)))
