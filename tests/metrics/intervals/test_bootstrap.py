"""Bootstrap intervals against full enumeration, SciPy, closed forms and simulated samples."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    bootstrap_interval,
    paired_difference_interval,
    unpaired_difference_interval,
    wilson_interval,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(0.3, 0.1, 60)


@pytest.mark.parametrize(("name", "function"), [("mean", np.mean), ("median", np.median)])
def test_interval_matches_enumeration_of_all_resamples(name, function):
    values = np.array([0.0, 1.0, 3.0, 7.0, 20.0])
    every = [function(draw) for draw in product(values, repeat=5)]
    interval = bootstrap_interval(values, statistic=name, level=0.8, num_resamples=20_000)
    np.testing.assert_allclose(interval[1:], np.quantile(every, [0.1, 0.9]), atol=0.4)
    assert interval.estimate == function(values)


def test_interval_matches_scipy():
    expected = scipy.stats.bootstrap(
        (VALUES,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    np.testing.assert_allclose(
        bootstrap_interval(VALUES, num_resamples=20_000)[1:], expected, atol=1e-3
    )


def test_interval_of_mean_approaches_the_normal_one():
    values = RNG.normal(5, 2, 2000)
    half = 1.959964 * values.std() / np.sqrt(2000)
    interval = bootstrap_interval(values, num_resamples=4000)
    np.testing.assert_allclose(
        interval[1:], [values.mean() - half, values.mean() + half], atol=0.1 * half
    )


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(300):
        interval = bootstrap_interval(rng.normal(size=50), level=0.9, num_resamples=300, seed=seed)
        hits += interval.low <= 0 <= interval.high
    assert 0.83 <= hits / 300 <= 0.95


def test_same_seed_gives_same_interval_and_another_does_not():
    assert bootstrap_interval(VALUES, seed=3) == bootstrap_interval(VALUES, seed=3)
    assert bootstrap_interval(VALUES, seed=3) != bootstrap_interval(VALUES, seed=4)


def test_higher_level_gives_wider_interval():
    narrow, wide = bootstrap_interval(VALUES, level=0.5), bootstrap_interval(VALUES, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_interval_follows_shift_and_scale_of_the_values():
    np.testing.assert_allclose(
        bootstrap_interval(3 * VALUES + 2), 3 * np.array(bootstrap_interval(VALUES)) + 2, rtol=1e-9
    )


def test_callable_sees_rows_of_several_numbers():
    first, second = VALUES, 2 * VALUES + RNG.normal(0, 0.1, 60)
    interval = bootstrap_interval(
        np.stack([first, second], axis=1),
        statistic=lambda v: v[:, 1].mean() / v[:, 0].mean(),
        num_resamples=10_000,
    )
    expected = scipy.stats.bootstrap(
        (first, second),
        lambda a, b, axis: b.mean(axis) / a.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    np.testing.assert_allclose(interval[1:], expected, atol=0.01)


def test_paired_difference_cancels_what_images_share():
    easy = RNG.normal(0, 10, 60)
    interval = paired_difference_interval(easy + 1 + 0.01 * VALUES, easy)
    assert 1 < interval.low < interval.high < 1.01


def test_measures_that_are_equal_on_every_image_say_nothing_of_a_difference():
    values = np.linspace(0.1, 0.9, 30)
    found = paired_difference_interval(values, values)
    assert found.estimate == 0 and np.isnan(found.low) and np.isnan(found.high)
    # A share of answers that never differ is another thing: it has Newcombe's width.
    answers = np.arange(30) % 2
    assert -0.2 < paired_difference_interval(answers, answers).low < 0


def test_paired_difference_is_the_interval_of_the_differences():
    other = RNG.normal(size=60)
    expected = bootstrap_interval(VALUES - other, statistic="median", seed=5, level=0.8)
    assert (
        paired_difference_interval(VALUES, other, statistic="median", seed=5, level=0.8) == expected
    )


def test_groups_of_identical_images_count_once():
    single = bootstrap_interval(VALUES, num_resamples=4000)
    double = np.repeat(VALUES, 2)
    grouped = bootstrap_interval(double, groups=np.repeat(np.arange(60), 2), num_resamples=4000)
    ungrouped = bootstrap_interval(double, num_resamples=4000)
    np.testing.assert_allclose(grouped, single, atol=3e-3)
    assert ungrouped.high - ungrouped.low < 0.8 * (grouped.high - grouped.low)


def test_groups_may_be_names_and_differ_in_size():
    groups = np.array(["a"] * 20 + ["b"] * 30 + list("cdefghijkl"))
    interval = bootstrap_interval(VALUES, groups=groups, num_resamples=20_000)
    sums = np.array([VALUES[:20].sum(), VALUES[20:50].sum(), *VALUES[50:]])
    sizes = np.array([20, 30, *np.ones(10)])
    expected = scipy.stats.bootstrap(
        (sums, sizes),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    np.testing.assert_allclose(interval[1:], expected, atol=0.005)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize(("successes", "n"), [(0, 12), (12, 12), (1, 1), (3, 12), (700, 1000)])
def test_shares_have_the_interval_of_wilson(successes, n, level):
    expected = scipy.stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    answers = np.arange(n) < successes
    np.testing.assert_allclose(bootstrap_interval(answers, level=level)[1:], expected, atol=1e-12)
    np.testing.assert_allclose(
        wilson_interval(successes, n, level=level), (successes / n, *expected), atol=1e-12
    )


def test_values_that_do_not_vary_leave_the_interval_open():
    for values in (np.full(30, 0.3), np.full(30, 7.0)):
        interval = bootstrap_interval(values)
        assert interval.estimate == pytest.approx(values[0]) and np.isnan(interval[1:]).all()


@pytest.mark.parametrize(("level", "fewest"), [(0.95, 6), (0.8, 4), (0.99, 8)])
def test_fewer_units_than_a_sign_test_needs_leave_the_interval_open(level, fewest):
    enough = scipy.stats.binomtest(fewest, fewest).pvalue <= 1 - level
    too_few = scipy.stats.binomtest(fewest - 1, fewest - 1).pvalue <= 1 - level
    assert enough and not too_few
    assert np.isfinite(bootstrap_interval(VALUES[:fewest], level=level)[1:]).all()
    assert np.isnan(bootstrap_interval(VALUES[: fewest - 1], level=level)[1:]).all()
    images = np.repeat(np.arange(fewest - 1), 8)
    assert np.isnan(bootstrap_interval(VALUES[: len(images)], level=level, groups=images)[1:]).all()


def test_a_share_over_groups_that_agree_is_one_of_as_many_answers_as_groups():
    groups = np.repeat(np.arange(10), 6)
    expected = scipy.stats.binomtest(10, 10).proportion_ci(method="wilson")
    np.testing.assert_allclose(bootstrap_interval(np.ones(60), groups=groups)[1:], expected)
    mixed = bootstrap_interval(np.tile([0.0, 1.0], 30), groups=np.repeat([0, 1, 2], 20))
    expected = scipy.stats.binomtest(3, 6).proportion_ci(method="wilson")
    assert mixed.low < expected[0] and expected[1] < mixed.high


def test_draws_of_a_roc_auc_keep_both_labels():
    labels, scores = np.arange(12) == 11, np.arange(12) - 5.0
    pairs = np.stack([scores, labels], axis=1)

    def auc(drawn):
        positive = drawn[:, 1] == 1
        return (drawn[positive, 0][:, None] > drawn[~positive, 0]).mean()

    interval = bootstrap_interval(pairs, statistic=auc, strata=labels, bounds=(0, 1))
    expected = scipy.stats.binomtest(1, 1).proportion_ci(method="wilson")
    np.testing.assert_allclose(interval, (1, *expected))
    eyes = bootstrap_interval(
        pairs, statistic=auc, strata=labels, groups=np.arange(12) // 2, bounds=(0, 1)
    )
    assert eyes.estimate == 1 and np.isfinite(eyes.low)


def test_a_mean_at_its_bound_has_the_interval_of_a_share_there():
    expected = scipy.stats.binomtest(30, 30).proportion_ci(method="wilson")
    np.testing.assert_allclose(
        bootstrap_interval(np.full(30, 5.0), bounds=(1, 5))[1:], 1 + 4 * np.array(expected)
    )
    assert np.isnan(bootstrap_interval(np.full(30, 3.0), bounds=(1, 5)).low)


def pairs_of(both, only_first, only_second, neither):
    counts = (both, only_first, only_second, neither)
    return np.repeat([1.0, 1, 0, 0], counts), np.repeat([1.0, 0, 1, 0], counts)


def test_paired_answers_have_the_interval_of_newcombe():
    """Newcombe 1998, table III: 36, 12, 2 and 0 pairs give 0.0569 to 0.3404 by method 10."""
    interval = paired_difference_interval(*pairs_of(36, 12, 2, 0))
    np.testing.assert_allclose(interval, (0.2, 0.0569, 0.3404), atol=5e-5)


@pytest.mark.parametrize("counts", [(9, 0, 0, 0), (0, 9, 0, 0), (0, 0, 0, 9), (5, 0, 0, 4)])
def test_paired_answers_that_never_differ_or_always_do_have_an_interval_of_some_width(counts):
    interval = paired_difference_interval(*pairs_of(*counts))
    assert (
        interval.low < interval.high
        and -1 <= interval.low <= interval.estimate <= interval.high <= 1
    )
    doubled = [np.repeat(answers, 2) for answers in pairs_of(*counts)]
    eyes = paired_difference_interval(*doubled, groups=np.repeat(np.arange(9), 2))
    np.testing.assert_allclose(eyes, interval, atol=1e-12)


def test_intervals_of_paired_answers_cover_the_truth():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        first = rng.random(40) < 0.8
        second = np.where(rng.random(40) < 0.5, first, rng.random(40) < 0.6)
        interval = paired_difference_interval(first, second)
        hits += interval.low <= 0.8 - (0.5 * 0.8 + 0.5 * 0.6) <= interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_unpaired_answers_have_the_interval_of_newcombe():
    """Newcombe 1998, table II: 56 of 70 and 48 of 80 give 0.0524 to 0.3339 by method 10."""
    interval = unpaired_difference_interval(np.arange(70) < 56, np.arange(80) < 48)
    np.testing.assert_allclose(interval, (0.2, 0.0524, 0.3339), atol=5e-5)


def test_unpaired_difference_matches_scipy():
    other = RNG.normal(0.1, 0.2, 25)
    expected = scipy.stats.bootstrap(
        (VALUES, other),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    np.testing.assert_allclose(
        unpaired_difference_interval(VALUES, other, num_resamples=20_000)[1:], expected, atol=0.01
    )
    assert np.isnan(unpaired_difference_interval(VALUES, other[:5])[1:]).all()
    with pytest.raises(InputError, match="at least one image"):
        unpaired_difference_interval(VALUES, other[:0])


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.ones(0), {}, "at least one image, got shape"),
        (np.array(1.0), {}, "at least one image"),
        (np.array([1.0, np.nan]), {}, "values must be finite, 1 of 2 are not"),
        (np.array([1.0, None]), {}, "values must be real numbers, got dtype object"),
        (VALUES, {"level": 95}, "level must lie strictly between 0 and 1"),
        (VALUES, {"num_resamples": 10}, "num_resamples: expected an integer of at least 100"),
        (
            VALUES,
            {"statistic": "mode"},
            "unknown statistic 'mode': choose mean, median, or pass a function",
        ),
        (VALUES, {"groups": np.zeros(3)}, "groups must name one for each of the 60 images"),
        (VALUES, {"strata": np.zeros(3)}, "strata must name one for each of the 60 images"),
        (VALUES, {"statistic": lambda v: np.nan}, "was not finite in 2000 of 2000 resamples"),
    ],
)
def test_what_cannot_be_resampled_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_interval(values, **options)


def test_pairs_of_different_length_are_refused():
    with pytest.raises(InputError, match=r"the same images on both sides, got \(60,\) and \(59,\)"):
        paired_difference_interval(VALUES, VALUES[1:])
