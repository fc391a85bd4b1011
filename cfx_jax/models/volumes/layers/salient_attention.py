"""Attention to where a saliency map is high.

Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification and Detection
in Medical Imaging", section 3.1; layers as released.

Features F of the image become ``F (1 + M)`` with a mask M made of the features of the saliency map.
As M is in (0, 1), a place is weighted up relative to others, and none is ever weighted below 1.
Only the fused mask has no bounds.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.models.layers import batch_norm, convolution, he_fan_out

Pooling = Literal["max", "mean"]
"""How channels become one."""


def _highest(x: Float[Array, "*b c"], axis: int, keepdims: bool) -> Float[Array, "*b 1"]:
    """Computes the maximum, whose gradient goes to the first of equals, as PyTorch's does.

    JAX's own is shared among all that compare as equal, which may be none where a compiler computes
    x again: NaN.
    """
    first = jnp.argmax(x, axis=axis, keepdims=keepdims)
    return jnp.where(jnp.arange(x.shape[axis]) == first, x, 0).sum(axis=axis, keepdims=keepdims)


_POOLS: dict[str, Callable[..., Array]] = {"max": _highest, "mean": jnp.mean}


class SalientAttention(nnx.Module):
    """A mask of feature maps: one channel of all, 3x3 convolution, batch norm, sigmoid.

    The batch norm is the released code's. Through its running averages a map of zeros has a
    constant mask, not 0.

    Args:
        pooling: whether the channel is the maximum of all (published as slightly better) or their
            mean.
        rngs: source of the initial weights.

    Raises:
        InputError: an unknown ``pooling``.
    """

    def __init__(self, *, pooling: Pooling, rngs: nnx.Rngs) -> None:
        check_choice(pooling, tuple(_POOLS), name="pooling")
        self.pooling = pooling
        self.conv = convolution(1, 1, size=3, rngs=rngs)
        self.norm = batch_norm(1, rngs=rngs)

    def __call__(self, features: Float[Array, "n h w c"]) -> Float[Array, "n h w 1"]:
        """Maps features (n, h, w, c) to masks (n, h, w, 1) in (0, 1)."""
        pooled = _POOLS[self.pooling](features, axis=-1, keepdims=True)
        return nnx.sigmoid(self.norm(self.conv(pooled)))


class MaskFusion(nnx.Module):
    """One mask of several: each averaged to one grid, then a 1x1 convolution without bias.

    Negative values are possible.

    Args:
        num_masks: how many masks are fused, at least 1.
        zero_init: start with weights 0, so that the fused mask starts without effect. Released:
            He's normal distribution, with which ``1 + mask`` can be near 0 or below.
        rngs: source of the initial weights.
    """

    def __init__(self, num_masks: int, *, zero_init: bool = False, rngs: nnx.Rngs) -> None:
        start = nnx.initializers.zeros if zero_init else he_fan_out
        self.weights = nnx.Linear(num_masks, 1, use_bias=False, kernel_init=start, rngs=rngs)

    def __call__(
        self, masks: Sequence[Float[Array, "n ?h ?w 1"]], grid: tuple[int, ...]
    ) -> Float[Array, "n gh gw 1"]:
        """Maps masks (n, h, w, 1), each of its own size, to one (n, *grid, 1)."""
        return self.weights(jnp.concatenate([average_pool(mask, grid) for mask in masks], axis=-1))


def average_pool(maps: Float[Array, "n h w c"], grid: tuple[int, ...]) -> Float[Array, "n gh gw c"]:
    """Computes means over the cells of a grid, as PyTorch's adaptive average pooling does.

    Cell i of g along a side of n pixels reaches from pixel ``floor(i n / g)`` up to
    ``ceil((i + 1) n / g)``: where g divides n the cells are tiles, else neighbours share a pixel.

    Args:
        maps: (n, h, w, c).
        grid: number of rows and columns of cells.

    Returns:
        (n, *grid, c).

    >>> average_pool(jnp.arange(4.0).reshape(1, 1, 4, 1), (1, 2)).ravel().tolist()
    [0.5, 2.5]
    """
    rows, columns = (_cells(side, cells) for side, cells in zip(maps.shape[1:3], grid, strict=True))
    return jnp.einsum("gh,nhwc,kw->ngkc", rows, maps, columns, precision=lax.Precision.HIGHEST)


def _cells(side: int, cells: int) -> Float[np.ndarray, "cells side"]:
    """Computes one row of weights for each cell, of sum 1."""
    index, pixel = np.arange(cells)[:, None], np.arange(side)
    inside = (pixel >= index * side // cells) & (pixel < -(-(index + 1) * side // cells))
    return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)
