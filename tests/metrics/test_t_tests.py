"""The statistics by their formulas, the p-values by the t distribution, the decisions by
simulation.
"""

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics.t_tests import dependent_t_test, independent_t_test

RNG = np.random.default_rng(0)


def two_sided(t, degrees_of_freedom):
    return 2 * scipy.stats.t.sf(abs(t), degrees_of_freedom)


def test_dependent_by_hand():
    """Differences 1, 2, 3: mean 2, standard deviation 1, so t = 2 sqrt(3)."""
    found = dependent_t_test(np.asarray([2.0, 4.0, 6.0]), np.asarray([1.0, 2.0, 3.0]))
    assert found.t == pytest.approx(2 * np.sqrt(3))
    assert found.degrees_of_freedom == 2
    assert found.cohen_d == pytest.approx(2)
    assert found.p_value == pytest.approx(two_sided(2 * np.sqrt(3), 2))
    assert found.num_images == (3, 3)


def test_pooled_by_hand():
    """Variances 1 and 4 of 3 and 5 images, pooled (2 + 16) / 6 = 3; means 2 and 5."""
    first, second = np.asarray([1.0, 2.0, 3.0]), 5 + np.asarray([-2.0, -2.0, 0.0, 2.0, 2.0])
    found = independent_t_test(first, second, equal_variances=True)
    assert found.t == pytest.approx(-3 / np.sqrt(3 * (1 / 3 + 1 / 5)))
    assert found.degrees_of_freedom == 6
    assert found.cohen_d == pytest.approx(-3 / np.sqrt(3))
    assert found.p_value == pytest.approx(two_sided(found.t, 6))
    assert found.num_images == (3, 5)


def test_welch_by_its_formulas():
    first, second = RNG.normal(size=12), 3 * RNG.normal(size=20) + 1
    one, two = first.var(ddof=1) / 12, second.var(ddof=1) / 20
    found = independent_t_test(first, second)
    assert found.t == pytest.approx((first.mean() - second.mean()) / np.sqrt(one + two))
    assert found.degrees_of_freedom == pytest.approx((one + two) ** 2 / (one**2 / 11 + two**2 / 19))
    assert found.p_value == pytest.approx(two_sided(found.t, found.degrees_of_freedom))
    pooled = independent_t_test(first, second, equal_variances=True)
    assert found.cohen_d == pytest.approx(pooled.cohen_d)
    assert found.degrees_of_freedom < pooled.degrees_of_freedom == 30


def test_pairs_show_what_samples_do_not():
    before = RNG.normal(size=40)
    after = before + 0.2 + 0.1 * RNG.normal(size=40)
    assert dependent_t_test(after, before).p_value < 1e-6
    assert independent_t_test(after, before).p_value > 0.05


def test_samples_of_one_distribution_are_rejected_as_often_as_they_should_be():
    p_values = [independent_t_test(*RNG.normal(size=(2, 15))).p_value for _ in range(400)]
    assert 0.02 < np.mean(np.asarray(p_values) < 0.05) < 0.09


@pytest.mark.filterwarnings("error")
def test_values_that_do_not_spread():
    same = dependent_t_test(np.ones(4), np.ones(4))
    assert np.isnan([same.t, same.p_value, same.cohen_d]).all()
    apart = dependent_t_test(2 * np.ones(4), np.ones(4))
    assert (apart.t, apart.cohen_d, apart.p_value) == (np.inf, np.inf, 0)
    assert np.isnan(independent_t_test(np.ones(4), np.ones(3)).cohen_d)


def test_samples_that_are_too_small_or_no_pairs_are_refused():
    with pytest.raises(
        InputError, match="second: expected at least two images for a t-test, got 1"
    ):
        independent_t_test(np.ones(3), np.ones(1))
    with pytest.raises(InputError, match=r"second: expected the shape of first \(3,\), got \(2,\)"):
        dependent_t_test(np.ones(3), np.ones(2))
    with pytest.raises(InputError, match="first: expected finite numbers, got 1 of 2"):
        dependent_t_test(np.asarray([1.0, np.nan]), np.ones(2))
