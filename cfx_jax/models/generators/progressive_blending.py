"""Small networks of progressive exaggeration, which learn in a thousand steps on a CPU (ours).

Singla et al. 2020, "Explanation by Progressive Exaggeration", has networks of 70 million parameters
that take 100,000 updates; of their shape but a hundredth of their size they draw no face within a
thousand. These differ in three ways. The generator does not draw an image anew: it draws colours
and a mask, and gives ``mask * colours + (1 - mask) * image``, as Pumarola et al. 2018,
"GANimation", so that what is to stay needs no learning. The discriminator has batch norm in place
of spectral norm, under which a network of this size did not tell drawings from images. Both see an
image as its squares of 2x2 pixels, so that no layer but the last works at full resolution; outputs
still depend on the whole image, through the smallest maps.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_integer
from cfx_jax.losses import ordinal_code
from cfx_jax.models.generators.layers import (
    ConditionalBatchNorm,
    ConditionalBlock,
    dense,
    double,
    mean_halve,
    same_convolution,
)
from cfx_jax.models.generators.progressive import EPSILON, check_bins, check_filters
from cfx_jax.models.layers import batch_norm
from cfx_jax.models.layers.checks import check_images, check_numbers, check_shares, check_sides

_SIDE = 2  # of the squares of pixels that become channels

Latent = tuple[Float[Array, "b h2 w2 d"], Float[Array, "b h w c"]]
"""The maps of images, and the images themselves."""


class BlendingGenerator(nnx.Module):
    """An encoder and a decoder that blend an image with new colours, for a bin.

    The blocks are those of ``ProgressiveGenerator``: the decoder's norms have a scale and a shift
    for each bin, the encoder knows no bin.

    Args:
        in_channels: channels of the images.
        filters: channels of the first convolution, at half resolution, and after each further
            halving; at least two.
        num_bins: bins of the probability, at least 2.
        momentum: share that a running average keeps in a step, in [0, 1).
        rngs: source of the initial weights.

    Raises:
        InputError: fewer than two filters, or a number out of range.

    Example:
        >>> model = BlendingGenerator(in_channels=1, filters=(2, 4), num_bins=3, rngs=nnx.Rngs(0))
        >>> images, bins = jnp.zeros((2, 8, 8, 1)), jnp.array([0, 2])
        >>> maps, kept = model.encode(images, bins)
        >>> maps.shape, model.decode((maps, kept), bins).shape
        ((2, 2, 2, 4), (2, 8, 8, 1))
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        filters: Sequence[int] = (24, 48, 96),
        num_bins: int = 10,
        momentum: float = 0.9,
        rngs: nnx.Rngs,
    ) -> None:
        check_filters(filters, at_least=2)
        check_numbers({"in_channels": in_channels})
        check_integer(num_bins, name="num_bins", at_least=2)
        check_shares({"momentum": momentum})
        self.in_channels, self.num_bins, self.num_halvings = in_channels, num_bins, len(filters)
        conditional = partial(ConditionalBatchNorm, momentum=momentum, epsilon=EPSILON)
        # With a table of one row the norm knows no bin.
        encoder_norm, decoder_norm = partial(conditional, 1), partial(conditional, num_bins)
        self.stem = same_convolution(_SIDE**2 * in_channels, filters[0], rngs=rngs)
        self.down = nnx.List(
            [
                ConditionalBlock(a, b, resize=mean_halve, norm=encoder_norm, rngs=rngs)
                for a, b in pairwise(filters)
            ]
        )
        self.up = nnx.List(
            [
                ConditionalBlock(a, b, resize=double, norm=decoder_norm, rngs=rngs)
                for a, b in pairwise(filters[::-1])
            ]
        )
        self.head_norm = batch_norm(filters[0], momentum=momentum, epsilon=EPSILON, rngs=rngs)
        self.head = same_convolution(filters[0], 1 + in_channels, rngs=rngs)

    def encode(self, images: Float[Array, "b h w c"], bins: Int[Array, " b"]) -> Latent:
        """Computes the latents of images.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each filter.
            bins: one for each image, in 0..num_bins - 1; without effect.

        Returns:
            Maps (b, h / 2^n, w / 2^n, filters[-1]) for n filters, and the images.

        Raises:
            InputError: images of another shape, sides that do not divide, integers, or bins that
                are none.
        """
        check_images(images, self.in_channels)
        check_sides(images, self.num_halvings)
        check_bins(bins, len(images), self.num_bins)
        x = self.stem(squares_as_channels(2 * images - 1))
        for block in self.down:
            x = block(x, jnp.zeros_like(bins))
        return x, images

    def decode(self, latent: Latent, bins: Int[Array, " b"]) -> Float[Array, "b h w c"]:
        """Draws images for bins.

        Args:
            latent: of ``encode``.
            bins: what the classifier's probability of each is to be in, 0..num_bins - 1.

        Returns:
            Images (b, h, w, in_channels) in [0, 1].

        Raises:
            InputError: bins that are none.
        """
        x, images = latent
        check_bins(bins, len(images), self.num_bins)
        for block in self.up:
            x = block(x, bins)
        drawn = jax.nn.sigmoid(self.head(double(nnx.relu(self.head_norm(x)))))
        mask, colours = drawn[..., :1], drawn[..., 1:]
        return images + mask * (colours - images)


