"""The UNet of the generators of Charachon et al. 2020 and 2021, and a generator of one image.

Layers, filters and parameter counts follow the authors' released networks: SAGen's (2020,
"Combining Similarity and Adversarial Learning to Generate Visual Explanation") and the networks of
SyCE and CyCE (2021, "Leveraging Conditional Generative Models in a General Explanation Framework of
Classifier Decisions"). Their "batch norm" never left inference mode with its first statistics, so
it is a scale and a shift for each channel, and dropout was off; this is what ``norm="affine"`` is
and why there is no dropout.

Deviations:

- The constant factor 1 / sqrt(1.001) of that scale is left to the weights.
- The image that comes out has the channels of the one that goes in, where the authors emit one
  channel and tile it (tile grey images inside of the classifier).

``residual=True`` is ours: the network computes the change that is added to the image, so that
training does not begin by learning to copy it.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice, check_flag
from cfx_jax.models.generators.layers import Affine, dense, double, halve, same_convolution, units
from cfx_jax.models.layers import Activation, Norm, batch_norm
from cfx_jax.models.layers.checks import (
    check_filters,
    check_images,
    check_numbers,
    check_sides,
)
from cfx_jax.models.views import unit_clip

NormName = Literal["affine", "batch"]
"""The norm before each activation."""
NORM: NormName = "affine"

_NORMS: dict[str, Norm] = {
    "affine": Affine,
    "batch": partial(batch_norm, momentum=0.99, epsilon=1e-3),
}

Latent = tuple[Float[Array, "b _ _ _"], ...]
"""An encoder's maps, the finest first; of a residual generator after the images themselves."""

_RESIDUAL_SCALE = 0.1
"""The factor on a residual generator's output before it is added, so that it starts near the image.
"""

PUBLISHED_FILTERS = (16, 32, 64)
"""Channels at each resolution in the released networks, for 28 pixels; two more levels suit 224
(16, ..., 256).
"""


class UNet(nnx.Module):
    """An encoder and a decoder that sees the encoder's maps of its own resolution.

    Args:
        in_channels: channels of the images.
        filters: channels at each resolution, the finest first; at least two.
        norm: ``"affine"``, a learned scale and shift; or ``"batch"``, batch norm with Keras'
            momentum 0.99 and epsilon 1e-3. The first norm is before the first ReLU, so there batch
            norm hides about half of the image.
        act: elementwise activation, a named function.
        rngs: source of the initial weights.

    Attributes:
        out_channels: channels of the maps that ``decode`` returns, ``2 * filters[0]``.

    Raises:
        InputError: fewer than two filters, a number below 1, or an unknown norm.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        filters: Sequence[int] = PUBLISHED_FILTERS,
        norm: NormName = NORM,
        act: Activation = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        check_choice(norm, tuple(_NORMS), name="norm")
        check_filters(filters, at_least=2)
        check_numbers({"in_channels": in_channels})
        make = partial(units, norm=_NORMS[norm], act=act, rngs=rngs)
        pairs = list(pairwise(filters))
        self.in_channels, self.out_channels, self.num_halvings = (
            in_channels,
            2 * filters[0],
            len(pairs),
        )
        self.top = make(in_channels, (filters[0],) * 2)
        self.enter = nnx.List([make(above, (below,)) for above, below in pairs])
        self.residual = nnx.List([make(below, (below,) * 3) for _, below in pairs])
        # The deepest map has its level's channels; every map that the decoder has joined has twice
        # its level's.
        inputs = [2 * below for _, below in pairs[:-1]] + [filters[-1]]
        self.up = nnx.List(
            [
                make(channels, (above,) * 2)
                for channels, (above, _) in zip(inputs, pairs, strict=True)
            ]
        )

    def encode(self, images: Float[Array, "b h w c"]) -> tuple[Float[Array, "b _ _ _"], ...]:
        """Computes the encoder's maps, the finest first.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each
                resolution but the first.

        Returns:
            One array for each resolution, (b, h / 2^l, w / 2^l, filters[l]).

        Raises:
            InputError: another shape, sides that do not divide, too few pixels, or integers.
        """
        check_images(images, self.in_channels)
        check_sides(images, self.num_halvings)
        skips = [self.top(images)]
        for enter, residual in zip(self.enter, self.residual, strict=True):
            x = halve(enter(skips[-1]))
            skips.append(x + residual(x))
        return tuple(skips)

    def decode(self, skips: tuple[Float[Array, "b _ _ _"], ...]) -> Float[Array, "b h w d"]:
        """Computes maps (b, h, w, out_channels) of the maps that ``encode`` returns.

        No norm and no activation follow the last join.
        """
        x = skips[-1]
        for skip, up in zip(reversed(skips[:-1]), reversed(self.up), strict=True):
            x = jnp.concatenate([skip, double(up(x))], axis=-1)
        return x

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Computes maps (b, h, w, out_channels) of images: ``decode(encode(images))``."""
        return self.decode(self.encode(images))


