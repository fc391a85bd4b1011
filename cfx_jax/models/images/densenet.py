"""Densely connected networks, DenseNet-121 and a small one.

Huang et al. 2017, "Densely Connected Convolutional Networks". DenseNet-121 has the published
layers, PyTorch's padding and parameter count, so PyTorch's weights give the same logits; it is also
the classifier that Singla et al. 2020 explain.

Deviations:

- Convolutions start from He's normal distribution (fan out), as the other networks here, where the
  authors' start from a truncated one of deviation 0.02.
- There is no dropout, which their code writes but never applies.
- The normalisation of images with ``mean`` and ``std`` is part of the model.
"""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.layers import (
    Activation,
    Block,
    ImagenetStem,
    PatchStem,
    PerChannel,
    batch_norm,
    channel_statistics,
    convolution,
    last_layer,
    normalise,
    pointwise,
)
from cfx_jax.models.layers.checks import check_all_numbers, check_numbers

_IN_CHANNELS = 3

_STEMS: dict[str, type[ImagenetStem] | type[PatchStem]] = {
    "imagenet": ImagenetStem,
    "patch": PatchStem,
}
_BOTTLENECK = 4
"""Channels between the two convolutions of a layer, in units of the growth."""


class DenseNet(nnx.Module):
    """A classifier of batches of images, whose layers each read all earlier layers of their block.

    Args:
        block_sizes: layers of each dense block. Between blocks a transition halves the channels and
            the maps.
        growth: channels that each layer adds.
        stem_width: channels of the first layer.
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        stem: ``"imagenet"`` (7x7 with stride 2, max pooling) or ``"patch"`` (4x4 with stride 4).
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.

    Raises:
        InputError: an unknown ``stem``, no block, or numbers out of range.
    """

    def __init__(
        self,
        *,
        block_sizes: Sequence[int],
        growth: int,
        stem_width: int,
        num_classes: int,
        in_channels: int = _IN_CHANNELS,
        stem: Literal["imagenet", "patch"] = "imagenet",
        mean: PerChannel = 0.0,
        std: PerChannel = 1.0,
        act: Activation = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(stem, tuple(_STEMS), name="stem")
        if not block_sizes:
            raise InputError("block_sizes: expected at least one dense block, got none")
        check_all_numbers({"block_sizes": block_sizes})
        sizes = {"growth": growth, "stem_width": stem_width}
        check_numbers(sizes | {"num_classes": num_classes, "in_channels": in_channels})
        self.mean, self.std = channel_statistics(mean, std, in_channels)
        self.act = act
        self.stem = _STEMS[stem](in_channels, stem_width, act=act, rngs=rngs)
        blocks: list[nnx.List] = []
        transitions: list[Transition] = []
        channels = stem_width
        for size in block_sizes:
            if blocks:
                transitions.append(Transition(channels, act=act, rngs=rngs))
                channels //= 2
            inputs = [channels + position * growth for position in range(size)]
            blocks.append(
                nnx.List([DenseLayer(width, growth, act=act, rngs=rngs) for width in inputs])
            )
            channels += size * growth
        self.blocks, self.transitions = nnx.List(blocks), nnx.List(transitions)
        self.norm = batch_norm(channels, rngs=rngs)
        self.head = last_layer(channels, num_classes, rngs=rngs)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b fh fw f"]:
        """Computes the last feature maps.

        Args:
            images: (b, h, w, in_channels) in [0, 1], large enough for every transition: four pixels
                a side, doubled by each block but the first.

        Returns:
            Maps (b, fh, fw, f) after the last norm and activation.

        Raises:
            InputError: another shape, too few pixels, or integers.
        """
        x = self.stem(normalise(images, self.mean, self.std))
        halvings = len(self.transitions)
        if min(x.shape[1:3]) < 2**halvings:
            raise InputError(
                f"images: expected at least {4 * 2**halvings} pixels a side for {halvings + 1}"
                f" dense blocks, got {images.shape[1]}x{images.shape[2]}: enlarge them, or use"
                " fewer blocks"
            )
        for index, block in enumerate(self.blocks):
            if index:
                x = self.transitions[index - 1](x)
            for layer in block:
                x = jnp.concatenate([x, layer(x)], axis=-1)
        return self.act(self.norm(x))

    def classify(self, features: Float[Array, "b fh fw f"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of feature maps by their means and a linear layer."""
        return self.head(features.mean(axis=(1, 2)))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of images: ``classify(features(images))``."""
        return self.classify(self.features(images))


class DenseLayer(Block):
    """A 1x1 and a 3x3 convolution, each after batch norm and activation.

    The 1x1 convolution gives four times the growth as channels, the 3x3 convolution the growth.
    """

    def __init__(self, in_channels: int, growth: int, *, act: Activation, rngs: nnx.Rngs) -> None:
        self.act = act
        self.norm1 = batch_norm(in_channels, rngs=rngs)
        self.conv1 = pointwise(in_channels, _BOTTLENECK * growth, rngs=rngs)
        self.norm2 = batch_norm(_BOTTLENECK * growth, rngs=rngs)
        self.conv2 = convolution(_BOTTLENECK * growth, growth, size=3, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Maps (b, h, w, in_channels) to (b, h, w, growth)."""
        y = self.conv1(self.act(self.norm1(x)))
        return self.conv2(self.act(self.norm2(y)))


class Transition(Block):
    """Norm, activation, 1x1 convolution to half of the channels, and means over 2x2 pixels."""

    def __init__(self, in_channels: int, *, act: Activation, rngs: nnx.Rngs) -> None:
        self.act = act
        self.norm = batch_norm(in_channels, rngs=rngs)
        self.conv = pointwise(in_channels, in_channels // 2, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h // 2, w // 2, in_channels // 2).

        An odd side loses its last pixel.
        """
        # The 1x1 convolution and the mean commute; on the smaller maps it costs a quarter.
        return self.conv(nnx.avg_pool(self.act(self.norm(x)), (2, 2), strides=(2, 2)))


def densenet121(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> DenseNet:
    """Makes DenseNet-121: 7,978,856 parameters with 1000 classes, 6,955,906 with two.

    Arguments and errors as ``DenseNet``.

    >>> model = nnx.eval_shape(lambda: densenet121(num_classes=2, rngs=nnx.Rngs(0)))  # shapes alone
    >>> model.head.kernel.shape
    (1024, 2)
    """
    return DenseNet(
        block_sizes=(6, 12, 24, 16),
        growth=32,
        stem_width=64,
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def densenet_small(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> DenseNet:
    """Makes a network of 0.27 million parameters for images of 32 to 128 pixels.

    The patch stem turns 64 pixels into 16x16 maps, on which the first of three blocks works.

    Arguments and errors as ``DenseNet``.

    >>> nnx.eval_shape(lambda: densenet_small(num_classes=2, rngs=nnx.Rngs(0))).head.kernel.shape
    (156, 2)
    """
    return DenseNet(
        block_sizes=(2, 3, 4),
        growth=24,
        stem_width=48,
        stem="patch",
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )
