"""Convolutions of small maps by large kernels: on a CPU a matrix product.

XLA's convolutions for CPUs turn and reorder the kernel for each gradient. Where the kernel has many
more numbers than the maps, that is most of the work, and where it is larger than the map, they have
no fast path at all. There the pixels that the kernel meets are laid side by side and multiplied
with the kernel as a matrix: the same sums in another order. The gradient of the maps, kernels 3x3,
in processor time of one core, by XLA and as a product: 512 channels on one map of 2x2 41 and 2.3
ms, on one of 7x7 14.9 and 6.5, on eight of 7x7 51 and 40; 256 channels on four maps of 14x14 20.9
and 21.2, which is why larger maps are left to XLA. Elsewhere than on a CPU all are.
"""

import itertools
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from cfx_jax.backend import small_maps_as_products

_LARGEST_AREA = 49
"""Pixels of the largest map that a product computes; the last maps at 224 pixels have as many."""
_MANY_MORE = 4
"""How many times as many numbers as the maps the kernel must have."""


def convolve(
    maps: Float[Array, "b h w c"],
    kernel: Float[Array, "n m c d"],
    strides: tuple[int, int],
    padding: Any,
    **options: Any,
) -> Float[Array, "b h2 w2 d"]:
    """A convolution for ``nnx.Conv(conv_general_dilated=...)``, by the way that is faster.

    Args:
        maps: the maps that are convolved.
        kernel: the kernel of all channels.
        strides: steps of the kernel, in pixels.
        padding: zeros before and after each side, in pixels.
        options: what else ``lax.conv_general_dilated`` takes, without dilations and groups.
    """
    if small_maps_as_products() and _is_small(maps, kernel, strides, padding):
        kept = {name: options.get(name) for name in ("precision", "preferred_element_type")}
        return as_product(maps, kernel, strides, padding, **kept)
    return lax.conv_general_dilated(maps, kernel, strides, padding, **options)


def _is_small(
    maps: Array, kernel: Array, strides: tuple[int, int], padding: list[tuple[int, int]]
) -> bool:
    (height, width), size = maps.shape[1:3], kernel.shape[:2]
    sides = [
        (length + before + after - extent) // stride + 1
        for length, extent, stride, (before, after) in zip(
            (height, width), size, strides, padding, strict=True
        )
    ]
    return sides[0] * sides[1] <= _LARGEST_AREA and kernel.size >= _MANY_MORE * maps.size


def as_product(
    maps: Float[Array, "b h w c"],
    kernel: Float[Array, "n m c d"],
    strides: tuple[int, int],
    padding: list[tuple[int, int]],
    **options: Any,
) -> Float[Array, "b h2 w2 d"]:
    """Computes the convolution as a matrix product of the pixels that the kernel meets.

    Args:
        maps, kernel, strides, padding: as in ``convolve``.
        options: the options of the product, as in ``jnp.matmul``: its precision and the type of its
            sums.
    """
    rows, columns, *channels = kernel.shape
    padded = jnp.pad(maps, [(0, 0), *padding, (0, 0)])
    batch, height, width, depth = padded.shape
    parts = [
        lax.slice(
            padded,
            (0, row, column, 0),
            (batch, height - rows + 1 + row, width - columns + 1 + column, depth),
            (1, *strides, 1),
        )
        for row, column in itertools.product(range(rows), range(columns))
    ]
    met = jnp.concatenate(parts, axis=-1)  # (b, h2, w2, rows * columns * c)
    return jnp.matmul(met, kernel.reshape(-1, channels[-1]), **options)