class LinearHead(nnx.Module):
    """3x3 convolutions in a row and a 1x1 convolution to the image's channels, without activation.

    Args:
        in_channels: channels of the input maps.
        filters: channels that each 3x3 convolution returns; none leaves the 1x1 convolution.
        out_channels: channels of the output.
        rngs: source of the initial weights.

    Raises:
        InputError: a number of filters below 1.
    """

    def __init__(
        self, in_channels: int, filters: Sequence[int], out_channels: int, *, rngs: nnx.Rngs
    ) -> None:
        check_filters(filters, at_least=0, name="head_filters")
        channels = (in_channels, *filters)
        pairs = pairwise(channels)
        self.layers = nnx.Sequential(
            *(same_convolution(a, b, rngs=rngs) for a, b in pairs),
            dense(channels[-1], out_channels, last=True, rngs=rngs),
        )

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        """Maps (b, h, w, in_channels) to (b, h, w, out_channels), not limited to [0, 1]."""
        return self.layers(x)


class UNetGenerator(nnx.Module):
    """A generator of one image from one image: UNet, linear head, and clipping to [0, 1].

    The clipping is the attribute ``limit``.

    With its defaults it is g_0 or g_1 of SyCE and CyCE, 204,499 parameters; with
    ``head_filters=(32, 16)`` it is the adversarial generator of the naive formulation (2020,
    equations 1 and 2).

    Args:
        in_channels, filters, norm, act: as in ``UNet``.
        head_filters: channels of the 3x3 convolutions of the head; none for SyCE and CyCE.
        residual: adds the output to the image instead of giving it as the image (ours; the papers
            do not).
        rngs: source of the initial weights.

    Raises:
        InputError: as ``UNet``, or a number of filters of the head below 1.

    >>> model = nnx.eval_shape(lambda: UNetGenerator(filters=(2, 4), rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model(jnp.zeros((1, 8, 8, 1))), model).shape
    (1, 8, 8, 1)
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        filters: Sequence[int] = PUBLISHED_FILTERS,
        head_filters: Sequence[int] = (),
        norm: NormName = NORM,
        act: Activation = nnx.relu,
        residual: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        check_flag(residual, name="residual")
        self.unet = UNet(in_channels=in_channels, filters=filters, norm=norm, act=act, rngs=rngs)
        self.head = LinearHead(self.unet.out_channels, head_filters, in_channels, rngs=rngs)
        self.residual, self.limit = residual, unit_clip

    def encode(self, images: Float[Array, "b h w c"]) -> Latent:
        """Computes the latent of images, the encoder's maps.

        Arguments and errors as in ``UNet.encode``.
        """
        return encode(self.unet, images, residual=self.residual)

    def decode(self, latent: Latent) -> Float[Array, "b h w c"]:
        """Draws images (b, h, w, in_channels) in [0, 1] from a latent.

        A clipped pixel has derivative 0.
        """
        (image,) = decode(self.unet, (self.head,), latent, residual=self.residual)
        return self.limit(image)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Computes the generated images, of the same shape: ``decode(encode(images))``."""
        return self.decode(self.encode(images))


def encode(unet: UNet, images: Float[Array, "b h w c"], *, residual: bool) -> Latent:
    """Computes the latent of a generator with this UNet.

    It is the encoder's maps, after the images where the generator is residual.
    """
    maps = unet.encode(images)
    return (images, *maps) if residual else maps


def decode(
    unet: UNet, heads: Sequence[LinearHead], latent: Latent, *, residual: bool
) -> tuple[Float[Array, "b h w c"], ...]:
    """Computes the output of each head of a generator for a latent, not limited to [0, 1]."""
    maps = unet.decode(latent[1:] if residual else latent)
    return tuple(
        latent[0] + _RESIDUAL_SCALE * head(maps) if residual else head(maps) for head in heads
    )
