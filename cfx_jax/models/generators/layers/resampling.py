"""4x4 convolutions with stride 2, which halve maps, and their transposes, which double them.

Their padding is 1.

Written as one matrix product over gathered pixels: the same functions with as many parameters. On a
CPU XLA is slow with the weight gradient of the transposed convolution and with second derivatives
of either, which a gradient penalty needs (two cores, 16 maps of 32x32 pixels and 16 channels: 15 ms
against 59 for the former, to 8 channels; 10 against 65 for a second derivative of the halving to
32).
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class Halving(nnx.Module):
    """The 4x4 convolution with stride 2 and padding 1.

    The last pixel of an odd side only reaches into other windows.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        use_bias: whether a bias is added.
        kernel_init: draws the initial weights, of shape (16 in_channels, out_channels).
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        use_bias: bool,
        kernel_init: nnx.Initializer,
        rngs: nnx.Rngs,
    ) -> None:
        self.product = nnx.Linear(
            16 * in_channels, out_channels, use_bias=use_bias, kernel_init=kernel_init, rngs=rngs
        )

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, h // 2, w // 2, out_channels)."""
        number, height, width, channels = x.shape
        rows, columns = height // 2 + 1, width // 2 + 1
        padded = _padded(x)[:, : 2 * rows, : 2 * columns]
        blocks = padded.reshape(number, rows, 2, columns, 2, channels).swapaxes(2, 3)
        return self.product(_windows(blocks.reshape(number, rows, columns, 4 * channels)))


class Doubling(nnx.Module):
    """The transposed 4x4 convolution with stride 2 and padding 1, without bias.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        kernel_init: draws the initial weights, of shape (4 in_channels, 4 out_channels).
        rngs: source of the initial weights.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_init: nnx.Initializer, rngs: nnx.Rngs
    ) -> None:
        self.product = nnx.Linear(
            4 * in_channels, 4 * out_channels, use_bias=False, kernel_init=kernel_init, rngs=rngs
        )

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, 2 h, 2 w, out_channels)."""
        number, height, width, _ = x.shape
        # At each corner where pixels meet: what it gives the odd and the even row (column) that
        # meet there.
        corners = self.product(_windows(_padded(x))).reshape(
            number, height + 1, width + 1, 2, 2, -1
        )
        rows = jnp.stack([corners[:, :-1, :, 1], corners[:, 1:, :, 0]], axis=2)
        columns = jnp.stack([rows[:, :, :, :-1, 1], rows[:, :, :, 1:, 0]], axis=4)
        return columns.reshape(number, 2 * height, 2 * width, -1)


def _padded(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _windows(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
    """Returns the 2x2 pixels of each corner as channels, (b, h - 1, w - 1, 4 c)."""
    return jnp.concatenate([x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]], axis=-1)
