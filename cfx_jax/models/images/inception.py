"""Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision").

The layers, names and padding are torchvision's, so that its weights give the same logits. The
Fréchet distance of images is measured with it: 299 x 299 pixels, values in [0, 1] scaled to [-1, 1]
by ``mean=0.5, std=0.5``.

The authors of that distance used the weights of 2015, with 1008 outputs, in a network that differs
in its poolings: means leave out what lies beyond the border, and the last block takes maxima.
``network="fid"`` is that one; only its figures compare with published ones.

Deviations:

- There is no auxiliary head, which helps training only.
- Convolutions start from He's normal distribution and the last layer from PyTorch's uniform one,
  where torchvision's start from a truncated normal one.
"""

from typing import Literal

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice, check_positive
from cfx_jax.errors import InputError
from cfx_jax.models.images.layers import ConvolutionUnit, InceptionBlock, Pool, Table, Unit, pooled
from cfx_jax.models.images.layers.inception_tables import (
    HALVING,
    PADDED_IN_STEM,
    POOLED_IN_STEM,
    STEM,
    blocks,
)
from cfx_jax.models.layers import Activation, PerChannel, channel_statistics, last_layer, normalise
from cfx_jax.models.layers.checks import check_numbers, check_shares

Network = Literal["torchvision", "fid"]

SMALLEST_SIDE = 75
"""Five halvings without padding leave one pixel of this side, and nothing of a smaller one."""

_NARROWEST = 16
_POOLS: dict[Network, tuple[Pool, Pool]] = {
    "torchvision": (Pool("mean"), Pool("mean")),
    "fid": (Pool("inner_mean"), Pool("max")),
}


class InceptionV3(nnx.Module):
    """A classifier of batches of images: 23,834,568 parameters with 1000 classes.

    Args:
        num_classes: number of logits, at least 1.
        in_channels: channels of the images.
        network: the kind of poolings, ``"torchvision"`` or ``"fid"`` (see the module).
        width: factor above 0 of all channels; no layer has less than 16. The published networks
            have 1.
        dropout: rate in [0, 1) before the last layer, in training.
        mean: subtracted from the image, in its units [0, 1].
        std: positive divisor of the image after that.
        act: elementwise activation, a named function.
        rngs: source of the initial weights, and of the draws in training.

    Raises:
        InputError: an unknown ``network``, or numbers out of range.

    >>> model = nnx.eval_shape(lambda: InceptionV3(num_classes=2, rngs=nnx.Rngs(0)))  # shapes alone
    >>> model.head.kernel.shape
    (2048, 2)
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        network: Network = "torchvision",
        width: float = 1.0,
        dropout: float = 0.5,
        mean: PerChannel = 0.0,
        std: PerChannel = 1.0,
        act: Activation = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(network, tuple(_POOLS), name="network")
        check_numbers({"num_classes": num_classes, "in_channels": in_channels})
        check_positive(width, name="width")
        check_shares({"dropout": dropout})
        self.mean, self.std = channel_statistics(mean, std, in_channels)
        layers: dict[str, nnx.Module] = {}
        channels = in_channels
        for name, layer in STEM.items():
            unit, padded = _scaled(layer, width), name in PADDED_IN_STEM
            layers[name] = ConvolutionUnit(channels, unit, padded=padded, act=act, rngs=rngs)
            channels = unit.width
        for name, table in blocks(*_POOLS[network]).items():
            block = InceptionBlock(channels, _with_width(table, width), act=act, rngs=rngs)
            layers[name] = block
            channels = block.out_channels
        self.order = tuple(layers)
        self.layers = nnx.Dict(layers)
        self.dropout = nnx.data(nnx.Dropout(dropout, rngs=rngs) if dropout else None)
        self.head = last_layer(channels, num_classes, rngs=rngs)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b fh fw f"]:
        """Computes the last feature maps.

        Args:
            images: (b, h, w, in_channels) in [0, 1], at least 75x75 pixels; trained at 299x299.

        Returns:
            Maps (b, fh, fw, 2048) after the last block, 8x8 for 299 pixels, not negative where the
            activation is the ReLU.

        Raises:
            InputError: another shape, too few pixels, or integers.
        """
        x = normalise(images, self.mean, self.std)
        if min(images.shape[1:3]) < SMALLEST_SIDE:
            raise InputError(
                f"images: expected at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels for"
                f" Inception-v3, got shape {images.shape}"
            )
        for name in self.order:
            x = self.layers[name](x)
            if name in POOLED_IN_STEM:
                x = pooled(x, HALVING)
        return x

    def classify(self, features: Float[Array, "b fh fw f"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of feature maps: means, dropout and a linear layer."""
        means = features.mean(axis=(1, 2))
        return self.head(means if self.dropout is None else self.dropout(means))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Computes logits (b, num_classes) of images: ``classify(features(images))``."""
        return self.classify(self.features(images))


def _with_width(table: Table, width: float) -> Table:
    return {
        name: layer if isinstance(layer, Pool) else _scaled(layer, width)
        for name, layer in table.items()
    }


def _scaled(unit: Unit, width: float) -> Unit:
    return unit if width == 1 else unit._replace(width=max(_NARROWEST, round(unit.width * width)))
