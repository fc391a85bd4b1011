"""Halving and doubling of maps: the 4x4 convolution with stride 2 and its transpose, by their
definitions.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.generators.layers import Doubling, Halving

INIT = nnx.initializers.normal(1.0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("sides", [(6, 4), (7, 5)])
def test_halving_is_the_4x4_convolution_with_stride_2(sides):
    x = np.asarray(RNG.normal(size=(2, *sides, 3)), np.float32)
    layer = Halving(3, 5, use_bias=True, kernel_init=INIT, rngs=nnx.Rngs(0))
    layer.product.bias[...] = jnp.arange(5.0)
    # Window, then place in its block of 2x2 pixels, for rows and for columns.
    blocks = np.asarray(layer.product.kernel[...]).reshape(2, 2, 2, 2, 3, 5)
    kernel = blocks.transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, 3, 5)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(1, 2))[:, ::2, ::2]
    expected = np.einsum("bhwcij,ijcd->bhwd", windows, kernel) + np.arange(5)
    found = jax.jit(lambda layer, x: layer(x))(layer, x)
    assert found.shape == (2, sides[0] // 2, sides[1] // 2, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_doubling_is_the_transposed_convolution():
    """Pixel i gives its value times tap k to pixel 2 i - 1 + k."""
    x = np.asarray(RNG.normal(size=(2, 3, 4, 2)), np.float32)
    layer = Doubling(2, 3, kernel_init=INIT, rngs=nnx.Rngs(0))
    parts = np.asarray(layer.product.kernel[...]).reshape(
        2, 2, 2, 2, 2, 3
    )  # windows, channels in, parities, out
    expected = np.zeros((2, 6 + 2, 8 + 2, 3))
    for row, column, odd, right in itertools.product(range(2), repeat=4):
        kernel = parts[row, column, :, odd, right]
        top, left = 2 - 2 * row + odd, 2 - 2 * column + right
        expected[:, top : top + 5 : 2, left : left + 7 : 2] += np.einsum("bhwc,cd->bhwd", x, kernel)
    found = jax.jit(lambda layer, x: layer(x))(layer, x)
    np.testing.assert_allclose(found, expected[:, 1:-1, 1:-1], rtol=1e-4, atol=1e-4)
