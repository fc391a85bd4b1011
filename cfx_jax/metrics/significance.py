"""Whether two methods differ by more than chance.

``paired_test`` exchanges the two methods within each image. If nothing distinguishes the methods,
each image's difference is as likely to have the other sign. The p-value is the share of sign
patterns whose sum is at least as far from 0 as the observed sum (Fisher 1935). On differences of
right and wrong answers it is McNemar's exact test; on signed ranks it is Wilcoxon's signed-rank
test with exact ties.

``mcnemar`` is the exact test of two classifiers (McNemar 1947, with the binomial distribution).
Only images on which one is right and the other wrong say which is better; without a difference each
of them is a fair coin. ``paired_test`` asks the same with groups (scans of one patient, one scan in
several runs), from random draws where more than 20 images differ; here the p-value is exact for any
number.

Student's t-tests serve tables that published them; ``paired_test`` assumes no distribution. Singla
et al. 2020 (section 4.2) compare sizes of hearts: a dependent test for images and their own
explanations, an independent one for explanations and real images of the class that they were moved
to.
"""

import warnings
from collections.abc import Callable
from fractions import Fraction
from math import comb
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.checks import check_choice, check_flag, check_integer
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.checks import as_decisions, as_numbers, as_vector, check_same_shape
from cfx_jax.metrics.ranks import midranks

_MOST_ENUMERATED = 20
"""The largest number of differences for which all sign patterns are tried."""


class PairedTest(NamedTuple):
    """How much two methods differ, and how likely chance alone makes such a difference."""

    difference: float
    """Mean of first - second; for ranks, their signed sum as a share of the largest possible, in
    [-1, 1].
    """
    p_value: float
    """Two-sided, in (0, 1]; 1 where the methods never differ."""


def paired_test(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    *,
    scores: Literal["differences", "ranks"] = "differences",
    groups: Shaped[np.ndarray, " n"] | None = None,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Tests two methods against each other on the same images, without assuming a distribution.

    The test is exact for up to 20 images (or groups) that differ. Beyond, it takes random sign
    patterns, and the p-value is at least 1 / (num_resamples + 1).

    Args:
        first: one finite number per image; booleans for right and wrong.
        second: the number it is compared with, for the same images.
        scores: ``"differences"``, or ``"ranks"`` of their absolute values (Wilcoxon 1945; images
            without a difference are left out), which a few large differences sway less.
        groups: ``(n,)`` names of the groups whose images change sign together (two eyes of one
            patient); each image on its own where None.
        num_resamples: number of random sign patterns, at least 100.
        seed: seed of NumPy's random generator.

    Returns:
        The difference, above 0 where ``first`` is the larger, with its p-value.

    Raises:
        InputError: there is no image, NaN or infinity, the shapes differ, the scores are unknown,
            or there are too few resamples.

    >>> paired_test(np.array([0.9, 0.8, 0.9]), np.array([0.4, 0.3, 0.4]))
    PairedTest(difference=0.5, p_value=0.25)
    """
    check_choice(scores, ("differences", "ranks"), name="scores")
    check_integer(num_resamples, name="num_resamples", at_least=100)
    first, second = as_numbers(first, name="first"), as_numbers(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    signed = first - second if scores == "differences" else _signed_ranks(first - second)
    largest = len(signed) if scores == "differences" else np.abs(signed).sum()
    difference = float(signed.sum() / largest) if signed.any() else 0.0
    return PairedTest(difference, _p_value(_sum_groups(signed, groups), num_resamples, seed))


class McNemar(NamedTuple):
    """How often two classifiers differ, and how likely chance alone makes such a difference."""

    only_first: int
    """Images on which only the first is right."""
    only_second: int
    """Images on which only the second is right."""
    p_value: float
    """Two-sided, in (0, 1]; 1 where as many speak for either."""


def mcnemar(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> McNemar:
    """Tests whether two classifiers are right equally often.

    Args:
        first: whether the first classifier is right, for each image; images are independent.
        second: whether the second classifier is right, for the same images.

    Returns:
        The two counts that the test compares, and its p-value.

    Raises:
        InputError: there is no image, a value other than 0 and 1, or the shapes differ.

    >>> mcnemar(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 0]))
    McNemar(only_first=3, only_second=0, p_value=0.25)
    """
    first, second = as_decisions(first, name="first"), as_decisions(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return McNemar(only_first, only_second, _two_sided(only_first, only_second))


class TTest(NamedTuple):
    """A t-test of a difference of means, first - second.

    Its numbers are infinite or NaN where the values do not spread at all.
    """

    t: float
    """The statistic, above 0 where ``first`` is the larger."""
    degrees_of_freedom: float
    """Degrees of freedom of the t distribution; not a whole number for Welch's test."""
    p_value: float
    """Two-sided, in [0, 1]."""
    cohen_d: float
    """The effect: the difference of means over a standard deviation: the differences' own, or the
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
        InputError: there are fewer than two pairs, NaN or infinity, or the shapes differ.

    >>> test = dependent_t_test(np.array([2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0]))
    >>> round(test.t, 3), round(test.p_value, 3), test.cohen_d
    (3.464, 0.074, 2.0)
    """
    first, second = _as_sample(first, "first"), _as_sample(second, "second")
    check_same_shape(first, second, names=("first", "second"))
    differences = first - second
    return _t_test(_scipy_stats().ttest_rel, first, second, float(differences.std(ddof=1)))


