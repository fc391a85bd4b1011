"""The units of the generators, and how their maps change size."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.ndimage import zoom

from cfx_jax.models.generators.layers import Affine, PreActivation, double, halve, units

MAPS = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 8, 3)), jnp.float32)


def test_a_unit_is_norm_activation_convolution():
    unit = PreActivation(3, 4, norm=Affine, act=nnx.relu, rngs=nnx.Rngs(0))
    unit.norm.scale[...], unit.norm.bias[...] = (
        jnp.asarray([1.0, -2.0, 3.0]),
        jnp.asarray([0.1, 0.2, 0.3]),
    )
    rectified = np.maximum(np.asarray(MAPS) * [1, -2, 3] + [0.1, 0.2, 0.3], 0)
    np.testing.assert_allclose(
        unit(MAPS), unit.conv(jnp.asarray(rectified, jnp.float32)), atol=1e-5
    )


def test_units_in_a_row_have_the_widths_asked_for():
    row = units(3, (5, 7), norm=Affine, act=nnx.relu, rngs=nnx.Rngs(0))
    assert row(MAPS).shape == (2, 6, 8, 7)
    assert [unit.conv.kernel.shape[-2:] for unit in row.layers] == [(3, 5), (5, 7)]


def test_halving_takes_the_largest_of_each_square():
    expected = (
        np.asarray(MAPS)
        .reshape(2, 3, 2, 4, 2, 3)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(2, 3, 4, 3, 4)
        .max(-1)
    )
    np.testing.assert_array_equal(halve(MAPS), expected)


def test_doubling_repeats_each_pixel():
    np.testing.assert_array_equal(
        double(MAPS), zoom(MAPS, (1, 2, 2, 1), order=0, grid_mode=True, mode="nearest")
    )
    np.testing.assert_array_equal(halve(double(MAPS)), MAPS)


def test_equal_pixels_share_the_gradient_of_the_largest():
    slope = jax.grad(lambda x: halve(x).sum())(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_allclose(slope, 0.25)
