"""A convolution as a matrix product against XLA's own: values, and derivatives in both modes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from cfx_jax import backend
from cfx_jax.models.layers import convolution, small_maps

NHWC = ("NHWC", "HWIO", "NHWC")
CASES = [(2, 3, 1), (4, 3, 2), (7, 3, 1), (5, 5, 2), (3, 1, 2)]
"""Side of the map, side of the kernel, stride."""


def given(side, size):
    rng = np.random.default_rng(0)
    maps, kernel = rng.normal(size=(2, side, side + 1, 4)), rng.normal(size=(size, size, 4, 6))
    return jnp.asarray(maps, jnp.float32), jnp.asarray(kernel, jnp.float32)


def by_xla(maps, kernel, stride, pad):
    strides, padding = (stride, stride), [(pad, pad), (pad, pad)]
    return lax.conv_general_dilated(maps, kernel, strides, padding, dimension_numbers=NHWC)


def by_product(maps, kernel, stride, pad):
    return small_maps.as_product(maps, kernel, (stride, stride), [(pad, pad), (pad, pad)])


@pytest.mark.parametrize(("side", "size", "stride"), CASES)
def test_a_product_has_the_values_and_derivatives_of_the_convolution(side, size, stride):
    maps, kernel = given(side, size)
    pad = (size - 1) // 2
    answers = []
    for convolve in (by_xla, by_product):

        def energy(maps, kernel, convolve=convolve):
            return (convolve(maps, kernel, stride, pad) ** 2).sum()

        @jax.jit
        def values_and_derivatives(maps, kernel, convolve=convolve, energy=energy):
            slopes = jax.grad(energy, (0, 1))(maps, kernel)
            _, along = jax.jvp(energy, (maps, kernel), (jnp.sin(maps), jnp.cos(kernel)))
            return [convolve(maps, kernel, stride, pad), *slopes, along]

        answers.append(values_and_derivatives(maps, kernel))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4 * np.abs(other).max())


@pytest.mark.parametrize(
    ("platform", "side", "is_product"), [("cpu", 4, True), ("cpu", 16, False), ("gpu", 4, False)]
)
def test_small_maps_are_convolved_as_products_on_a_cpu_alone(platform, side, is_product):
    layer = convolution(32, 32, size=3, rngs=nnx.Rngs(0))
    with backend.compiling_for(platform):
        traced = str(jax.make_jaxpr(lambda x: layer(x))(jnp.zeros((1, side, side, 32))))
    assert ("conv_general_dilated" not in traced) == is_product
    assert ("dot_general" in traced) == is_product


def test_a_map_is_the_same_whichever_way_its_layer_computes():
    layer = convolution(64, 64, size=3, stride=2, rngs=nnx.Rngs(0))
    maps = jnp.asarray(np.random.default_rng(1).normal(size=(1, 8, 8, 64)), jnp.float32)
    with backend.compiling_for("gpu"):
        expected = layer(maps)
    np.testing.assert_allclose(layer(maps), expected, rtol=1e-4, atol=1e-4)