def independent_t_test(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " m"],
    *,
    equal_variances: bool = False,
) -> TTest:
    """Tests whether two samples have the same mean.

    Args:
        first: one number for each image of one sample, at least two.
        second: the values of other images.
        equal_variances: False for Welch's test, True for Student's, which pools the variances of
            both.

    Returns:
        The test; its effect is the difference of means over the pooled standard deviation, in
        either case.

    Raises:
        InputError: a sample has fewer than two images, NaN or infinity.

    >>> test = independent_t_test(np.array([2.0, 4.0]), np.array([1.0, 3.0]))
    >>> round(test.t, 3), test.degrees_of_freedom, test.num_images
    (0.707, 2.0, (2, 2))
    """
    first, second = _as_sample(first, "first"), _as_sample(second, "second")
    squares = sum(np.square(sample - sample.mean()).sum() for sample in (first, second))
    pooled = np.sqrt(squares / (len(first) + len(second) - 2))

    check_flag(equal_variances, name="equal_variances")

    def test(first: np.ndarray, second: np.ndarray) -> Any:
        return _scipy_stats().ttest_ind(first, second, equal_var=equal_variances)

    return _t_test(test, first, second, float(pooled))


def _signed_ranks(differences: np.ndarray) -> np.ndarray:
    ranks = np.zeros_like(differences)
    changed = differences != 0
    if changed.any():
        ranks[changed] = np.sign(differences[changed]) * midranks(np.abs(differences[changed]))
    return ranks


def _sum_groups(signed: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Sums what changes sign together; zeros, which do not change, are left out."""
    if groups is not None:
        groups = as_vector(groups, name="groups")
        check_same_shape(signed, groups, names=("first", "groups"))
        signed = np.bincount(np.unique(groups, return_inverse=True)[1], signed)
    return signed[signed != 0]


def _p_value(signed: np.ndarray, num_resamples: int, seed: int) -> float:
    exact = len(signed) <= _MOST_ENUMERATED
    sums = _all_sums(signed) if exact else _random_sums(signed, num_resamples, seed)
    # Sums in another order may be off by a rounding error, and a tie must count.
    extreme = np.abs(sums) >= abs(signed.sum()) - 1e-12 * np.abs(signed).sum()
    return float(extreme.mean()) if exact else float((extreme.sum() + 1) / (num_resamples + 1))


def _all_sums(signed: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for difference in signed:
        sums = np.concatenate([sums + difference, sums - difference])
    return sums


def _random_sums(signed: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(
        [signed @ (2 * rng.integers(2, size=len(signed)) - 1) for _ in range(num_resamples)]
    )


def _two_sided(heads: int, tails: int) -> float:
    """Computes twice the smaller tail of that many fair coins.

    It counts in fractions, since floats overflow from a thousand coins on.
    """
    coins = heads + tails
    tail = sum(comb(coins, number) for number in range(min(heads, tails) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**coins)))


def _t_test(
    test: Callable[..., Any], first: np.ndarray, second: np.ndarray, deviation: float
) -> TTest:
    # Values that do not spread are told by what comes out, so the warnings of SciPy and NumPy say
    # nothing new.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        result = test(first, second)
        effect = np.divide(first.mean() - second.mean(), deviation)
    counts = len(first), len(second)
    return TTest(
        float(result.statistic), float(result.df), float(result.pvalue), float(effect), counts
    )


def _scipy_stats() -> Any:
    return import_extra("scipy.stats", "t-tests")


def _as_sample(values: np.ndarray, name: str) -> Float[np.ndarray, " n"]:
    values = as_numbers(values, name=name)
    if len(values) < 2:
        raise InputError(f"{name}: expected at least two images for a t-test, got {len(values)}")
    return values
