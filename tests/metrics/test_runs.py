"""Standard errors against SciPy and published figures."""

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics.runs import mean_and_standard_error


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
    with pytest.raises(InputError, match="ddof: expected 0 or 1, got 2"):
        mean_and_standard_error(np.ones(3), ddof=2)
    with pytest.raises(InputError, match="runs: expected finite numbers, got 1 of 2"):
        mean_and_standard_error(np.asarray([1, np.nan]))
