"""Small networks of progressive exaggeration, which learn in some hundred steps on a CPU (ours).

Singla et al. 2020, "Explanation by Progressive Exaggeration", has networks of 70 million parameters
that take 100,000 updates; of their shape but a thousandth of their size they draw no face within a
thousand. These differ in three ways. The generator does not draw an image anew: it moves what is
there, by a displacement of each pixel (as Jaderberg et al. 2015, "Spatial Transformer Networks"),
and makes it brighter or darker, both smoothly, so what is to stay needs no learning and no drawing
leaves the images far behind. The discriminator has batch norm in place of spectral norm, under
which a network of this size did not tell drawings from images. Both see an image as its squares of
2x2 pixels, so that no layer works at full resolution; outputs still depend on the whole image,
through the smallest maps.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_at_least, check_integer, check_positive
from cfx_jax.losses import ordinal_code
from cfx_jax.models.generators.layers import (
    ConditionalBatchNorm,
    conditional_blocks,
    dense,
    double,
    mean_halve,
    same_convolution,
)
from cfx_jax.models.generators.progressive import (
    EPSILON,
    IN_CHANNELS,
    MOMENTUM,
    NUM_BINS,
    check_bins,
)
from cfx_jax.models.layers import Block, batch_norm, widest
from cfx_jax.models.layers.checks import (
    check_filters,
    check_images,
    check_numbers,
    check_shares,
    check_sides,
)

_SIDE = 2  # of the squares of pixels that become channels
_GAIN = 0.1  # of what the last convolution gives, so that at first little is changed
_DARKEST = 0.02  # brightness whose log-odds stand for those of 0

Latent = tuple[Float[Array, "b h2 w2 d"], Float[Array, "b h w c"]]
"""The maps of images, and the images themselves."""


class BendingGenerator(nnx.Module):
    """An encoder and a decoder that bend and shade an image, for a bin.

    The blocks are the blocks of ``ProgressiveGenerator``: the decoder's norms have a scale and a
    shift for each bin, the encoder takes no bin. From the last maps, at half resolution, a
    convolution gives three numbers a pixel: where its value is taken from, as a displacement down
    and to the right, averaged over 2x2 and enlarged linearly to the image; and by how much the
    log-odds of its brightness rise, the same for all channels, enlarged linearly too.

    Args:
        in_channels: channels of the images.
        filters: channels of the first convolution, at half resolution, and after each further
            halving; at least two.
        num_bins: bins of the probability, at least 2.
        reach: largest displacement, as a share of the image's height, above 0.
        shade: largest change of the log-odds of brightness, at least 0; 0 for images that are only
            bent.
        symmetric: whether both are made symmetric about the vertical axis in the image's middle, as
            for faces, whose sides move together.
        momentum: share that a running average keeps in a step, in [0, 1).
        rngs: source of the initial weights.

    Raises:
        InputError: fewer than two filters, or a number out of range.

    Example:
        >>> model = BendingGenerator(in_channels=1, filters=(2, 4), num_bins=3, rngs=nnx.Rngs(0))
        >>> images, bins = jnp.zeros((2, 8, 8, 1)), jnp.array([0, 2])
        >>> maps, kept = model.encode(images, bins)
        >>> maps.shape, model.decode((maps, kept), bins).shape
        ((2, 2, 2, 4), (2, 8, 8, 1))
    """

    def __init__(
        self,
        *,
        in_channels: int = IN_CHANNELS,
        filters: Sequence[int] = (16, 32, 64),
        num_bins: int = NUM_BINS,
        reach: float = 0.1,
        shade: float = 0.6,
        symmetric: bool = False,
        momentum: float = MOMENTUM,
        rngs: nnx.Rngs,
    ) -> None:
        check_filters(filters, at_least=2)
        check_numbers({"in_channels": in_channels})
        check_integer(num_bins, name="num_bins", at_least=2)
        check_shares({"momentum": momentum})
        check_positive(reach, name="reach")
        check_at_least(shade, 0.0, name="shade")
        self.in_channels, self.num_bins, self.num_halvings = in_channels, num_bins, len(filters)
        self.reach, self.shade, self.symmetric = reach, shade, symmetric
        conditional = partial(ConditionalBatchNorm, momentum=momentum, epsilon=EPSILON)
        # With a table of one row the norm knows no bin.
        encoder_norm, decoder_norm = partial(conditional, 1), partial(conditional, num_bins)
        self.stem = same_convolution(_SIDE**2 * in_channels, filters[0], rngs=rngs)
        self.down = conditional_blocks(filters, resize=mean_halve, norm=encoder_norm, rngs=rngs)
        self.up = conditional_blocks(filters[::-1], resize=double, norm=decoder_norm, rngs=rngs)
        self.head_norm = batch_norm(filters[0], momentum=momentum, epsilon=EPSILON, rngs=rngs)
        self.head = same_convolution(filters[0], 3, last=True, rngs=rngs)

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
            latent: the result of ``encode``.
            bins: for each image the bin that its probability is to reach, 0..num_bins - 1.

        Returns:
            Images (b, h, w, in_channels) in [0, 1].

        Raises:
            InputError: bins that are none.
        """
        x, images = latent
        check_bins(bins, len(images), self.num_bins)
        for block in self.up:
            x = block(x, bins)
        fields = _GAIN * self.head(nnx.relu(self.head_norm(x)))  # (b, h / 2, w / 2, 3)
        if self.symmetric:
            fields = (fields + fields[:, :, ::-1] * jnp.array([1.0, -1.0, 1.0])) / 2
        moved = self.reach * images.shape[1] * jnp.tanh(mean_halve(fields[..., :2]))
        bent = bend(images, _enlarge(moved, images))
        if not self.shade:
            return bent
        return _shaded(bent, _enlarge(self.shade * jnp.tanh(2 * fields[..., 2:]), images))


