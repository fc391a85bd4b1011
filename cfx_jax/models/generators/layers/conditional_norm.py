"""Conditional batch norm (Dumoulin et al. 2017, "A Learned Representation for Artistic Style").

The statistics are taken over all images of the batch. Each image has the scale and the shift of its
own condition.
"""

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from cfx_jax.models.layers import promote_dtype


class ConditionalBatchNorm(nnx.Module):
    """Batch norm, then ``scale[condition] * x + bias[condition]`` for each image.

    The variance is the batch's variance, not corrected for its size. With a single condition the
    layer is plain batch norm. ``nnx.view(model, use_running_average=True)`` makes it use its
    running averages, as for ``nnx.BatchNorm``; in training an image's result depends on the others
    of its batch, whatever their conditions are.

    Args:
        num_conditions: rows of the tables of scales (at first 1) and shifts (at first 0), at least
            1.
        channels: size of the last axis.
        momentum: share of its value that a running average keeps in a step, in [0, 1).
        epsilon: added to the variance (released: 1e-3).
        rngs: not used by what is not random; the statistics' layer requires it.
    """

    def __init__(
        self,
        num_conditions: int,
        channels: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        rngs: nnx.Rngs,
    ) -> None:
        self.dtype: DTypeLike | None = None
        self.normalise = nnx.BatchNorm(
            channels, momentum=momentum, epsilon=epsilon, use_bias=False, use_scale=False, rngs=rngs
        )
        self.scale = nnx.Param(jnp.ones((num_conditions, channels)))
        self.bias = nnx.Param(jnp.zeros((num_conditions, channels)))

    def __call__(
        self, x: Float[Array, "b h w c"], condition: Int[Array, " b"]
    ) -> Float[Array, "b h w c"]:
        """Maps (b, h, w, channels) to the same shape.

        There is one condition for each image, in 0..num_conditions - 1.
        """
        scale, bias = (table[...][condition][:, None, None] for table in (self.scale, self.bias))
        x, scale, bias = promote_dtype((self.normalise(x), scale, bias), dtype=self.dtype)
        return scale * x + bias
