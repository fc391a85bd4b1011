"""Residual networks, ResNet-18, 34 and 50 of version 1.5 and a small one.

He et al. 2016, "Deep Residual Learning for Image Recognition".

ResNet-18, 34 and 50 have the published layers, parameter counts and PyTorch's padding, so PyTorch's
weights give the same logits. Convolutions start from He's normal distribution (fan out), the last
layer from PyTorch's uniform one with zero bias. Deviation: the normalisation of images with
``mean`` and ``std`` is part of the model.
"""

from collections.abc import Sequence
from typing import Literal

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.models.layers import (
    Activation,
    BasicBlock,
    BottleneckBlock,
    ImagenetStem,
    PatchStem,
    PerChannel,
    channel_statistics,
    last_layer,
    normalise,
)
from cfx_jax.models.layers.checks import check_sizes

_IN_CHANNELS = 3

_BLOCKS: dict[str, type[BasicBlock] | type[BottleneckBlock]] = {
    "basic": BasicBlock,
    "bottleneck": BottleneckBlock,
}
_STEMS: dict[str, type[ImagenetStem] | type[PatchStem]] = {
    "imagenet": ImagenetStem,
    "patch": PatchStem,
}

_PUBLISHED_WIDTHS = (64, 128, 256, 512)


class ResNet(nnx.Module):
    """A residual classifier of batches of images.

    Args:
        block: ``"basic"`` (two 3x3 convolutions) or ``"bottleneck"`` (1x1, 3x3, 1x1 with fourfold
            output).
        stage_sizes: blocks of each stage. Stages after the first begin by halving the maps.
        widths: channels of each stage's 3x3 convolutions, one per stage; the stem has the first
            stage's.
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        stem: ``"imagenet"`` (7x7 with stride 2, max pooling) or ``"patch"`` (4x4 with stride 4).
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.

    Raises:
        InputError: an unknown ``block`` or ``stem``, lengths that do not match, or numbers out of
            range.
    """

    def __init__(
        self,
        *,
        block: Literal["basic", "bottleneck"],
        stage_sizes: Sequence[int],
        widths: Sequence[int],
        num_classes: int,
        in_channels: int = _IN_CHANNELS,
        stem: Literal["imagenet", "patch"] = "imagenet",
        mean: PerChannel = 0.0,
        std: PerChannel = 1.0,
        act: Activation = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(block, tuple(_BLOCKS), name="block")
        check_choice(stem, tuple(_STEMS), name="stem")
        check_sizes(stage_sizes, widths, num_classes, in_channels)
        self.mean, self.std = channel_statistics(mean, std, in_channels)
        self.stem = _STEMS[stem](in_channels, widths[0], act=act, rngs=rngs)
        channels, stages = widths[0], []
        for index, (size, width) in enumerate(zip(stage_sizes, widths, strict=True)):
            stages.append(
                _stage(
                    _BLOCKS[block],
                    size,
                    channels,
                    width,
                    stride=min(index, 1) + 1,
                    act=act,
                    rngs=rngs,
                )
            )
            channels = _BLOCKS[block].expansion * width
        self.stages = nnx.List(stages)
        self.head = last_layer(channels, num_classes, rngs=rngs)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b fh fw f"]:
        """Computes the last feature maps.

        Args:
            images: (b, h, w, in_channels) in [0, 1], at least 4x4 pixels.

        Returns:
            Maps (b, fh, fw, f) after the last stage, not negative where the activation is the ReLU.

        Raises:
            InputError: another shape, too few pixels, or integers.
        """
        x = self.stem(normalise(images, self.mean, self.std))
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return x

    def classify(self, features: Float[Array, "b fh fw f"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of feature maps by their means and a linear layer."""
        return self.head(features.mean(axis=(1, 2)))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of images: ``classify(features(images))``."""
        return self.classify(self.features(images))


def _stage(
    make_block: type[BasicBlock] | type[BottleneckBlock],
    size: int,
    in_channels: int,
    width: int,
    *,
    stride: int,
    act: Activation,
    rngs: nnx.Rngs,
) -> nnx.List:
    blocks: list[nnx.Module] = []
    for position in range(size):
        channels = in_channels if position == 0 else make_block.expansion * width
        blocks.append(
            make_block(channels, width, stride=stride if position == 0 else 1, act=act, rngs=rngs)
        )
    return nnx.List(blocks)


def resnet18(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> ResNet:
    """Makes ResNet-18: 11,689,512 parameters with 1000 classes.

    Arguments and errors as ``ResNet``.

    >>> model = nnx.eval_shape(lambda: resnet18(num_classes=2, rngs=nnx.Rngs(0)))  # shapes alone
    >>> model.head.kernel.shape
    (512, 2)
    """
    return ResNet(
        block="basic",
        stage_sizes=(2, 2, 2, 2),
        widths=_PUBLISHED_WIDTHS,
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def resnet34(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> ResNet:
    """Makes ResNet-34: 21,797,672 parameters with 1000 classes.

    Arguments and errors as ``ResNet``.

    >>> model = nnx.eval_shape(lambda: resnet34(num_classes=2, rngs=nnx.Rngs(0)))  # shapes alone
    >>> model.head.kernel.shape
    (512, 2)
    """
    return ResNet(
        block="basic",
        stage_sizes=(3, 4, 6, 3),
        widths=_PUBLISHED_WIDTHS,
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def resnet50(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> ResNet:
    """Makes ResNet-50: 25,557,032 parameters with 1000 classes.

    Arguments and errors as ``ResNet``.

    >>> model = nnx.eval_shape(lambda: resnet50(num_classes=2, rngs=nnx.Rngs(0)))  # shapes alone
    >>> model.head.kernel.shape
    (2048, 2)
    """
    return ResNet(
        block="bottleneck",
        stage_sizes=(3, 4, 6, 3),
        widths=_PUBLISHED_WIDTHS,
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def resnet_small(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> ResNet:
    """Makes a network of 0.53 million parameters for images of 32 to 128 pixels, quick on a CPU.

    The patch stem turns 64 pixels into 16x16 maps; two blocks work there, which small findings
    need, and one each on 8x8 and 4x4 maps, where width costs least.

    Arguments and errors as ``ResNet``.

    >>> import jax.numpy as jnp
    >>> model = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model(jnp.zeros((1, 32, 32, 3))), model).shape
    (1, 2)
    """
    return ResNet(
        block="basic",
        stage_sizes=(2, 1, 1),
        widths=(24, 64, 192),
        stem="patch",
        num_classes=num_classes,
        in_channels=in_channels,
        mean=mean,
        std=std,
        rngs=rngs,
    )
