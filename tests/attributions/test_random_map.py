"""The random map: uniform, of its key alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from cfx_jax.attributions import random_map
from cfx_jax.errors import InputError

IMAGE = jnp.full((64, 64, 3), 0.5)


def test_values_are_uniform_and_of_every_pixel_its_own():
    values = np.asarray(random_map(jax.random.key(0), IMAGE))
    assert values.shape == IMAGE.shape
    assert values.dtype == np.float32
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.05


def test_it_depends_on_the_key_and_not_on_the_image():
    one, same, other = (
        random_map(jax.random.key(key), image)
        for key, image in ((0, IMAGE), (0, 0 * IMAGE), (1, IMAGE))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_no_image_is_named():
    with pytest.raises(InputError, match="image: expected dtype float32, got uint8"):
        random_map(jax.random.key(0), np.zeros((4, 4, 3), np.uint8))
