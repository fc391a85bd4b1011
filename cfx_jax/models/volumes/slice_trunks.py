"""Networks of the plane cut into stages, to be run on the slices of a volume.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", appendix B.

Methods that let a saliency map act inside of a classifier do so between the stages. The published
networks have four: maps are weighted after each of the first three, and once more after the last.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models.images import ResNet
from cfx_jax.models.layers import BottleneckBlock, ImagenetStem
from cfx_jax.models.layers.checks import check_numbers
from cfx_jax.models.volumes.layers import (
    Split,
    check_volumes,
    fold_slices,
    slice_means,
    unfold_slices,
)
from cfx_jax.models.volumes.layers.slices import PARTS

NUM_STAGES = 4
"""Stages of a whole trunk; a saliency branch has the first three."""


class Trunk(nnx.Module):
    """A network of slices, or of half slices, without its head.

    Attributes:
        stages: modules of images, each (n, h, w, c) -> (n, h', w', c').
        widths: channels after each stage.
        out_features: channels after the last.
        in_channels: channels of the volumes.
        split: whether the stages see whole slices or halves.

    Args:
        stages: the layers of each stage, in order.
        widths: channels after each stage.
        in_channels: channels of the volumes.
        split: ``"whole"`` or ``"halves"``.

    Raises:
        InputError: an unknown ``split``.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[nnx.Module]],
        *,
        widths: Sequence[int],
        in_channels: int,
        split: Split = "whole",
    ) -> None:
        check_choice(split, tuple(PARTS), name="split")
        self.stages = nnx.List([nnx.Sequential(*layers) for layers in stages])
        self.widths, self.out_features = tuple(widths), widths[-1]
        self.in_channels, self.split = in_channels, split

    @property
    def slice_width(self) -> int:
        """Length of the features of a slice; a head has as many inputs."""
        return PARTS[self.split] * self.out_features

    def fold(
        self, volumes: Float[Array, "b s h w c"], *, name: str = "volumes"
    ) -> Float[Array, "n h v c"]:
        """Cuts volumes into the images that the stages see.

        Args:
            volumes: (b, s, h, w, in_channels), at least 4x4 pixels.
            name: the name of the volumes in messages.

        Returns:
            (n, h, w, in_channels), or (n, h, w / 2, in_channels) of halves.

        Raises:
            InputError: another shape, too few pixels, integers, or halves of an odd number of
                columns.
        """
        check_volumes(volumes, self.in_channels, name=name)
        return fold_slices(volumes, self.split)

    def unfold(self, maps: Float[Array, "n h v f"], num_volumes: int) -> Float[Array, "b s h w f"]:
        """Joins the maps of a stage to maps of volumes, which lie as the slices do."""
        return unfold_slices(maps, num_volumes, self.split)

    def slice_features(self, maps: Float[Array, "b s h w f"]) -> Float[Array, "b s d"]:
        """Computes means of unfolded maps over positions, (b, s, ``slice_width``).

        The means of the two halves of a slice follow each other.
        """
        return slice_means(maps, self.split)


class Repeated(nnx.Module):
    """A layer that repeats each channel, for a network made for images in colour."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w d"]:
        """Maps (n, h, w, c) to (n, h, w, repeats * c)."""
        return jnp.repeat(x, self.repeats, axis=-1)


def check_num_stages(num_stages: int) -> None:
    """Checks a number of stages.

    Raises:
        InputError: not in 1..4.
    """
    if not isinstance(num_stages, int) or not 1 <= num_stages <= NUM_STAGES:
        raise InputError(f"num_stages: expected 1 to {NUM_STAGES}, got {num_stages}")


def resnet50_stages(
    *,
    in_channels: int = 1,
    repeats: int = 3,
    num_stages: int = NUM_STAGES,
    stem_width: int = 64,
    rngs: nnx.Rngs,
) -> Trunk:
    """Makes ResNet-50 of slices: stem, max pooling and block 1; block 2; block 3; block 4.

    Source: Fontanella et al. 2023 and their released code.

    Args:
        in_channels: channels of the volumes.
        repeats: how often each channel is repeated before the stem (released: 3).
        num_stages: how many stages from the start are made; a saliency branch needs three.
        stem_width: channels of the stem. The released saliency branch has 2048, which a running
            counter of channels led to; here 64, as in the image branch.
        rngs: source of the initial weights.

    Returns:
        The trunk, in training mode.

    Raises:
        InputError: a number out of range.

    >>> nnx.eval_shape(lambda: resnet50_stages(rngs=nnx.Rngs(0))).widths
    (256, 512, 1024, 2048)
    """
    check_num_stages(num_stages)
    check_numbers({"in_channels": in_channels, "repeats": repeats, "stem_width": stem_width})
    widths = (64, 128, 256, 512)[:num_stages]
    stem_channels = repeats * in_channels
    network = ResNet(
        block="bottleneck",
        stage_sizes=(3, 4, 6, 3)[:num_stages],
        widths=widths,
        num_classes=1,
        in_channels=stem_channels,
        rngs=rngs,
    )
    stem, first = network.stem, network.stages[0][0]
    if stem_width != widths[0]:
        stem = ImagenetStem(stem_channels, stem_width, act=stem.act, rngs=rngs)
        first = BottleneckBlock(stem_width, widths[0], stride=1, act=stem.act, rngs=rngs)
    start = [Repeated(repeats), stem, first, *network.stages[0][1:]]
    return Trunk(
        [start, *network.stages[1:]],
        widths=[BottleneckBlock.expansion * width for width in widths],
        in_channels=in_channels,
    )


def resnet_small_stages(
    *, in_channels: int = 1, num_stages: int = NUM_STAGES, rngs: nnx.Rngs
) -> Trunk:
    """Makes the layers of ``resnet_small`` in four stages, for small slices, quick on a CPU.

    Slices have 32 to 128 pixels. The maps of 64 pixels have 16x16, 16x16, 8x8 and 4x4 pixels.

    Of 64 pixels the maps have 16x16, 16x16, 8x8 and 4x4.

    Args:
        in_channels: channels of the volumes.
        num_stages: how many stages from the start are made; a saliency branch needs three.
        rngs: source of the initial weights.

    Returns:
        The trunk, in training mode.

    Raises:
        InputError: a number out of range.

    >>> nnx.eval_shape(lambda: resnet_small_stages(rngs=nnx.Rngs(0))).widths
    (24, 24, 64, 192)
    """
    check_num_stages(num_stages)
    widths = (24, 24, 64, 192)[:num_stages]
    # Two stages of the trunk are the two blocks of the network's first.
    network = ResNet(
        block="basic",
        stage_sizes=(min(num_stages, 2), 1, 1)[: max(num_stages - 1, 1)],
        widths=(24, 64, 192)[: max(num_stages - 1, 1)],
        stem="patch",
        num_classes=1,
        in_channels=in_channels,
        rngs=rngs,
    )
    first, *blocks = [block for stage in network.stages for block in stage]
    return Trunk(
        [[network.stem, first], *([block] for block in blocks)],
        widths=widths,
        in_channels=in_channels,
    )
