"""EfficientNets, B0 to B7 and a small one.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for CNNs". B0 to B7 have the published
layers, rounding rules and parameter counts; batch norm has epsilon 1e-3 and keeps 0.99 of its
averages a step, as in the authors' code; the rate of stochastic depth grows linearly from 0 at the
first block.

Deviations:

- Padding is symmetric, as in PyTorch's networks, where the authors' code pads even maps on one
  side.
- The last layer starts from PyTorch's uniform distribution.
- The normalisation of images with ``mean`` and ``std`` is part of the model.

Guided backpropagation is defined for the ReLU: ``models.guided`` puts the guided ReLU in the place
of the swish, which changes the logits too.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice, check_positive
from cfx_jax.errors import InputError
from cfx_jax.models.images.layers import MBConv
from cfx_jax.models.layers import (
    Activation,
    ConvolutionStem,
    NormalisedPointwise,
    PatchStem,
    PerChannel,
    batch_norm,
    channel_statistics,
    last_layer,
    normalise,
)
from cfx_jax.models.layers.checks import check_numbers, check_shares

_IN_CHANNELS = 3
_EPSILON = 1e-3
_EPSILON = 0.001


class Stage(NamedTuple):
    """Blocks in a row; the first has the stride and changes the channels.

    Attributes:
        expansion: factor of the channels inside of a block.
        size: odd side of the depthwise kernels, in pixels.
        stride: 1, or 2 to halve the maps.
        width: channels of the output maps.
        num_blocks: the number of blocks, at least 1.
    """

    expansion: int
    size: int
    stride: int
    width: int
    num_blocks: int


class Scaling(NamedTuple):
    """The factors by which a variant follows from B0.

    Attributes:
        width: factor of all channels.
        depth: factor of the blocks of each stage.
        dropout: rate before the last layer.
    """

    width: float
    depth: float
    dropout: float


_B0 = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
_B0_STEM, _B0_TOP = 32, 1280
_SCALINGS = {
    "b0": Scaling(1.0, 1.0, 0.2),
    "b1": Scaling(1.0, 1.1, 0.2),
    "b2": Scaling(1.1, 1.2, 0.3),
    "b3": Scaling(1.2, 1.4, 0.3),
    "b4": Scaling(1.4, 1.8, 0.4),
    "b5": Scaling(1.6, 2.2, 0.4),
    "b6": Scaling(1.8, 2.6, 0.5),
    "b7": Scaling(2.0, 3.1, 0.5),
}
_STEMS: dict[str, type[ConvolutionStem] | type[PatchStem]] = {
    "convolution": ConvolutionStem,
    "patch": PatchStem,
}


class EfficientNet(nnx.Module):
    """A classifier of batches of images, of inverted bottlenecks with squeeze and excitation.

    Args:
        stages: the blocks.
        stem_width: channels of the first layer.
        top_width: channels of the last 1x1 convolution.
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        stem: ``"convolution"`` (3x3 with stride 2) or ``"patch"`` (4x4 with stride 4).
        dropout: rate in [0, 1) before the last layer, in training.
        drop_rate: rate of stochastic depth in [0, 1) that the blocks' grow towards, in training.
        momentum: share that batch norm's running averages keep in a step, in [0, 1).
        epsilon: positive number that batch norm adds to the variance.
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        act: elementwise activation, a named function.
        rngs: source of the initial weights, and of the draws in training.

    Raises:
        InputError: an unknown ``stem``, or numbers out of range.
    """

    def __init__(
        self,
        *,
        stages: Sequence[Stage],
        stem_width: int,
        top_width: int,
        num_classes: int,
        in_channels: int = _IN_CHANNELS,
        stem: Literal["convolution", "patch"] = "convolution",
        dropout: float = 0.2,
        drop_rate: float = 0.2,
        momentum: float = 0.99,
        epsilon: float = _EPSILON,
        mean: PerChannel = 0.0,
        std: PerChannel = 1.0,
        act: Activation = nnx.swish,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(stem, tuple(_STEMS), name="stem")
        widths = {"stem_width": stem_width, "top_width": top_width}
        check_numbers(widths | {"num_classes": num_classes, "in_channels": in_channels})
        _check_stages(stages)
        check_shares({"dropout": dropout, "drop_rate": drop_rate, "momentum": momentum})
        check_positive(epsilon, name="epsilon")
        self.mean, self.std = channel_statistics(mean, std, in_channels)
        self.act = act
        norm = partial(batch_norm, momentum=momentum, epsilon=epsilon)
        self.stem = _STEMS[stem](in_channels, stem_width, act=act, norm=norm, rngs=rngs)
        blocks: list[MBConv] = []
        channels, number = stem_width, sum(stage.num_blocks for stage in stages)
        for stage in stages:
            for position in range(stage.num_blocks):
                blocks.append(
                    MBConv(
                        channels,
                        stage.width,
                        expansion=stage.expansion,
                        size=stage.size,
                        stride=stage.stride if position == 0 else 1,
                        drop_rate=drop_rate * len(blocks) / number,
                        norm=norm,
                        act=act,
                        rngs=rngs,
                    )
                )
                channels = stage.width
        self.blocks = nnx.List(blocks)
        self.stage_sizes = tuple(stage.num_blocks for stage in stages)
        self.top = NormalisedPointwise(channels, top_width, norm=norm, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.head = last_layer(top_width, num_classes, rngs=rngs)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b fh fw f"]:
        """Computes the last feature maps.

        Args:
            images: (b, h, w, in_channels) in [0, 1], at least 4x4 pixels.

        Returns:
            Maps (b, fh, fw, top_width) after the last activation.

        Raises:
            InputError: another shape, too few pixels, or integers.
        """
        x = self.stem(normalise(images, self.mean, self.std))
        for block in self.blocks:
            x = block(x)
        return self.act(self.top(x))

    def classify(self, features: Float[Array, "b fh fw f"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of feature maps: means, dropout and a linear layer."""
        return self.head(self.dropout(features.mean(axis=(1, 2))))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of images: ``classify(features(images))``."""
        return self.classify(self.features(images))


def efficientnet(
    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    epsilon: float = _EPSILON,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> EfficientNet:
    """Makes one of the published networks.

    Args:
        variant: ``"b0"`` (5,288,548 parameters with 1000 classes, meant for 224 pixels) to ``"b7"``
            (66,347,960, 600 pixels).
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        epsilon: added to the variance by batch norm; torchvision's weights of ``"b0"`` to ``"b4"``
            need 1e-5.
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        rngs: source of the initial weights, and of the draws in training.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown variant (the message lists the valid ones), or as ``EfficientNet``.

    >>> model = nnx.eval_shape(lambda: efficientnet("b0", num_classes=2, rngs=nnx.Rngs(0)))
    >>> model.head.kernel.shape
    (1280, 2)
    """
    check_choice(variant, tuple(_SCALINGS), name="variant")
    scaling = _SCALINGS[variant]
    return EfficientNet(
        stages=[_scaled(stage, scaling) for stage in _B0],
        stem_width=round_width(_B0_STEM * scaling.width),
        top_width=round_width(_B0_TOP * scaling.width),
        num_classes=num_classes,
        in_channels=in_channels,
        dropout=scaling.dropout,
        epsilon=epsilon,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def efficientnet_small(
    *,
    num_classes: int,
    in_channels: int = _IN_CHANNELS,
    mean: PerChannel = 0.0,
    std: PerChannel = 1.0,
    rngs: nnx.Rngs,
) -> EfficientNet:
    """Makes a network of 0.2 million parameters for images of 32 to 128 pixels, quick on a CPU.

    The patch stem turns 64 pixels into 16x16 maps, so that no block works at full resolution, and
    the one block there is not expanded; batch norm keeps 0.9 of its averages a step, since
    trainings are short. Arguments and errors as ``EfficientNet``.

    >>> model = nnx.eval_shape(lambda: efficientnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> model.head.kernel.shape
    (256, 2)
    """
    return EfficientNet(
        stages=(Stage(1, 3, 1, 24, 1), Stage(4, 3, 2, 48, 2), Stage(4, 3, 2, 96, 2)),
        stem_width=24,
        top_width=256,
        num_classes=num_classes,
        in_channels=in_channels,
        stem="patch",
        drop_rate=0.1,
        momentum=0.9,
        mean=mean,
        std=std,
        rngs=rngs,
    )


def round_width(width: float) -> int:
    """Rounds a number of channels to a multiple of 8.

    It takes the nearest one, at least 8, and the next one where that loses more than a tenth.

    Source: the authors' code; the paper does not state it.

    >>> round_width(35.2), round_width(11)
    (32, 16)
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def _scaled(stage: Stage, scaling: Scaling) -> Stage:
    """Scales the width and the depth of a stage of B0."""
    num_blocks = math.ceil(scaling.depth * stage.num_blocks)
    return stage._replace(width=round_width(stage.width * scaling.width), num_blocks=num_blocks)


def _check_stages(stages: Sequence[Stage]) -> None:
    if not stages:
        raise InputError("stages: expected at least one, got none")
    for stage in stages:
        if min(stage) < 1 or stage.size % 2 == 0:
            raise InputError(
                f"stages: expected numbers of at least 1 and an odd kernel size, got {stage}"
            )
