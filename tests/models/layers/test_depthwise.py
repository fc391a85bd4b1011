"""The depthwise convolution in both of its forms against SciPy's correlation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.signal import correlate2d

from cfx_jax.models.layers import DepthwiseConvolution, grouped_convolution, sum_of_products

FORMS = [grouped_convolution, sum_of_products]
SHAPES = [(3, 1), (3, 2), (5, 1), (5, 2)]


def correlate(x, kernel, stride):
    """One SciPy call for each image and channel."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    pad = kernel.shape[0] // 2
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    maps = [
        [correlate2d(image[..., c], kernel[:, :, 0, c], mode="valid") for c in range(x.shape[3])]
        for image in x
    ]
    return np.array(maps).transpose(0, 2, 3, 1)[:, ::stride, ::stride]


def example(size, height=7, width=6, channels=3):
    rng = np.random.default_rng(0)
    x, kernel = (
        rng.normal(size=(2, height, width, channels)),
        rng.normal(size=(size, size, 1, channels)),
    )
    return jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)


@pytest.mark.parametrize(("size", "stride"), SHAPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("height", [7, 2])
def test_both_forms_are_symmetrically_padded_correlations(form, size, stride, height):
    x, kernel = example(size, height=height)
    expected = correlate(x, kernel, stride)
    convolve = jax.jit(form, static_argnums=2)
    assert expected.shape == (2, -(-height // stride), -(-6 // stride), 3)
    np.testing.assert_allclose(convolve(x, kernel, stride), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), SHAPES)
def test_both_forms_have_the_same_derivatives_in_both_modes(size, stride):
    x, kernel = example(size)
    tangents = example(size, channels=3)[0][::-1], kernel[::-1]

    @functools.partial(jax.jit, static_argnums=0)
    def derivatives(form):
        def convolve(x, kernel):
            return form(x, kernel, stride)

        output, moved = jax.jvp(convolve, (x, kernel), tangents)
        return moved, *jax.vjp(convolve, x, kernel)[1](jnp.sin(output))

    for one, other in zip(
        derivatives(grouped_convolution), derivatives(sum_of_products), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("products", [True, False])
def test_the_layer_takes_the_form_of_the_machine_and_maps_over_images(monkeypatch, products):
    monkeypatch.setattr("cfx_jax.models.layers.depthwise.depthwise_as_products", lambda: products)
    layer, x = DepthwiseConvolution(3, size=3, stride=2, rngs=nnx.Rngs(0)), example(3)[0]
    expected = correlate(x, layer.kernel[...], 2)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)
    one_by_one = jax.vmap(lambda image: layer(image[None])[0])(x)
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-5, atol=1e-5)
    has_convolution = "conv_general_dilated" in str(jax.make_jaxpr(layer.__call__)(x))
    assert has_convolution == (not products)


def test_kernels_start_with_a_variance_of_two_over_their_area():
    kernel = np.asarray(DepthwiseConvolution(2000, size=5, rngs=nnx.Rngs(0)).kernel[...])
    assert kernel.shape == (5, 5, 1, 2000)
    np.testing.assert_allclose(kernel.var(), 2 / 25, rtol=0.03)
    assert abs(kernel.mean()) < 0.01
