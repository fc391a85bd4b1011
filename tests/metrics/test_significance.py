"""The tests of significance against SciPy's, closed forms, all sign patterns and simulation."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    McNemar,
    PairedTest,
    dependent_t_test,
    independent_t_test,
    mcnemar,
    paired_test,
)

RNG = np.random.default_rng(0)
FIRST = RNG.normal(0.4, 1, 12)
SECOND = RNG.normal(0, 1, 12)


def by_enumeration(signed):
    sums = [np.dot(signs, signed) for signs in product((-1, 1), repeat=len(signed))]
    return np.mean(np.abs(sums) >= abs(np.sum(signed)) - 1e-9)


def test_a_paired_test_by_hand():
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


def test_numbers_that_cannot_be_compared_are_refused():
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
    with pytest.raises(InputError, match="num_resamples: expected an integer of at least 100"):
        paired_test(FIRST, SECOND, num_resamples=10)
    with pytest.raises(InputError, match="second: expected finite numbers, got 12 of 12"):
        paired_test(FIRST, np.nan * SECOND)


def decisions(only_first, only_second, *, both=5, neither=3):
    first = np.repeat([True, False, True, False], [only_first, only_second, both, neither])
    second = np.repeat([False, True, True, False], [only_first, only_second, both, neither])
    return first, second


def test_mcnemar_by_hand():
    """Of three coins all show one side in two of eight cases."""
    assert mcnemar(*decisions(3, 0)) == McNemar(3, 0, 0.25)
    assert mcnemar(*decisions(0, 3)) == McNemar(0, 3, 0.25)


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 5), (12, 7), (40, 21), (700, 640)])
def test_it_is_the_binomial_test_for_any_number(only_first, only_second):
    expected = scipy.stats.binomtest(only_first, only_first + only_second).pvalue
    assert mcnemar(*decisions(only_first, only_second)).p_value == pytest.approx(expected, rel=1e-6)


def test_it_is_the_paired_test_of_right_and_wrong():
    first, second = decisions(11, 4)
    assert mcnemar(first, second).p_value == pytest.approx(paired_test(first, second).p_value)


def test_classifiers_that_differ_equally_often_or_never_have_p_value_one():
    assert mcnemar(*decisions(4, 4)) == McNemar(4, 4, 1)
    assert mcnemar(*decisions(0, 0)) == McNemar(0, 0, 1)


def test_answers_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match=r"second: expected the shape of first \(3,\), got \(2,\)"):
        mcnemar(np.ones(3), np.ones(2))
    with pytest.raises(InputError, match=r"first: expected 0 and 1 .or booleans., got 2"):
        mcnemar(np.full(3, 2), np.ones(3))
    with pytest.raises(
        InputError,
        match=r"first: expected one value for each of at least one image .* got shape \(0,\)",
    ):
        mcnemar(np.ones(0), np.ones(0))


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
