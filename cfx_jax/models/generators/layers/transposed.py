"""The 5x5 transposed convolution with stride 2, which doubles maps.

Written as one 3x3 convolution of the small maps to four output pixels each: the same function with
as many parameters. XLA is slow on a CPU with the weight gradient of the transposed form (see
``resampling``).
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from cfx_jax.models.generators.layers.keras import glorot_uniform
from cfx_jax.models.layers import promote_dtype, widest


class TransposedConvolution(nnx.Module):
    """The transposed 5x5 convolution with stride 2 and "same" padding, the convolution's adjoint.

    Pixel u of the output is the sum of ``x[i] kernel[u - 2 i + 1]`` over all i, along either side.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        use_bias: whether a bias is added.
        last: whether it is a network's last layer, which computes in the type of its weights.
        rngs: source of the initial weights, Glorot's uniform.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        use_bias: bool,
        last: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        self.dtype: DTypeLike | None = None
        self.promote_dtype = widest if last else promote_dtype
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (5, 5, in_channels, out_channels)))
        self.bias = nnx.data(nnx.Param(jnp.zeros(out_channels)) if use_bias else None)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """Maps (b, h, w, in_channels) to (b, 2 h, 2 w, out_channels)."""
        b, h, w, _ = x.shape
        bias = None if self.bias is None else self.bias[...]
        x, kernel, bias = self.promote_dtype((x, self.kernel[...], bias), dtype=self.dtype)
        layout = ("NHWC", "HWIO", "NHWC")
        squares = jax.lax.conv_general_dilated(
            x, _of_squares(kernel), (1, 1), "SAME", dimension_numbers=layout
        )
        y = squares.reshape(b, h, w, 2, 2, -1).swapaxes(2, 3).reshape(b, 2 * h, 2 * w, -1)
        return y if bias is None else y + bias


def _of_squares(kernel: Float[Array, "5 5 c d"]) -> Float[Array, "3 3 c e"]:
    """Makes the 3x3 kernel whose output channels are the 2x2 pixels that an input pixel becomes."""
    *_, inputs, outputs = kernel.shape
    padded = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
    # Tap s of the small kernel and pixel a of the square meet in tap 2 (2 - s) + a of the padded
    # one.
    taps = padded.reshape(3, 2, 3, 2, inputs, outputs)[::-1, :, ::-1]
    return taps.transpose(0, 2, 4, 1, 3, 5).reshape(3, 3, inputs, 4 * outputs)
