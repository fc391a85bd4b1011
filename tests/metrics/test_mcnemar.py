"""McNemar's test against SciPy's binomial test and the test of all sign patterns."""

import numpy as np
import pytest
import scipy.stats

from cfx_jax.errors import InputError
from cfx_jax.metrics.mcnemar import McNemar, mcnemar
from cfx_jax.metrics.paired_test import paired_test


def decisions(only_first, only_second, *, both=5, neither=3):
    first = np.repeat([True, False, True, False], [only_first, only_second, both, neither])
    second = np.repeat([False, True, True, False], [only_first, only_second, both, neither])
    return first, second


def test_by_hand():
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


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match=r"second: expected the shape of first \(3,\), got \(2,\)"):
        mcnemar(np.ones(3), np.ones(2))
    with pytest.raises(InputError, match=r"first: expected 0 and 1 .or booleans., got 2"):
        mcnemar(np.full(3, 2), np.ones(3))
    with pytest.raises(
        InputError,
        match=r"first: expected one value for each of at least one image .* got shape \(0,\)",
    ):
        mcnemar(np.ones(0), np.ones(0))
