"""The autoencoder of slices in whose latents ACAT's counterfactuals are made.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", appendix B; layers as released.

A latent has as many numbers as the slice has pixels: there is no bottleneck. Three stages of two
residual blocks encode, three decode, and the image that comes out has no bounds. Deviation: the
released decoder's linear layer, which is never used, is left out.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.checks import check_flag
from cfx_jax.errors import InputError
from cfx_jax.models.generators.generator_view import Generator, coding_view
from cfx_jax.models.generators.layers import Affine, double
from cfx_jax.models.layers import (
    BasicBlock,
    Block,
    Norm,
    NormalisedPointwise,
    batch_norm,
    convolution,
    widest,
)
from cfx_jax.models.layers.checks import check_all_numbers, check_images, check_numbers, check_sides
from cfx_jax.models.views import leaves_at_least_float32

# PyTorch's first weights of a convolution. He's, of its one channel of output, are 8.5 times as
# large.
_OUTPUT_INIT = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


_SQUARE = 2  # the side of the squares of pixels that become channels


class ResidualAutoencoder(nnx.Module):
    """Residual blocks from a slice to maps of a quarter of its sides, and back.

    Args:
        width: channels of the first convolution, at full resolution (published: 128). It and the
            next are most of the encoder's work, so fewer spare much of it.
        filters: channels of each encoding stage; stages after the first halve the maps.
        decoder_filters: channels of each decoding stage; stages before the last double the maps.
        norms: whether there are batch norms (published). Without them (ours) layers without
            statistics take their places, and each block is its shortcut at first. It then learns in
            fewer steps to draw small slices as they are.
        fold_pixels: whether squares of 2x2 pixels become four channels before the first
            convolution, and pixels again after the last (ours). This halves the maps once more and
            spares all layers at full resolution, which cost the most; no pixel is lost by it.
        rngs: source of the initial weights.

    Raises:
        InputError: no stage, unequal numbers of them, or a number below 1.

    >>> model = nnx.eval_shape(lambda: ResidualAutoencoder(width=2, rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model.encode(jnp.zeros((1, 16, 16, 1))), model).shape
    (1, 4, 4, 16)
    """

    def __init__(
        self,
        *,
        width: int = 128,
        filters: Sequence[int] = (6, 12, 16),
        decoder_filters: Sequence[int] = (16, 12, 12),
        norms: bool = True,
        fold_pixels: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        check_numbers({"width": width})
        check_flag(norms, name="norms")
        check_flag(fold_pixels, name="fold_pixels")
        check_all_numbers({"filters": filters, "decoder_filters": decoder_filters})
        if len(filters) != len(decoder_filters):
            raise InputError(
                "decoder_filters: expected one for each of at least one of `filters`, got"
                f" {len(decoder_filters)} for {len(filters)}"
            )
        self.fold_pixels, self.num_halvings = fold_pixels, len(filters) - 1 + fold_pixels
        norm, channels = batch_norm if norms else Affine, _SQUARE**2 if fold_pixels else 1
        self.stem = convolution(channels, width, size=3, rngs=rngs)
        self.stem_norm = norm(width, rngs=rngs)
        self.down, self.up = (
            _encoder_blocks((width, *filters), norm, rngs),
            _decoder_blocks((filters[-1], *decoder_filters), norm, rngs),
        )
        self.leave = nnx.Conv(
            decoder_filters[-1],
            channels,
            kernel_size=(3, 3),
            padding=[(1, 1), (1, 1)],
            use_bias=False,
            kernel_init=_OUTPUT_INIT,
            promote_dtype=widest,
            rngs=rngs,
        )
        if not norms:
            for block in (*self.down, *self.up):
                block.conv2.kernel[...] = jnp.zeros_like(block.conv2.kernel[...])

    def encode(self, images: Float[Array, "n h w 1"]) -> Float[Array, "n lh lw d"]:
        """Computes the latents of slices.

        Args:
            images: (n, h, w, 1) in [0, 1], with sides that divide by 4 (by 2 for each stage after
                the first, and once more with ``fold_pixels``).

        Returns:
            Latents (n, h / 4, w / 4, 16), at least 0.

        Raises:
            InputError: another shape, sides that do not divide, or integers.
        """
        check_images(images, 1)
        check_sides(images, self.num_halvings)
        x = _squares_to_channels(images) if self.fold_pixels else images
        x = nnx.relu(self.stem_norm(self.stem(x)))
        for block in self.down:
            x = block(x)
        return x

    def decode(self, latent: Float[Array, "n lh lw d"]) -> Float[Array, "n h w 1"]:
        """Draws slices (n, 4 lh, 4 lw, 1) from latents (n, lh, lw, 16).

        Their values may leave [0, 1].
        """
        x = latent
        for block in self.up:
            x = block(x)
        x = self.leave(x)
        return _channels_to_squares(x) if self.fold_pixels else x

    def __call__(self, images: Float[Array, "n h w 1"]) -> Float[Array, "n h w 1"]:
        """Computes reconstructions (n, h, w, 1) of slices, ``decode(encode(images))``."""
        return self.decode(self.encode(images))


def _squares_to_channels(images: Float[Array, "n h w 1"]) -> Float[Array, "n fh fw 4"]:
    """Turns each square of 2x2 pixels into one pixel of four channels."""
    number, rows, columns, _ = images.shape
    squares = images.reshape(number, rows // _SQUARE, _SQUARE, columns // _SQUARE, _SQUARE)
    return squares.transpose(0, 1, 3, 2, 4).reshape(*squares.shape[:2], squares.shape[3], -1)


def _channels_to_squares(maps: Float[Array, "n fh fw 4"]) -> Float[Array, "n h w 1"]:
    """Turns each pixel of four channels back into a square of 2x2 pixels."""
    number, rows, columns, _ = maps.shape
    squares = maps.reshape(number, rows, columns, _SQUARE, _SQUARE).transpose(0, 1, 3, 2, 4)
    return squares.reshape(number, rows * _SQUARE, columns * _SQUARE, 1)


def _encoder_blocks(channels: Sequence[int], norm: Norm, rngs: nnx.Rngs) -> nnx.List:
    """Makes two blocks for each stage; the first one halves, but for the first stage."""
    blocks: list[nnx.Module] = []
    for index, (before, after) in enumerate(pairwise(channels)):
        blocks.append(
            BasicBlock(before, after, stride=min(index, 1) + 1, act=nnx.relu, norm=norm, rngs=rngs)
        )
        blocks.append(BasicBlock(after, after, stride=1, act=nnx.relu, norm=norm, rngs=rngs))
    return nnx.List(blocks)


def _decoder_blocks(channels: Sequence[int], norm: Norm, rngs: nnx.Rngs) -> nnx.List:
    """Makes two blocks for each stage; the first one doubles, but for the last stage."""
    blocks: list[nnx.Module] = []
    for index, (before, after) in enumerate(pairwise(channels)):
        blocks.append(
            _DecoderBlock(before, after, doubling=index < len(channels) - 2, norm=norm, rngs=rngs)
        )
        blocks.append(_DecoderBlock(after, after, doubling=False, norm=norm, rngs=rngs))
    return nnx.List(blocks)


class _DecoderBlock(Block):
    """Two 3x3 convolutions and a shortcut, with a doubling between the convolutions or without."""

    def __init__(
        self, in_channels: int, width: int, *, doubling: bool, norm: Norm, rngs: nnx.Rngs
    ) -> None:
        self.doubling = doubling
        self.conv1 = convolution(in_channels, in_channels, size=3, rngs=rngs)
        self.norm1 = norm(in_channels, rngs=rngs)
        self.conv2 = convolution(in_channels, width, size=3, rngs=rngs)
        self.norm2 = norm(width, rngs=rngs)
        is_plain = not doubling and in_channels == width
        self.shortcut = nnx.data(
            None if is_plain else NormalisedPointwise(in_channels, width, norm=norm, rngs=rngs)
        )

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 d"]:
        y = self._resized(nnx.relu(self.norm1(self.conv1(x))))
        y = self.norm2(self.conv2(y))
        # Doubling repeats pixels, so the 1x1 convolution and the norm may as well come before it,
        # on a quarter of them.
        return nnx.relu(y + (x if self.shortcut is None else self._resized(self.shortcut(x))))

    def _resized(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
        return double(x) if self.doubling else x


def coder_of(model: nnx.Module) -> Generator:
    """Turns an autoencoder of batches of slices into one of a volume, in inference mode.

    The slices are the batch.

    The result shares the model's weights as they are now, and is a pytree. ``generator_of(model)``
    is for one slice.

    Args:
        model: an NNX module with the methods ``encode`` and ``decode``, as ``ResidualAutoencoder``
            has them.

    Returns:
        ``encode``, volume (s, h, w, c) -> latent, and ``decode``, latent -> volume. The published
        latent has shape (s, h / 4, w / 4, 16).

    Raises:
        InputError: ``model`` is not an NNX module with these methods.

    >>> import jax
    >>> coder = coder_of(nnx.eval_shape(lambda: ResidualAutoencoder(width=2, rngs=nnx.Rngs(0))))
    >>> volume = jnp.zeros((3, 16, 16, 1))
    >>> jax.eval_shape(lambda coder, volume: coder.encode(volume), coder, volume).shape
    (3, 4, 4, 16)
    """
    view = coding_view(model)
    return Generator(Partial(_encode, view), Partial(_decode, view))


def _encode(model: Any, volume: Float[Array, "s h w c"]) -> Any:
    return leaves_at_least_float32(model.encode(volume))


def _decode(model: Any, latent: Any) -> Any:
    return model.decode(latent)
