"""Student's t-tests, for tables that published them; ``paired_test`` assumes no distribution.

Singla et al. 2020 (section 4.2) compare sizes of hearts: a dependent test for images and their own
explanations, an independent one for explanations and real images of the class that they were moved
to.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.value_arrays import as_numbers, check_same_shape


class TTest(NamedTuple):
    """A t-test of a difference of means, first - second; infinite or NaN where the values do not
    spread at all.
    """

    t: float
    """The statistic, above 0 where ``first`` is the larger."""
    degrees_of_freedom: float
    """Of the t distribution; not a whole number for Welch's test."""
    p_value: float
    """Two-sided, in [0, 1]."""
    cohen_d: float
    """The effect: the difference of means over a standard deviation, that of the differences or the
    pooled one.
    """
    num_images: tuple[int, int]
    """Number of images of each sample."""


def dependent_t_test(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> TTest:
    """Tests whether the mean difference within pairs is 0.

    Args:
        first: one number for each image, at least two images.
        second: the number it is paired with, say of the image's explanation.

    Returns:
        The test; its effect is the mean of the differences over their standard deviation (with n -
        1).

    Raises:
        InputError: fewer than two pairs, NaN or infinity, or the shapes differ.
    """
    first, second = _sample(first, "first"), _sample(second, "second")
    check_same_shape(first, second, names=("first", "second"))
    differences = first - second
    return _tested(_scipy_stats().ttest_rel, first, second, float(differences.std(ddof=1)))


def independent_t_test(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " m"],
    *,
    equal_variances: bool = False,
) -> TTest:
    """Tests whether two samples have the same mean.

    Args:
        first: one number for each image of one sample, at least two.
        second: the same for other images.
        equal_variances: False for Welch's test, True for Student's, which pools the variances of
            both.

    Returns:
        The test; its effect is the difference of means over the pooled standard deviation, in
        either case.

    Raises:
        InputError: fewer than two images in a sample, NaN or infinity.
    """
    first, second = _sample(first, "first"), _sample(second, "second")
    squares = sum(np.square(each - each.mean()).sum() for each in (first, second))
    pooled = np.sqrt(squares / (len(first) + len(second) - 2))

    def test(first: np.ndarray, second: np.ndarray) -> Any:
        return _scipy_stats().ttest_ind(first, second, equal_var=equal_variances)

    return _tested(test, first, second, float(pooled))


def _tested(
    test: Callable[..., Any], first: np.ndarray, second: np.ndarray, deviation: float
) -> TTest:
    # Values that do not spread are told by what comes out, so the warnings of SciPy and NumPy say
    # nothing new.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        found = test(first, second)
        effect = np.divide(first.mean() - second.mean(), deviation)
    counts = len(first), len(second)
    return TTest(
        float(found.statistic), float(found.df), float(found.pvalue), float(effect), counts
    )


def _scipy_stats() -> Any:
    return import_extra("scipy.stats", "t-tests")


def _sample(values: np.ndarray, name: str) -> Float[np.ndarray, " n"]:
    values = as_numbers(values, name=name)
    if len(values) < 2:
        raise InputError(f"{name}: expected at least two images for a t-test, got {len(values)}")
    return values
