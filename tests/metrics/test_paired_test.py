"""The paired test against SciPy's Wilcoxon, binomial and permutation tests, and against all sign
patterns.
"""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics.paired_test import PairedTest, paired_test

RNG = np.random.default_rng(0)
FIRST = RNG.normal(0.4, 1, 12)
SECOND = RNG.normal(0, 1, 12)


def by_enumeration(signed):
    sums = [np.dot(signs, signed) for signs in product((-1, 1), repeat=len(signed))]
    return np.mean(np.abs(sums) >= abs(np.sum(signed)) - 1e-9)


def test_by_hand():
    """1, 2 and 3 all point one way: two of eight patterns are as extreme."""
    assert paired_test(np.asarray([1, 2, 3]), np.zeros(3)) == PairedTest(2, 0.25)
    assert paired_test(np.zeros(3), np.asarray([1, 2, 9]), scores="ranks") == PairedTest(-1, 0.25)


def test_small_sets_are_exact():
    expected = scipy.stats.permutation_test(
        (FIRST - SECOND,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    found = paired_test(FIRST, SECOND)
    assert found == pytest.approx((np.mean(FIRST - SECOND), expected))


def test_ranks_are_wilcoxons_test():
    assert paired_test(FIRST, SECOND, scores="ranks").p_value == pytest.approx(
        scipy.stats.wilcoxon(FIRST, SECOND, method="exact").pvalue
    )


def test_ties_and_zeros_are_exact_too():
    differences = np.asarray([1, 1, -1, 2, 2, 0, 3, -2, 0])
    ranks = np.asarray([2, 2, -2, 5, 5, 7, -5])
    found = paired_test(differences, np.zeros(9), scores="ranks")
    assert found == pytest.approx((ranks.sum() / 28, by_enumeration(ranks)))


def test_right_and_wrong_is_mcnemars_exact_test():
    first, second = RNG.random(30) < 0.8, RNG.random(30) < 0.6
    better, worse = int((first & ~second).sum()), int((second & ~first).sum())
    assert better + worse <= 20
    expected = scipy.stats.binomtest(better, better + worse).pvalue
    assert paired_test(first, second).p_value == pytest.approx(expected)


@pytest.mark.parametrize("scores", ["differences", "ranks"])
def test_random_patterns_approach_the_exact_test(scores):
    first = RNG.normal(0.25, 1, 60)
    test = scipy.stats.ttest_1samp if scores == "differences" else scipy.stats.wilcoxon
    found = paired_test(first, np.zeros(60), scores=scores)
    assert found.p_value == pytest.approx(
        test(first, *([0] if scores == "differences" else [])).pvalue, abs=0.02
    )
    assert found == paired_test(first, np.zeros(60), scores=scores)


def test_a_shared_spread_over_images_cancels():
    shared = 100 * RNG.normal(size=50)
    first, second = shared + 1 + 0.1 * RNG.normal(size=50), shared
    assert paired_test(first, second).p_value == 1 / 10_001
    assert scipy.stats.ttest_ind(first, second).pvalue > 0.5


def test_equal_methods_are_rejected_as_often_as_the_level_says():
    p_values = [paired_test(*RNG.normal(size=(2, 8))).p_value for _ in range(1000)]
    assert 0.03 <= np.mean(np.asarray(p_values) <= 0.05) <= 0.065


def test_groups_change_sign_together():
    differences = np.asarray([1.0, 1.0, 2.0, 2.0, -1.0, -1.0])
    grouped = paired_test(
        differences, np.zeros(6), groups=np.asarray(["a", "a", "b", "b", "c", "c"])
    )
    assert grouped == (pytest.approx(2 / 3), by_enumeration(np.asarray([2, 4, -2])))
    assert paired_test(differences, np.zeros(6), groups=np.arange(6)) == paired_test(
        differences, np.zeros(6)
    )


def test_methods_that_never_differ_have_p_value_one():
    assert paired_test(np.ones(5), np.ones(5)) == (0, 1)
    assert paired_test(np.ones(50), np.ones(50), scores="ranks") == (0, 1)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(
        InputError, match=r"second: expected the shape of first \(12,\), got \(11,\)"
    ):
        paired_test(FIRST, SECOND[1:])
    with pytest.raises(
        InputError, match=r"groups: expected the shape of first \(12,\), got \(11,\)"
    ):
        paired_test(FIRST, SECOND, groups=np.arange(11))
    with pytest.raises(
        InputError, match="scores: expected one of 'differences', 'ranks', got 'signs'"
    ):
        paired_test(FIRST, SECOND, scores="signs")
    with pytest.raises(InputError, match="num_resamples: expected at least 100, got 10"):
        paired_test(FIRST, SECOND, num_resamples=10)
    with pytest.raises(InputError, match="second: expected finite numbers, got 12 of 12"):
        paired_test(FIRST, np.nan * SECOND)
