"""Long sums and sort-free order statistics against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfx_jax.geometry import lp_norm
from cfx_jax.geometry.exact import (
    accurate_sum,
    log_magnitude,
    magnitude_bits,
    order_statistic,
    power,
    rescale,
    weighted_threshold,
)
from cfx_jax.geometry.lp_ball import project_l2, unit_direction


def test_sum_of_an_image_is_exact_to_a_few_units_in_the_last_place():
    values = np.random.default_rng(0).uniform(size=(224, 224, 3)).astype(np.float32)
    assert float(accurate_sum(jnp.asarray(values))) == pytest.approx(
        values.astype(np.float64).sum(), rel=2e-7
    )


@pytest.mark.parametrize("p", [1, 1.0, 1.25, 1.5, 2, 2.5, 4.0, 7.5, 9.0])
def test_a_power_is_numpys_in_float64(p):
    values = np.random.default_rng(0).uniform(0, 2, 1000).astype(np.float32)
    values[:2] = 0, 1
    expected = values.astype(np.float64) ** p
    np.testing.assert_allclose(power(jnp.asarray(values), p), expected, rtol=2e-6)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.5, 4.0, 9.0])
def test_the_derivative_of_a_power_is_finite_at_zero_too(p):
    values = np.array([0.0, 0.25, 1.0], np.float32)
    slope = jax.grad(lambda x: power(x, p).sum())(jnp.asarray(values))
    np.testing.assert_allclose(slope, p * values.astype(np.float64) ** (p - 1), rtol=1e-5)


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


EXTREMES = [1e-45, 1e-41, 1e-38, 1e-20, 1.0, 1e20, 9e37, 3.4e38]


@pytest.mark.parametrize("size", EXTREMES)
def test_scale_is_taken_from_vectors_of_any_finite_size(size):
    """Down to the smallest subnormal number, which XLA's arithmetic takes as 0 on a CPU."""
    values = np.asarray([1, -0.5, 0.25, 0, 0.7], np.float64) * size
    values = values.astype(np.float32)
    exact = values.astype(np.float64)
    scaled, exponent = jax.jit(rescale)(values)
    np.testing.assert_array_equal(np.asarray(scaled, np.float64), exact / 2.0 ** int(exponent))
    assert 1 <= np.abs(scaled).max() < 2
    with np.errstate(divide="ignore"):
        expected = np.log(np.abs(exact))
    np.testing.assert_allclose(
        jax.jit(lambda x: log_magnitude(magnitude_bits(x)))(values), expected, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        jax.jit(unit_direction, static_argnums=1)(values, 2),
        exact / np.linalg.norm(exact),
        atol=1e-6,
    )
    np.testing.assert_array_equal(unit_direction(values, np.inf), np.sign(exact))


@pytest.mark.parametrize("size", EXTREMES[2:])
def test_norms_of_vectors_of_any_size_neither_vanish_nor_overflow(size):
    values = (np.asarray([0.9, -0.3, 0.2]) * size).astype(np.float32)
    for p in (1.5, 2, 60):
        expected = size * np.linalg.norm(values.astype(np.float64) / size, p)
        if expected < 3.4e38:
            assert float(lp_norm(jnp.asarray(values), p)) == pytest.approx(expected, rel=1e-5)
    shortened = np.asarray(project_l2(jnp.asarray(values), jnp.float32(1e-3)), np.float64)
    assert np.linalg.norm(shortened) == pytest.approx(
        min(1e-3, np.linalg.norm(values.astype(np.float64))), rel=1e-5
    )
