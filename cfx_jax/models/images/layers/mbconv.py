"""The block of EfficientNets: an inverted bottleneck with squeeze and excitation.

Sources: Sandler et al. 2018, "MobileNetV2" (the block); Hu et al. 2018, "Squeeze-and-Excitation
Networks" (the gate); Huang et al. 2016, "Deep Networks with Stochastic Depth"; Tan and Le 2019,
"EfficientNet" (their combination). The activation is the attribute ``act``, so that
``models.guided`` can replace it.
"""

import jax
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers import (
    Activation,
    Block,
    DepthwiseConvolution,
    Norm,
    NormalisedPointwise,
    he_fan_out,
)


class SqueezeExcitation(nnx.Module):
    """A gate in (0, 1) for each channel, computed from the means of all channels over the map."""

    def __init__(self, channels: int, reduced: int, *, act: Activation, rngs: nnx.Rngs) -> None:
        self.act = act
        self.reduce = nnx.Linear(channels, reduced, kernel_init=he_fan_out, rngs=rngs)
        self.expand = nnx.Linear(reduced, channels, kernel_init=he_fan_out, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Maps (b, h, w, channels) to the same shape."""
        means = x.mean(axis=(1, 2), keepdims=True)
        return x * jax.nn.sigmoid(self.expand(self.act(self.reduce(means))))


class MBConv(Block):
    """An inverted bottleneck, with its input added where the shape stays.

    Its layers are a 1x1 convolution to ``expansion`` times the channels, a depthwise convolution,
    squeeze and excitation, and a 1x1 convolution to ``width`` channels.

    Args:
        in_channels: the number of channels of the input maps.
        width: channels of the output maps.
        expansion: factor of the inner channels; 1 leaves the first 1x1 convolution out.
        size: odd side of the depthwise kernel, in pixels.
        stride: step of the depthwise kernel, in pixels.
        drop_rate: share of the examples of a batch, in [0, 1), that in training skip the branch
            beside the sum.
        norm: makes the batch norms.
        act: elementwise activation, a named function.
        rngs: source of the initial weights, and of the examples that skip.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        expansion: int,
        size: int,
        stride: int,
        drop_rate: float,
        norm: Norm,
        act: Activation,
        rngs: nnx.Rngs,
    ) -> None:
        self.act = act
        inner = expansion * in_channels
        expand = (
            NormalisedPointwise(in_channels, inner, norm=norm, rngs=rngs) if expansion > 1 else None
        )
        self.expand = nnx.data(expand)
        self.depthwise = DepthwiseConvolution(inner, size=size, stride=stride, rngs=rngs)
        self.depthwise_norm = norm(inner, rngs=rngs)
        self.excitation = SqueezeExcitation(inner, max(1, in_channels // 4), act=act, rngs=rngs)
        self.project = NormalisedPointwise(inner, width, norm=norm, rngs=rngs)
        self.residual = stride == 1 and in_channels == width
        dropped = self.residual and drop_rate > 0
        self.drop = nnx.data(
            nnx.Dropout(drop_rate, broadcast_dims=(1, 2, 3), rngs=rngs) if dropped else None
        )

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, ceil(h / stride), ceil(w / stride), width)."""
        y = x if self.expand is None else self.act(self.expand(x))
        y = self.act(self.depthwise_norm(self.depthwise(y)))
        y = self.project(self.excitation(y))
        if not self.residual:
            return y
        return x + (y if self.drop is None else self.drop(y))
