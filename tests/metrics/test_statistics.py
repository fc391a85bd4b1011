"""Bootstrap intervals against full enumeration, SciPy and closed forms."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics.statistics import bootstrap_interval, paired_difference_interval

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
    np.testing.assert_allclose(bootstrap_interval(VALUES, num_resamples=20_000)[1:], expected, atol=1e-3)


def test_interval_of_mean_approaches_the_normal_one():
    values = RNG.normal(5, 2, 2000)
    half = 1.959964 * values.std() / np.sqrt(2000)
    interval = bootstrap_interval(values, num_resamples=4000)
    np.testing.assert_allclose(interval[1:], [values.mean() - half, values.mean() + half], atol=0.1 * half)


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
    pairs = np.stack([VALUES, 2 * VALUES], axis=1)
    interval = bootstrap_interval(pairs, statistic=lambda v: v[:, 1].mean() / v[:, 0].mean())
    np.testing.assert_allclose(interval, (2, 2, 2), rtol=1e-9)


def test_paired_difference_cancels_what_images_share():
    easy = RNG.normal(0, 10, 60)
    interval = paired_difference_interval(easy + 1 + 0.01 * VALUES, easy)
    assert 1 < interval.low < interval.high < 1.01


def test_paired_difference_is_the_interval_of_the_differences():
    other = RNG.normal(size=60)
    expected = bootstrap_interval(VALUES - other, statistic="median", seed=5, level=0.8)
    assert paired_difference_interval(VALUES, other, statistic="median", seed=5, level=0.8) == expected


def test_groups_of_identical_images_count_once():
    single = bootstrap_interval(VALUES, num_resamples=4000)
    double = np.repeat(VALUES, 2)
    grouped = bootstrap_interval(double, groups=np.repeat(np.arange(60), 2), num_resamples=4000)
    ungrouped = bootstrap_interval(double, num_resamples=4000)
    np.testing.assert_allclose(grouped, single, atol=3e-3)
    assert ungrouped.high - ungrouped.low < 0.8 * (grouped.high - grouped.low)


def test_groups_may_be_names_and_differ_in_size():
    groups = np.array(["left"] * 10 + ["right"] * 50)
    interval = bootstrap_interval(VALUES, groups=groups)
    means = VALUES[:10].mean(), VALUES[10:].mean()
    np.testing.assert_allclose(sorted(interval[1:]), sorted(means), rtol=1e-9)


def test_equal_values_give_an_interval_of_width_zero():
    assert bootstrap_interval(np.ones(5)) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.ones(1), {}, "at least two images, got values of shape"),
        (np.array(1.0), {}, "at least two images"),
        (np.array([1.0, np.nan]), {}, "values must be finite, 1 of 2 are not"),
        (np.array([1.0, None]), {}, "values must be real numbers, got dtype object"),
        (VALUES, {"level": 95}, "level must lie strictly between 0 and 1"),
        (VALUES, {"num_resamples": 10}, "num_resamples must be at least 100"),
        (VALUES, {"statistic": "mode"}, "unknown statistic 'mode': choose mean, median, or pass a function"),
        (VALUES, {"groups": np.zeros(3)}, "one group for each of the 60 images"),
        (VALUES, {"groups": np.zeros(60)}, "at least two groups, got 1"),
        (VALUES, {"statistic": lambda v: np.nan}, "was not finite in 2000 of 2000 resamples"),
    ],
)
def test_what_cannot_be_resampled_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_interval(values, **options)


def test_pairs_of_different_length_are_refused():
    with pytest.raises(InputError, match=r"the same images on both sides, got \(60,\) and \(59,\)"):
        paired_difference_interval(VALUES, VALUES[1:])
