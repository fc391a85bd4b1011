"""Self-attention over the positions of feature maps.

Zhang et al. 2019, "Self-Attention Generative Adversarial Networks", equations 1 to 3.

Deviations:

- There is no spectral norm, which belongs to their adversarial training.
- The values keep all channels, as in most re-implementations, where the paper takes an eighth of
  them and maps the sum back.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers import pointwise

_REDUCTION = 8


class SelfAttention(nnx.Module):
    """A layer that adds to each position a weighted mean of linear maps of all positions.

    The mean is multiplied by a learned factor that starts at 0.

    The weights of the mean are a softmax of products of queries and keys, so memory grows with the
    square of the number of positions: maps of 32x32 have a million weights.

    Args:
        channels: the number of channels of the input maps, at least 8; queries and keys have an
            eighth.
        rngs: source of the initial weights.

    Raises:
        InputError: fewer than 8 channels.
    """

    def __init__(self, channels: int, *, rngs: nnx.Rngs) -> None:
        if channels < _REDUCTION:
            raise InputError(
                f"channels: expected at least {_REDUCTION} for self-attention, whose queries have"
                f" an eighth, got {channels}"
            )
        self.query = pointwise(channels, channels // _REDUCTION, rngs=rngs)
        self.key = pointwise(channels, channels // _REDUCTION, rngs=rngs)
        self.value = pointwise(channels, channels, rngs=rngs)
        self.gamma = nnx.Param(jnp.zeros(()))

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Maps (b, h, w, channels) to the same shape; at first the identity."""
        positions = x.reshape(len(x), -1, x.shape[-1])
        products = jnp.einsum("bqc,bkc->bqk", self.query(positions), self.key(positions))
        attended = jnp.einsum(
            "bqk,bkc->bqc", jax.nn.softmax(products, axis=-1), self.value(positions)
        )
        return x + self.gamma[...] * attended.reshape(x.shape)