def bend(
    images: Float[Array, "b h w c"], displacements: Float[Array, "b h w 2"]
) -> Float[Array, "b h w c"]:
    """Takes the value of each pixel from elsewhere in its image, between pixels linearly.

    Args:
        images: (b, h, w, c), at least 2x2 pixels.
        displacements: how far down and how far right of each pixel its new value is, in pixels;
            outside of the image the value of its edge is taken.

    Returns:
        The bent images, of the same shape.

    >>> row = jnp.array([0.0, 1.0, 2.0])
    >>> images = jnp.stack([row, row])[None, :, :, None]
    >>> bend(images, jnp.full((1, 2, 3, 2), 0.5))[0, 0, :, 0].tolist()
    [0.5, 1.5, 2.0]
    """
    number, height, width, channels = images.shape
    rows = jnp.clip(jnp.arange(height)[:, None] + displacements[..., 0], 0, height - 1)
    columns = jnp.clip(jnp.arange(width) + displacements[..., 1], 0, width - 1)
    top = jnp.clip(jnp.floor(jax.lax.stop_gradient(rows)), 0, height - 2).astype(int)
    left = jnp.clip(jnp.floor(jax.lax.stop_gradient(columns)), 0, width - 2).astype(int)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    flat = images.reshape(number, height * width, channels)

    def values(row: Int[Array, "b h w"], column: Int[Array, "b h w"]) -> Array:
        places = (row * width + column).reshape(number, height * width)
        return jax.vmap(lambda image, index: image[index])(flat, places).reshape(images.shape)

    upper = values(top, left) * (1 - right) + values(top, left + 1) * right
    lower = values(top + 1, left) * (1 - right) + values(top + 1, left + 1) * right
    return upper * (1 - down) + lower * down


def _enlarge(
    fields: Float[Array, "b h2 w2 d"], images: Float[Array, "b h w c"]
) -> Float[Array, "b h w d"]:
    """Fields at the size of images, linearly between their pixels."""
    return jax.image.resize(fields, (*images.shape[:3], fields.shape[-1]), "linear")


def _shaded(
    images: Float[Array, "b h w c"], rise: Float[Array, "b h w 1"]
) -> Float[Array, "b h w c"]:
    """Images whose brightness has other log-odds; a rise of 0 leaves them."""
    share = images * (1 - 2 * _DARKEST) + _DARKEST
    odds = jnp.log(share) - jnp.log1p(-share)
    return jnp.clip((jax.nn.sigmoid(odds + rise) - _DARKEST) / (1 - 2 * _DARKEST), 0, 1)


class _NormalisedBlock(Block):
    """A residual block that halves the maps, with batch norm before each activation.

    Args:
        in_channels: the number of channels of the input maps.
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
        in_channels: int = IN_CHANNELS,
        filters: Sequence[int] = (32, 64, 128),
        num_bins: int = NUM_BINS,
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
        self.realness = dense(filters[-1], 1, last=True, rngs=rngs)
        self.embedding = nnx.Linear(
            filters[-1], num_bins - 1, use_bias=False, promote_dtype=widest, rngs=rngs
        )

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
    """Returns each square of 2x2 pixels as one of half the resolution and four times the channels.

    >>> squares_as_channels(jnp.arange(4.0).reshape(1, 2, 2, 1)).tolist()
    [[[[0.0, 1.0, 2.0, 3.0]]]]
    """
    b, h, w, c = images.shape
    squares = images.reshape(b, h // _SIDE, _SIDE, w // _SIDE, _SIDE, c).swapaxes(2, 3)
    return squares.reshape(b, h // _SIDE, w // _SIDE, _SIDE**2 * c)


def _leaky(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    return nnx.leaky_relu(x, negative_slope=0.2)
