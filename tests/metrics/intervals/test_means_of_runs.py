"""Means over runs against SciPy, closed forms, published figures and simulated trainings."""

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics import interval_over_runs, mean_and_standard_error


def test_standard_error_matches_scipy():
    runs = np.random.default_rng(0).normal(size=7)
    found = mean_and_standard_error(runs)
    assert found == pytest.approx((runs.mean(), scipy.stats.sem(runs)))


def test_published_figures():
    """Fontanella et al. 2023, table 6: 38, 45 and 47 of 64 scans right make 67.71 (3.48)."""
    mean, error = mean_and_standard_error(100 * np.asarray([38, 45, 47]) / 64, ddof=0)
    assert (round(mean, 2), round(error, 2)) == (67.71, 3.48)


def test_equal_runs_have_no_error():
    assert mean_and_standard_error(np.ones(3)) == (1, 0)


def test_too_few_runs_and_nan_are_refused():
    with pytest.raises(InputError, match="runs: expected at least two for a standard error, got 1"):
        mean_and_standard_error(np.ones(1))
    with pytest.raises(InputError, match="ddof: expected one of 0, 1, got 2"):
        mean_and_standard_error(np.ones(3), ddof=2)
    with pytest.raises(InputError, match="runs: expected finite numbers, got 1 of 2"):
        mean_and_standard_error(np.asarray([1, np.nan]))


def test_runs_on_cases_of_their_own_have_the_interval_of_student():
    rng = np.random.default_rng(0)
    runs = [rng.normal(size=size) for size in (5, 9, 7, 8)]
    cases = np.split(np.arange(29), np.cumsum([5, 9, 7]))
    means = np.array([run.mean() for run in runs])
    expected = scipy.stats.t.interval(0.95, 3, means.mean(), scipy.stats.sem(means))
    np.testing.assert_allclose(interval_over_runs(runs, cases=cases), (means.mean(), *expected))


def test_runs_that_agree_have_the_interval_of_their_cases():
    cases = np.random.default_rng(1).normal(size=20)
    expected = scipy.stats.t.interval(0.9, 19, cases.mean(), scipy.stats.sem(cases))
    np.testing.assert_allclose(interval_over_runs([cases] * 3, level=0.9)[1:], expected)


def test_intervals_over_runs_and_cases_cover_the_truth():
    rng = np.random.default_rng(2)
    hits, pooled = 0, 0
    for _ in range(400):
        values = rng.normal(size=(3, 1)) * 0.5 + rng.normal(size=30) + rng.normal(size=(3, 30))
        interval = interval_over_runs(values)
        hits += interval.low <= 0 <= interval.high
        pooled += abs(values.mean()) <= 1.96 * values.std() / np.sqrt(values.size)
    assert hits / 400 >= 0.93 and pooled / 400 < 0.7


def test_images_of_one_case_count_once():
    rng = np.random.default_rng(3)
    runs, names = rng.normal(size=(3, 10)), np.arange(10)
    doubled = interval_over_runs(np.repeat(runs, 2, axis=1), cases=[np.repeat(names, 2)] * 3)
    np.testing.assert_allclose(doubled, interval_over_runs(runs))


def test_one_run_and_runs_without_spread_say_nothing():
    assert np.isnan(interval_over_runs([np.arange(9.0)])[1:]).all()
    assert np.isnan(interval_over_runs(np.ones((3, 9)))[1:]).all()
    for share in (0.1, 0.7, 1e6 / 3):  # whose mean of three is another number by rounding
        assert np.isnan(interval_over_runs([np.array([share])] * 3)[1:]).all()


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([], {}, "runs: expected at least one training"),
        (
            [np.ones(3), np.ones(4)],
            {},
            "cases: expected names, as the trainings have different numbers",
        ),
        ([np.ones(3)], {"cases": []}, "names for each of the 1 trainings, got 0"),
        ([np.ones(3)], {"cases": [np.arange(4)]}, "cases: expected the shape of runs"),
        ([np.ones(3)], {"level": 95}, "level must lie strictly between 0 and 1"),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs, options, message):
    with pytest.raises(InputError, match=message):
        interval_over_runs(runs, **options)
