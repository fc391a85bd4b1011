"""Ranks and their correlation against SciPy."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cfx_jax.errors import InputError
from cfx_jax.metrics import midranks, rank_correlation


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=40))
def test_ranks_with_ties_match_scipy(values):
    np.testing.assert_array_equal(midranks(np.asarray(values)), scipy.stats.rankdata(values))


def test_correlation_with_ties_matches_scipy():
    rng = np.random.default_rng(0)
    first = np.round(rng.normal(size=80), 1)
    second = np.round(first + rng.normal(size=80), 1)
    expected = scipy.stats.spearmanr(first, second).statistic
    assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)


def test_correlation_sees_order_only():
    values = np.asarray([0.1, 0.2, 5.0, 7.0])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert np.isnan(rank_correlation(values, np.ones(4)))


def test_other_images_and_nan_are_refused():
    with pytest.raises(InputError, match=r"second: expected the shape of first \(2,\), got \(3,\)"):
        rank_correlation(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="first: expected finite numbers, got 1 of 2"):
        rank_correlation(np.asarray([np.inf, 1]), np.ones(2))
    with pytest.raises(
        InputError, match=r"values: expected one value for each .* got shape \(2, 2\)"
    ):
        midranks(np.ones((2, 2)))
