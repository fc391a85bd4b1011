"""The transposed convolution that doubles maps, against JAX's own and as the adjoint of the
convolution.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from cfx_jax.models.generators.layers import TransposedConvolution

RNG = np.random.default_rng(0)
MAPS = jnp.asarray(RNG.normal(size=(2, 3, 4, 3)), jnp.float32)
LAYOUT = ("NHWC", "HWIO", "NHWC")


def test_values_are_those_of_the_transposed_convolution():
    layer = TransposedConvolution(3, 2, use_bias=True, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([1.0, 2.0])
    flipped = layer.kernel[...][::-1, ::-1]
    expected = (
        lax.conv_transpose(MAPS, flipped, (2, 2), "SAME", dimension_numbers=LAYOUT)
        + layer.bias[...]
    )
    found = layer(MAPS)
    assert found.shape == (2, 6, 8, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_it_is_the_adjoint_of_the_convolution_with_stride_2():
    layer = TransposedConvolution(3, 2, use_bias=False, rngs=nnx.Rngs(0))
    others = jnp.asarray(RNG.normal(size=(2, 6, 8, 2)), jnp.float32)
    kernel = layer.kernel[...].swapaxes(2, 3)
    convolved = lax.conv_general_dilated(others, kernel, (2, 2), "SAME", dimension_numbers=LAYOUT)
    np.testing.assert_allclose(jnp.vdot(layer(MAPS), others), jnp.vdot(MAPS, convolved), rtol=1e-4)


def test_every_weight_takes_part_once():
    layer = TransposedConvolution(1, 1, use_bias=False, rngs=nnx.Rngs(0))
    layer.kernel[...] = 1 + jnp.arange(25.0).reshape(5, 5, 1, 1)
    one = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2].set(1.0)
    found = np.asarray(jax.jit(layer)(one))[0, ..., 0]
    np.testing.assert_array_equal(found[3:8, 3:8], 1 + np.arange(25).reshape(5, 5))
    assert found.sum() == 25 * 26 / 2