class _NormalisedBlock(nnx.Module):
    """A residual block that halves the maps, with batch norm before each activation.

    Args:
        in_channels: of the input maps.
        width: channels of the output maps.
        first: whether it is the network's first, on images, with no norm and activation before.
        rngs: source of the initial weights.
    """

    def __init__(self, in_channels: int, width: int, *, first: bool, rngs: nnx.Rngs) -> None:
        norm = partial(batch_norm, momentum=0.9, epsilon=EPSILON, rngs=rngs)
        self.norm1 = nnx.data(None if first else norm(in_channels))
        self.norm2 = norm(width)
        self.conv1 = same_convolution(in_channels, width, rngs=rngs)
        self.conv2 = same_convolution(width, width, rngs=rngs)
        self.shortcut = dense(in_channels, width, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h / 2, w / 2, width)."""
        y = x if self.norm1 is None else _leaky(self.norm1(x))
        y = self.conv2(_leaky(self.norm2(self.conv1(y))))
        return mean_halve(y) + self.shortcut(mean_halve(x))


class BatchNormDiscriminator(nnx.Module):
    """Residual blocks with batch norm, means over positions, and one logit of image and bin.

    The logit is ``psi(phi) + sum of <v_i, phi> over i < k``, as of ``ProjectionDiscriminator`` with
    its ordinal projection. In training mode an image's logit depends on the others of its batch, so
    images and drawings are to be in batches of their own.

    Args:
        in_channels: channels of the images.
        filters: channels after each halving, the first at a quarter of the resolution; at least
            one.
        num_bins: K, at least 2.
        rngs: source of the initial weights.

    Raises:
        InputError: no filter, or a number out of range.

    Example:
        >>> model = BatchNormDiscriminator(in_channels=1, filters=(4,), rngs=nnx.Rngs(0))
        >>> model(jnp.zeros((2, 8, 8, 1)), jnp.array([0, 9])).shape
        (2,)
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        filters: Sequence[int] = (32, 64, 128),
        num_bins: int = 10,
        rngs: nnx.Rngs,
    ) -> None:
        check_filters(filters, at_least=1)
        check_numbers({"in_channels": in_channels})
        check_integer(num_bins, name="num_bins", at_least=2)
        self.in_channels, self.num_bins = in_channels, num_bins
        pairs = pairwise((_SIDE**2 * in_channels, *filters))
        self.down = nnx.List(
            [
                _NormalisedBlock(a, b, first=not level, rngs=rngs)
                for level, (a, b) in enumerate(pairs)
            ]
        )
        self.norm = batch_norm(filters[-1], momentum=0.9, epsilon=EPSILON, rngs=rngs)
        self.realness = dense(filters[-1], 1, rngs=rngs)
        self.embedding = nnx.Linear(filters[-1], num_bins - 1, use_bias=False, rngs=rngs)

    def __call__(
        self, images: Float[Array, "b h w c"], bins: Int[Array, " b"]
    ) -> Float[Array, " b"]:
        """Computes one logit for each image and bin, above 0 for images that seem real.

        Args:
            images: (b, h, w, in_channels) in [0, 1]; height and width divide by 2 for each filter
                and once more.
            bins: one for each image, in 0..num_bins - 1.

        Returns:
            Logits (b,).

        Raises:
            InputError: another shape, sides that do not divide, integers, or bins that are none.
        """
        check_images(images, self.in_channels)
        check_sides(images, len(self.down) + 1)
        check_bins(bins, len(images), self.num_bins)
        x = squares_as_channels(2 * images - 1)
        for block in self.down:
            x = block(x)
        features = nnx.relu(self.norm(x)).mean(axis=(1, 2))
        above = ordinal_code(bins, self.num_bins)[:, 1:]
        return self.realness(features)[:, 0] + (above * self.embedding(features)).sum(axis=1)


def squares_as_channels(images: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
    """Gives each square of 2x2 pixels as one of half the resolution and four times the channels.

    >>> squares_as_channels(jnp.arange(4.0).reshape(1, 2, 2, 1)).tolist()
    [[[[0.0, 1.0, 2.0, 3.0]]]]
    """
    b, h, w, c = images.shape
    squares = images.reshape(b, h // _SIDE, _SIDE, w // _SIDE, _SIDE, c).swapaxes(2, 3)
    return squares.reshape(b, h // _SIDE, w // _SIDE, _SIDE**2 * c)


def _leaky(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    return nnx.leaky_relu(x, negative_slope=0.2)
