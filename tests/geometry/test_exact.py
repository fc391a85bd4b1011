"""Long sums and sort-free order statistics against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfx_jax.geometry.exact import accurate_sum, order_statistic, weighted_threshold


def test_sum_of_an_image_is_exact_to_a_few_units_in_the_last_place():
    values = np.random.default_rng(0).uniform(size=(224, 224, 3)).astype(np.float32)
    assert float(accurate_sum(jnp.asarray(values))) == pytest.approx(values.astype(np.float64).sum(), rel=2e-7)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e6, width=32), min_size=30, max_size=30), st.integers(0, 29))
def test_order_statistic_is_that_of_a_sort(values, index):
    found = jax.jit(order_statistic)(jnp.asarray(values, jnp.float32), jnp.asarray(index))
    assert float(found) == np.sort(np.asarray(values, np.float32))[index]


def test_weighted_threshold_leaves_at_most_the_budget_above_it():
    values = jnp.asarray([5.0, 4.0, 3.0, 2.0, 1.0])
    weights = jnp.asarray([0.5, 0.5, 2.0, 1.0, 1.0])
    assert float(weighted_threshold(values, weights, jnp.asarray(1.0))) == 3.0
    assert float(weighted_threshold(values, weights, jnp.asarray(0.4))) == 5.0
    assert float(weighted_threshold(values, weights, jnp.asarray(9.0))) == 0.0
