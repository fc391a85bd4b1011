"""Spectrally normalised layers against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.models.generators.layers import (
    SpectralConvolution,
    SpectralLinear,
    SpectralVector,
    power_step,
)

RNG = np.random.default_rng(0)
MAPS = jnp.asarray(RNG.normal(size=(2, 5, 6, 3)), jnp.float32)


def linear(kernel):
    layer = SpectralLinear(*kernel.shape, rngs=nnx.Rngs(0))
    layer.kernel[...] = kernel
    return layer


@jax.jit
def updated_vector(layer):
    view = nnx.view(layer, update_spectral=True)
    view.normalised()
    return view.vector[...]


def iterate(layer, number):
    """The layer after a number of calls that update it."""
    for _ in range(number):
        layer.vector[...] = updated_vector(layer)
    return layer


def test_the_singular_value_of_a_known_matrix():
    kernel = jnp.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    np.testing.assert_allclose(iterate(linear(kernel), 50).normalised(), kernel / 4, rtol=1e-5)


@pytest.mark.parametrize("make", [SpectralLinear, SpectralConvolution])
def test_kernels_as_matrices_come_to_spectral_norm_one(make):
    layer = iterate(make(3, 4, rngs=nnx.Rngs(1)), 50)
    matrix = np.asarray(layer.normalised()).reshape(-1, 4)
    assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-3)


def test_one_call_is_one_step_of_the_power_iteration():
    layer = linear(jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32))
    kernel, start = (np.asarray(each[...], np.float64) for each in (layer.kernel, layer.vector))
    left = kernel @ start
    left /= np.linalg.norm(left)
    right = left @ kernel
    expected = kernel / np.linalg.norm(right)  # left @ kernel @ (right / |right|) is |right|
    np.testing.assert_allclose(layer.normalised(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        iterate(layer, 1).vector[...], right / np.linalg.norm(right), rtol=1e-4
    )


def test_the_vector_changes_in_an_updating_view_alone():
    layer = SpectralConvolution(3, 4, rngs=nnx.Rngs(0))
    before = np.asarray(layer.vector[...])
    model = nnx.Sequential(layer)
    model(MAPS)
    np.testing.assert_array_equal(layer.vector[...], before)
    nnx.view(model, update_spectral=True)(MAPS)
    assert np.any(
        np.asarray(layer.vector[...]) != before
    )  # a view shares its variables with the model
    assert not layer.update_spectral


def test_the_vector_is_a_state_and_no_parameter():
    layer = SpectralLinear(3, 4, rngs=nnx.Rngs(0))
    parameters, states = nnx.state(layer, nnx.Param, SpectralVector)
    assert set(nnx.to_pure_dict(parameters)) == {"kernel", "bias"} and set(
        nnx.to_pure_dict(states)
    ) == {"vector"}


def test_gradients_hold_the_singular_vectors_still():
    """d<C, W / s> / dW = C / s - <C, W> / s^2 u v^T, with s = u^T W v."""
    layer = linear(jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32))
    cotangent = jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32)
    graph, parameters, rest = nnx.split(layer, nnx.Param, ...)
    found = jax.grad(lambda given: (cotangent * nnx.merge(graph, given, rest).normalised()).sum())(
        parameters
    )
    kernel = layer.kernel[...]
    left, right = power_step(kernel, layer.vector[...])
    sigma = left @ kernel @ right
    expected = cotangent / sigma - (cotangent * kernel).sum() / sigma**2 * jnp.outer(left, right)
    np.testing.assert_allclose(found["kernel"][...], expected, rtol=1e-4, atol=1e-5)


def test_outputs_are_those_of_the_normalised_kernel_and_the_plain_bias():
    convolution, pointwise = (
        make(3, 4, rngs=nnx.Rngs(0)) for make in (SpectralConvolution, SpectralLinear)
    )
    for layer in (convolution, pointwise):
        layer.bias[...] = jnp.arange(4.0)
        layer.kernel[...] = 10 * layer.kernel[...]
        np.testing.assert_allclose(layer(jnp.zeros((1, 4, 4, 3)))[0, 0, 0], np.arange(4))
    padded = np.pad(np.asarray(MAPS), [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    kernel = np.asarray(convolution.normalised())
    expected = np.einsum("bhwcij,ijcd->bhwd", windows, kernel) + np.arange(4)
    np.testing.assert_allclose(convolution(MAPS), expected, atol=1e-4)
    expected = np.asarray(MAPS) @ np.asarray(pointwise.normalised()) + np.arange(4)
    np.testing.assert_allclose(pointwise(MAPS), expected, atol=1e-5)
    assert SpectralLinear(3, 4, use_bias=False, rngs=nnx.Rngs(0)).bias is None
