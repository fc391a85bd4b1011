"""Searches for the factor of a latent shift, on probabilities that are known functions of the
factor.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.counterfactuals.latent_shift import SEARCHES, Shifted


def sigmoid(number):
    return 1 / (1 + jnp.exp(-number))


def find(search, probability, *, change=lambda factor: 0 * factor):
    return jax.jit(
        lambda: SEARCHES[search](lambda factor: Shifted(probability(factor), change(factor)))
    )()


def factor_of(sweep):
    return float(sweep.lambdas[sweep.chosen])


def by_hand(probability, advance, stops):
    """The first factor of a walk from 0 at which it stops."""
    factor, last = 0.0, float(probability(0.0))
    for _ in itertools.count():
        now = float(probability(factor))
        if now < last or stops(factor, now):
            return factor
        factor, last = advance(factor), now


@pytest.mark.parametrize("peak", [0.02, -0.02, 300.0])
def test_doubling_takes_the_best_of_both_signs(peak):
    def probability(factor):
        return 0.9 / (1 + ((factor - peak) / peak) ** 2)

    found = find("doubling", probability)
    sizes = 1e-5 * 2.0 ** np.arange(31)
    assert found.lambdas.shape == (62,)
    np.testing.assert_allclose(
        np.sort(found.lambdas), np.sort(np.concatenate([sizes, -sizes])), rtol=1e-5
    )
    best = max((sign * size for size in sizes for sign in (1, -1)), key=probability)
    assert factor_of(found) == pytest.approx(best, rel=1e-5)
    np.testing.assert_allclose(
        found.probabilities, [probability(each) for each in found.lambdas], rtol=1e-4
    )


def test_of_equal_probabilities_doubling_takes_the_smallest_factor():
    assert factor_of(find("doubling", lambda factor: 0.5 + 0 * factor)) == pytest.approx(1e-5)


def test_doubling_passes_over_what_is_not_a_number():
    found = find(
        "doubling", lambda factor: jnp.where(jnp.abs(factor) > 1, jnp.nan, 0.5 + factor / 4)
    )
    assert 0.5 < factor_of(found) <= 1


@pytest.mark.parametrize("rate", [0.5, 0.02, 0.001, 1e-5])
def test_the_first_released_search_stops_after_a_rise_of_0_15_or_at_1000(rate):
    def probability(factor):
        return sigmoid(rate * factor - 1)

    initial = float(probability(0.0))
    stop = by_hand(
        probability,
        lambda factor: factor + (1 if factor < 10 else 10),
        lambda f, p: p > initial + 0.15 or f >= 1000,
    )
    found = find("gifsplanation", probability)
    assert factor_of(found) == stop
    np.testing.assert_allclose(found.lambdas, stop * np.arange(1, 11) / 10, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, probability(found.lambdas), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 0.01, 1e-5])
def test_the_second_released_search_stops_at_95_percent_or_after_a_rise_of_0_8_or_at_3000(rate):
    def probability(factor):
        return sigmoid(rate * factor - 2)

    initial = float(probability(0.0))
    stop = by_hand(
        probability,
        lambda factor: factor + 10 - (-factor // 10),
        lambda f, p: p > 0.95 or p > initial + 0.8 or f >= 3000,
    )
    found = find("latentshift", probability)
    assert factor_of(found) == stop
    np.testing.assert_allclose(found.lambdas, np.linspace(0, stop, 10), rtol=1e-5)


def test_the_second_released_search_stops_where_the_image_has_changed_by_a_twentieth():
    found = find(
        "latentshift", lambda factor: 0.3 + 0 * factor, change=lambda factor: 0.002 * factor
    )
    assert factor_of(found) == 34  # 0, 10, 21, 34: the first whose change is above 0.05


@pytest.mark.parametrize("search", ["gifsplanation", "latentshift"])
def test_a_walk_stops_where_the_probability_falls(search):
    found = find(search, lambda factor: 0.3 - ((factor - 22) / 100) ** 2)
    assert factor_of(found) == {"gifsplanation": 30, "latentshift": 34}[search]


def test_where_the_target_is_certain_already_nothing_is_shifted():
    found = find("latentshift", lambda factor: 0.97 + 0 * factor)
    np.testing.assert_array_equal(found.lambdas, 0)
