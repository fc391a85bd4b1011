"""The multi-task network of half brains: whether there is a lesion, and on which side.

Source: Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and
Detection in Medical Imaging", section 4.2 and appendix B, after their "Development of a deep
learning method to identify acute ischaemic stroke lesions on brain CT". They give the number of
layers, the heads, and that features of the two halves of a slice are concatenated. Channels,
strides, batch norm and ReLU, and that the right half is mirrored, are ours.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_type
from cfx_jax.errors import InputError
from cfx_jax.models.layers import Activation, Block, batch_norm, convolution, last_layer
from cfx_jax.models.layers.checks import check_all_numbers, check_numbers
from cfx_jax.models.volumes.slice_trunks import NUM_STAGES, Trunk, check_num_stages
from cfx_jax.objectives import decision

_LAYERS_OF_STAGES = (1, 2, 2, 2)
_SMALL_FILTERS = (16, 24, 32, 32, 64, 64, 128)
# The second convolution keeps the size, so that small lesions of small slices still have pixels.
_SMALL_STRIDES = (2, 1, 2, 1, 2, 1, 2)
_FINE_FILTERS = (16, 16, 24, 24, 32, 32, 64)
_FINE_STRIDES = (2, 1, 2, 1, 2, 1, 1)


class ConvolutionLayer(Block):
    """A 3x3 convolution, batch norm and activation."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        act: Activation = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        self.act = act
        self.conv = convolution(in_channels, width, size=3, stride=stride, rngs=rngs)
        self.norm = batch_norm(width, rngs=rngs)

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 d"]:
        """Maps (n, h, w, in_channels) to (n, ceil(h / stride), ceil(w / stride), width)."""
        return self.act(self.norm(self.conv(x)))


def half_brain_stages(
    *,
    in_channels: int = 1,
    filters: Sequence[int] = (16, 32, 64, 128, 128, 256, 256),
    strides: Sequence[int] = (2, 2, 2, 1, 2, 1, 2),
    num_stages: int = NUM_STAGES,
    rngs: nnx.Rngs,
) -> Trunk:
    """Makes seven convolutions of half slices: conv 1; conv 2 and 3; conv 4 and 5; conv 6 and 7.

    Args:
        in_channels: channels of the volumes.
        filters: channels after each of the seven convolutions.
        strides: step of each, in pixels.
        num_stages: how many stages from the start are made; a saliency branch needs three.
        rngs: source of the initial weights.

    Returns:
        The trunk, in training mode.

    Raises:
        InputError: not seven filters and strides, or a number out of range.

    >>> nnx.eval_shape(lambda: half_brain_stages(rngs=nnx.Rngs(0))).widths
    (16, 64, 128, 256)
    """
    check_num_stages(num_stages)
    check_numbers({"in_channels": in_channels})
    check_all_numbers({"filters": filters, "strides": strides})
    if len(filters) != len(strides) or len(filters) != sum(_LAYERS_OF_STAGES):
        raise InputError(
            f"filters, strides: expected seven of each, got {len(filters)} and {len(strides)}"
        )
    channels = iter(pairwise((in_channels, *filters)))
    steps = iter(strides)
    stages = [
        [ConvolutionLayer(*next(channels), stride=next(steps), rngs=rngs) for _ in range(size)]
        for size in _LAYERS_OF_STAGES[:num_stages]
    ]
    widths = tuple(filters[::2])[:num_stages]
    return Trunk(stages, widths=widths, in_channels=in_channels, split="halves")


def half_brain_small_stages(
    *, in_channels: int = 1, num_stages: int = NUM_STAGES, rngs: nnx.Rngs
) -> Trunk:
    """Makes ``half_brain_stages`` with 16 to 128 channels, for small slices, quick on a CPU.

    Slices have 32 to 128 pixels. The maps of halves of 64x32 pixels have 32x16, 16x8, 8x4 and 4x2
    pixels. Arguments and errors as ``half_brain_stages``.

    >>> nnx.eval_shape(lambda: half_brain_small_stages(rngs=nnx.Rngs(0))).widths
    (16, 32, 64, 128)
    """
    return half_brain_stages(
        in_channels=in_channels,
        filters=_SMALL_FILTERS,
        strides=_SMALL_STRIDES,
        num_stages=num_stages,
        rngs=rngs,
    )


def half_brain_fine_stages(
    *, in_channels: int = 1, num_stages: int = NUM_STAGES, rngs: nnx.Rngs
) -> Trunk:
    """Makes ``half_brain_stages`` with 16 to 64 channels, whose last maps still show places.

    Of halves of 64x32 pixels the maps have 32x16, 16x8, 8x4 and 8x4 pixels, so that attention to
    the last ones has places to choose from. Arguments and errors as ``half_brain_stages``.

    >>> nnx.eval_shape(lambda: half_brain_fine_stages(rngs=nnx.Rngs(0))).widths
    (16, 24, 32, 64)
    """
    return half_brain_stages(
        in_channels=in_channels,
        filters=_FINE_FILTERS,
        strides=_FINE_STRIDES,
        num_stages=num_stages,
        rngs=rngs,
    )


class HalfBrainLogits(NamedTuple):
    """The logits of the multi-task network for volumes.

    Attributes:
        lesion: logits (b, 2) of no lesion and lesion.
        side: logits (b, 3) of the lesion's side, if there is one: left, right, both.
    """

    lesion: Float[Array, "b 2"]
    side: Float[Array, "b 3"]


class HalfBrainHead(nnx.Module):
    """Two linear layers: whether there is a lesion, and on which side.

    Args:
        width: length of the features.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, *, rngs: nnx.Rngs) -> None:
        self.lesion = last_layer(width, 2, rngs=rngs)
        self.side = last_layer(width, 3, rngs=rngs)

    def __call__(self, features: Float[Array, "b d"]) -> HalfBrainLogits:
        """Maps features (b, width) to the logits of the two tasks."""
        return HalfBrainLogits(self.lesion(features), self.side(features))


def joint_decision(logits: HalfBrainLogits) -> Int[Array, "b"]:
    """Combines the decisions of the two heads.

    The decision is no lesion if the first head says so, else the side that the second head gives.

    Args:
        logits: the logits of volumes.

    Returns:
        (b,) with 0 for none, 1 left, 2 right, 3 both.

    >>> lesion = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    >>> side = jnp.array([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]])
    >>> joint_decision(HalfBrainLogits(lesion, side)).tolist()
    [0, 2]
    """
    check_type(logits, HalfBrainLogits, name="logits", wanted="the logits of both heads")
    return jnp.where(decision(logits.lesion) == 1, 1 + logits.side.argmax(axis=-1), 0)


class LesionHead(nnx.Module):
    """The multi-task network as a classifier of volumes with and without lesion, for explanations.

    It has the weights of the model, so ``per_image``, ``parts`` and ``with_saliency`` take it.

    Args:
        model: a network of volumes that returns ``HalfBrainLogits``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def features(
        self, volumes: Float[Array, "b s h w c"], *saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "..."]:
        """Computes the model's feature maps.

        Arguments and errors as in the model's ``features``.
        """
        return self.model.features(volumes, *saliency)

    def classify(self, features: Float[Array, "b s fh fw f"]) -> Float[Array, "b 2"]:
        """Computes the logits (b, 2) of no lesion and lesion of feature maps."""
        return self.model.classify(features).lesion

    def __call__(
        self, volumes: Float[Array, "b s h w c"], *saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b 2"]:
        """Computes the logits (b, 2) of no lesion and lesion of volumes."""
        return self.model(volumes, *saliency).lesion
