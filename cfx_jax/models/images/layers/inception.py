"""The parts of Inception-v3: a convolution with norm and activation, and blocks of branches.

Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision". A block is
a table: each layer, by its name, says which earlier one it reads; what no layer reads is joined to
the output.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.models.layers import Activation, Block, batch_norm, he_fan_out, pointwise

INPUT = "input"
_EPSILON = 1e-3


class Unit(NamedTuple):
    """A convolution with batch norm and activation.

    Attributes:
        width: channels of its output.
        size: height and width of the kernel, odd, in pixels.
        stride: in a block, 1 with padding that keeps the size of the maps, or 2 with none.
        of: the layer that it reads; the block's input by default.
    """

    width: int
    size: tuple[int, int] = (1, 1)
    stride: int = 1
    of: str = INPUT


class Pool(NamedTuple):
    """A 3x3 pooling of the block's input.

    Attributes:
        kind: ``"mean"`` of nine pixels, zeros outside of the map; ``"inner_mean"`` of those inside
            of it; ``"max"``.
        stride: 1 with padding that keeps the size of the maps, or 2 with none.
    """

    kind: Literal["mean", "inner_mean", "max"]
    stride: int = 1


Table = Mapping[str, Unit | Pool]
"""The layers of a block in an order in which they can be computed."""


class ConvolutionUnit(Block):
    """A bias-free convolution, batch norm with epsilon 1e-3, and activation.

    Args:
        in_channels: the number of channels of the input maps.
        unit: width, size and stride.
        padded: whether the maps are padded by (size - 1) // 2 on each side, or not at all.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.
    """

    def __init__(
        self, in_channels: int, unit: Unit, *, padded: bool, act: Activation, rngs: nnx.Rngs
    ) -> None:
        self.act = act
        self.conv = _convolution(in_channels, unit, padded, rngs)
        self.norm = batch_norm(unit.width, epsilon=_EPSILON, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h2, w2, width)."""
        return self.act(self.norm(self.conv(x)))


def _convolution(
    in_channels: int, unit: Unit, padded: bool, rngs: nnx.Rngs
) -> nnx.Linear | nnx.Conv:
    if unit.size == (1, 1):
        return pointwise(in_channels, unit.width, rngs=rngs)
    return nnx.Conv(
        in_channels,
        unit.width,
        kernel_size=unit.size,
        strides=unit.stride,
        padding=[((side - 1) // 2,) * 2 for side in unit.size] if padded else "VALID",
        use_bias=False,
        kernel_init=he_fan_out,
        rngs=rngs,
    )


class InceptionBlock(nnx.Module):
    """Branches side by side, their maps joined along the channels in the order of the table.

    Args:
        in_channels: the number of channels of the input maps.
        table: the layers.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.
    """

    def __init__(self, in_channels: int, table: Table, *, act: Activation, rngs: nnx.Rngs) -> None:
        self.table = tuple(table.items())
        channels = {INPUT: in_channels}
        for name, layer in self.table:
            channels[name] = in_channels
            if isinstance(layer, Unit):
                unit = ConvolutionUnit(
                    channels[layer.of], layer, padded=layer.stride == 1, act=act, rngs=rngs
                )
                setattr(self, name, unit)
                channels[name] = layer.width
        read = {layer.of for _, layer in self.table if isinstance(layer, Unit)}
        self.outputs = tuple(name for name, _ in self.table if name not in read)
        self.out_channels = sum(channels[name] for name in self.outputs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h2, w2, out_channels)."""
        maps = {INPUT: x}
        for name, layer in self.table:
            maps[name] = (
                pooled(x, layer) if isinstance(layer, Pool) else getattr(self, name)(maps[layer.of])
            )
        return jnp.concatenate([maps[name] for name in self.outputs], axis=-1)


def pooled(x: Float[Array, "b h w c"], pool: Pool) -> Float[jax.Array, "b h2 w2 c"]:
    """Pools maps over 3x3 pixels.

    Args:
        x: maps (b, h, w, c), at least 3x3.
        pool: which one.

    Returns:
        (b, h, w, c) with stride 1, (b, (h - 1) // 2, (w - 1) // 2, c) with stride 2.
    """
    padding = ((1, 1), (1, 1)) if pool.stride == 1 else ((0, 0), (0, 0))
    if pool.kind == "max":
        return nnx.max_pool(x, (3, 3), strides=(pool.stride,) * 2, padding=padding)
    inside = pool.kind == "inner_mean"
    return nnx.avg_pool(
        x, (3, 3), strides=(pool.stride,) * 2, padding=padding, count_include_pad=not inside
    )
