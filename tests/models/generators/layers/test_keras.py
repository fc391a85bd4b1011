"""Layers with Keras' defaults."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.generators.layers import Affine, dense, glorot_uniform, same_convolution

MAPS = np.random.default_rng(0).normal(size=(2, 6, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(("shape", "fans"), [((3, 3, 40, 60), 9 * 100), ((200, 300), 500)])
def test_glorot_weights_are_uniform_within_their_bound(shape, fans):
    weights = np.asarray(glorot_uniform(jax.random.key(0), shape))
    bound = np.sqrt(6 / fans)
    assert weights.shape == shape
    assert 0.999 * bound < abs(weights).max() <= bound
    assert weights.mean() == pytest.approx(0, abs=0.02 * bound)
    assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)


@pytest.mark.parametrize(("stride", "before"), [(1, 1), (2, 0)])
def test_even_maps_are_padded_as_in_keras(stride, before):
    layer = same_convolution(3, 4, stride=stride, rngs=nnx.Rngs(0))
    kernel = np.asarray(layer.kernel[...], np.float64)
    padded = np.pad(MAPS, [(0, 0), (before, 2 - before), (before, 2 - before), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("bhwcij,ijcd->bhwd", windows, kernel)[:, ::stride, ::stride][
        :, : 6 // stride, : 8 // stride
    ]
    np.testing.assert_allclose(layer(MAPS), expected, atol=1e-5)


def test_biases_start_at_zero():
    assert not np.any(same_convolution(3, 4, rngs=nnx.Rngs(0)).bias[...])
    assert not np.any(dense(3, 4, rngs=nnx.Rngs(0)).bias[...])


def test_an_affine_starts_as_the_identity_and_has_no_statistics():
    layer = Affine(3, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(layer(MAPS), MAPS)
    layer.scale[...], layer.bias[...] = jnp.asarray([1.0, 2.0, 3.0]), jnp.asarray([0.0, 0.5, 1.0])
    np.testing.assert_allclose(layer(MAPS), MAPS * [1, 2, 3] + [0, 0.5, 1], atol=1e-6)
    assert {
        type(leaf)
        for leaf in jax.tree.leaves(nnx.state(layer), is_leaf=lambda x: isinstance(x, nnx.Variable))
    } == {nnx.Param}
