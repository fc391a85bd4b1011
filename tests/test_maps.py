"""Channel sums, scaling and thresholds of maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.maps import channel_sum, min_max, quantile_threshold

MAP = jnp.asarray(np.random.default_rng(0).normal(size=(224, 224)), jnp.float32)


def test_channel_sum_adds_absolute_values():
    np.testing.assert_array_equal(channel_sum(jnp.asarray([[[1.0, -2.0], [0.0, 3.0]]])), [[3.0, 3.0]])


def test_min_max_spans_the_unit_interval_and_maps_a_constant_to_zero():
    scaled = min_max(MAP)
    assert (float(scaled.min()), float(scaled.max())) == (0.0, 1.0)
    np.testing.assert_array_equal(min_max(jnp.full((3, 3), 7.0)), 0)


@pytest.mark.parametrize(("quantile", "kept"), [(0.96, 2008), (0.98, 1004)])
def test_threshold_keeps_the_published_number_of_pixels(quantile, kept):
    assert int(quantile_threshold(MAP, quantile).sum()) == kept


def test_threshold_ignores_a_positive_rescaling():
    np.testing.assert_array_equal(quantile_threshold(MAP, 0.9), quantile_threshold(3 * MAP + 2, 0.9))


def test_mask_is_applied_after_the_quantile():
    mask = jnp.zeros(MAP.shape, bool).at[:100].set(True)
    np.testing.assert_array_equal(quantile_threshold(MAP, 0.9, mask=mask), quantile_threshold(MAP, 0.9) & mask)


def test_maps_of_many_images_go_through_vmap():
    maps = jnp.stack([MAP, -MAP])
    batched = jax.vmap(lambda one: quantile_threshold(one, 0.9))(maps)
    np.testing.assert_array_equal(batched[1], quantile_threshold(-MAP, 0.9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MAP, 96), r"quantile: expected a number in \[0, 1\], got 96"),
        ((MAP[None], 0.9), r"saliency: expected one map \(h, w\), got shape \(1, 224, 224\)"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        quantile_threshold(*arguments)


def test_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"mask: expected the map's shape \(224, 224\), got \(3, 3\)"):
        quantile_threshold(MAP, 0.9, mask=jnp.ones((3, 3), bool))
