"""Input times gradient of scores whose gradient is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_classifiers import images

from cfx_jax.attributions import input_x_gradient
from cfx_jax.errors import InputError

IMAGE = jnp.asarray(images(1, channels=3)[0])


def test_of_a_product_it_is_known():
    found = input_x_gradient(lambda x: x[0, 0, 0] * x[0, 1, 0] ** 2, jnp.asarray([[[0.4], [0.8]]]))
    np.testing.assert_allclose(found.ravel(), 0.4 * 0.8**2 * np.asarray([1, 2]), rtol=1e-6)


def test_its_sum_is_the_score_of_a_piecewise_linear_network_without_bias():
    first, second = (
        np.random.default_rng(0).normal(size=(IMAGE.size, 16)),
        np.random.default_rng(1).normal(size=16),
    )

    def score(image):
        return jax.nn.relu(image.ravel() @ jnp.asarray(first, jnp.float32)) @ jnp.asarray(
            second, jnp.float32
        )

    assert float(input_x_gradient(score, IMAGE).sum()) == pytest.approx(
        float(score(IMAGE)), rel=1e-5
    )


def test_black_pixels_get_nothing():
    found = input_x_gradient(lambda x: jnp.exp(x).sum(), IMAGE.at[2, 3].set(0))
    np.testing.assert_array_equal(found[2, 3], 0)
    np.testing.assert_allclose(found[0, 0], IMAGE[0, 0] * np.exp(IMAGE[0, 0]), rtol=1e-6)


def test_no_image_is_named():
    with pytest.raises(
        InputError, match=r"image: expected one image .*, got shape \(8, 8\): use jax\.vmap"
    ):
        input_x_gradient(jnp.sum, IMAGE[..., 0])
