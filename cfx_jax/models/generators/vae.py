"""The variational autoencoder of xGEM, the method that Singla et al. 2020 compare with.

Appendix A.2; layers and defaults of the code that it names, LynnHo/VAE-Tensorflow, for 64 pixels.

How it was enlarged to 128 pixels is not published; here another filter adds a stage to encoder and
decoder. Released for images in [-1, 1]; here images are in [0, 1] and mapped inside. Deviation:
running averages keep 0.9 of their value a step instead of 0.999, so that short trainings have them
right.
"""

from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.generators.layers import TransposedConvolution, dense, glorot_uniform
from cfx_jax.models.layers import Block, batch_norm
from cfx_jax.models.layers.checks import (
    check_all_numbers,
    check_height_and_width,
    check_images,
    check_numbers,
    check_size,
)

_EPSILON = 1e-3


class VAE(nnx.Module):
    """Convolutions to a distribution of latent vectors, and transposed convolutions to an image.

    The distribution is normal, given by its mean and its log variance.

    Args:
        size: height and width of the images, in pixels; each divides by 2 for each filter.
        in_channels: channels of the images.
        filters: channels after each 5x5 convolution with stride 2 (released, for 64 pixels); for
            128 add a fifth.
        latent: length of the latent vector (released: 32).
        rngs: source of the initial weights.

    Raises:
        InputError: no filter, a number below 1, or sides that do not divide.

    >>> model = nnx.eval_shape(lambda: VAE(size=(8, 8), filters=(2, 4), latent=3, rngs=nnx.Rngs(0)))
    >>> nnx.eval_shape(lambda model: model.decode(jnp.zeros((1, 3))), model).shape
    (1, 8, 8, 3)
    """

    def __init__(
        self,
        *,
        size: tuple[int, int] = (64, 64),
        in_channels: int = 3,
        filters: Sequence[int] = (64, 128, 256, 512),
        latent: int = 32,
        rngs: nnx.Rngs,
    ) -> None:
        check_height_and_width(size)
        check_numbers({"in_channels": in_channels, "latent": latent})
        check_all_numbers({"filters": filters})
        divisor = 2 ** len(filters)
        if any(side < 1 or side % divisor for side in size):
            raise InputError(
                f"size: expected sides that divide by {divisor}, since {len(filters)} filters halve"
                f" the maps as often, got {size[0]}x{size[1]}"
            )
        self.size, self.in_channels = tuple(size), in_channels
        self.smallest = (size[0] // divisor, size[1] // divisor, filters[-1])
        length = self.smallest[0] * self.smallest[1] * filters[-1]
        self.down = nnx.List(
            [_Halving(a, b, rngs=rngs) for a, b in pairwise((in_channels, *filters))]
        )
        self.mean, self.log_variance = (
            dense(length, latent, last=True, rngs=rngs),
            dense(length, latent, last=True, rngs=rngs),
        )
        self.enter = dense(latent, length, rngs=rngs)
        self.up = nnx.List([_Doubling(a, b, rngs=rngs) for a, b in pairwise(filters[::-1])])
        self.leave = TransposedConvolution(
            filters[0], in_channels, use_bias=True, last=True, rngs=rngs
        )

    def encode(
        self, images: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b d"], Float[Array, "b d"]]:
        """Computes the normal distributions of the latents of images.

        Args:
            images: (b, h, w, in_channels) in [0, 1], of the ``size`` that the network was made for.

        Returns:
            Means and natural logarithms of the variances, each (b, latent).

        Raises:
            InputError: images of another shape, or integers.
        """
        check_images(images, self.in_channels)
        check_size(images, self.size, network="VAE")
        x = 2 * images - 1
        for down in self.down:
            x = down(x)
        flat = x.reshape(len(x), -1)
        return self.mean(flat), self.log_variance(flat)

    def decode(self, latent: Float[Array, "b d"]) -> Float[Array, "b h w c"]:
        """Draws images (b, h, w, in_channels) in [0, 1] from latent vectors (b, latent)."""
        x = nnx.relu(self.enter(latent)).reshape(-1, *self.smallest)
        for up in self.up:
            x = up(x)
        return (jnp.tanh(self.leave(x)) + 1) / 2


class _Halving(Block):
    """A 5x5 convolution with stride 2, batch norm, and a leaky ReLU with slope 0.2."""

    def __init__(self, in_channels: int, width: int, *, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(
            in_channels,
            width,
            kernel_size=(5, 5),
            strides=(2, 2),
            padding="SAME",
            use_bias=False,
            kernel_init=glorot_uniform,
            rngs=rngs,
        )
        self.norm = batch_norm(width, epsilon=_EPSILON, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        return jax.nn.leaky_relu(self.norm(self.conv(x)), negative_slope=0.2)


class _Doubling(Block):
    """A transposed 5x5 convolution with stride 2, batch norm, and a ReLU."""

    def __init__(self, in_channels: int, width: int, *, rngs: nnx.Rngs) -> None:
        self.conv = TransposedConvolution(in_channels, width, use_bias=False, rngs=rngs)
        self.norm = batch_norm(width, epsilon=_EPSILON, rngs=rngs)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        return nnx.relu(self.norm(self.conv(x)))
