"""Means over runs, such as trainings with different seeds, their standard errors and intervals.

They say how sure a number is that a training gives, and that another training would give again:
by Student's distribution over runs. A bootstrap over images or patients is in ``bootstrap``.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError, import_extra
from cfx_jax.metrics.checks import as_numbers, as_vector, check_same_shape
from cfx_jax.metrics.intervals.proportions import LEVEL, Interval, check_level

_ROUNDING_OF_MEANS = 1e-12
"""The rounding of a mean of equal numbers, as a share of them."""


class MeanOfRuns(NamedTuple):
    """A mean over runs and its standard error. Unpacks as a plain ``(mean, standard_error)``."""

    mean: float
    """The mean over runs."""
    standard_error: float
    """The runs' standard deviation over the root of their number, in their unit."""


def mean_and_standard_error(runs: Float[np.ndarray, " runs"], *, ddof: int = 1) -> MeanOfRuns:
    """Computes the mean of a number over runs with different seeds, and its standard error.

    Args:
        runs: the number that each run gave, say an accuracy; finite.
        ddof: 1 for the usual, unbiased variance; 0 for the one that Fontanella et al. 2023 report,
            a fifth smaller for three runs.

    Returns:
        The mean and its standard error, 0 for equal runs.

    Raises:
        InputError: there are no more runs than ``ddof``, ``ddof`` is neither 0 nor 1, or a
            number is NaN or infinite.

    >>> mean_and_standard_error(np.array([0.5, 0.75, 1.0])).mean
    0.75
    """
    runs = as_numbers(runs, name="runs")
    check_choice(ddof, (0, 1), name="ddof")
    if len(runs) <= ddof:
        raise InputError(f"runs: expected at least two for a standard error, got {len(runs)}")
    return MeanOfRuns(float(runs.mean()), float(runs.std(ddof=ddof) / np.sqrt(len(runs))))


def interval_over_runs(
    runs: Sequence[Float[np.ndarray, " cases"]],
    *,
    cases: Sequence[Shaped[np.ndarray, " cases"]] | None = None,
    level: float = LEVEL,
) -> Interval:
    """Computes the interval of a mean over trainings and over test cases.

    It says what other trainings and other cases would give. A statement about a method has two
    sources of chance: the training (its seed, its split) and the cases on which it is tested. Their
    variances are estimated apart and added; the interval is Student's, with Satterthwaite's degrees
    of freedom. To compare two methods, give the differences of their answers.

    Args:
        runs: for each training, one finite number for each of its test cases, at least one; a row
            of a matrix where all are tested on the same cases in the same order.
        cases: for each training, the names of what its numbers are of (a patient, or a scan), in
            the same shape. Numbers of one name are averaged. None where all trainings are tested on
            the same cases, in the same order. Where no case has two trainings, the spread of the
            trainings contains the spread of the cases already.
        level: the interval's coverage, strictly between 0 and 1.

    Returns:
        The mean of the trainings' means with its interval. Both ends are NaN for a single training,
        and where nothing varies.

    Raises:
        InputError: there is no training, a training without cases, trainings of different numbers
            of cases without names, not one name for each case, or a
            level out of range.

    Source: Satterthwaite (1946), "An approximate distribution of estimates of variance components";
    both factors as random effects, the residual counted twice, which makes the interval never too
    narrow.

    >>> runs = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    >>> round(interval_over_runs(runs).estimate, 3)
    0.556
    """
    check_level(level)
    if not isinstance(runs, Sequence | np.ndarray):
        raise InputError(f"runs: expected one array for each training, got {type(runs).__name__}")
    if len(runs) == 0:
        raise InputError("runs: expected at least one training, got none")
    values = [as_numbers(run, name="runs") for run in runs]
    names = _named_cases(values, cases)
    means = np.array([_mean_of_names(run, name) for run, name in zip(values, names, strict=True)])
    estimate = float(means.mean())
    if len(means) < 2:
        return Interval(estimate, math.nan, math.nan)
    parts = [(means.var(ddof=1) / len(means), len(means) - 1), *_variance_of_cases(values, names)]
    variance = sum(part for part, _ in parts)
    largest = max(float(np.abs(run).max()) for run in values)
    if not variance > (_ROUNDING_OF_MEANS * largest) ** 2:
        return Interval(estimate, math.nan, math.nan)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    quantile = float(
        import_extra("scipy.special", "intervals over runs").stdtrit(freedom, (1 + level) / 2)
    )
    half = quantile * math.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half)


def _named_cases(values: list[np.ndarray], cases: Sequence[np.ndarray] | None) -> list[np.ndarray]:
    if cases is None:
        lengths = {len(run) for run in values}
        if len(lengths) > 1:
            raise InputError(
                "cases: expected names, as the trainings have different numbers of cases:"
                f" {lengths}"
            )
        return [np.arange(len(run)) for run in values]
    if not isinstance(cases, Sequence | np.ndarray) or len(cases) != len(values):
        came = len(cases) if isinstance(cases, Sequence) else type(cases).__name__
        raise InputError(
            f"cases: expected names for each of the {len(values)} trainings, got {came}"
        )
    names = [as_vector(name, name="cases") for name in cases]
    for run, name in zip(values, names, strict=True):
        check_same_shape(run, name, names=("runs", "cases"))
    return names


def _mean_of_names(run: np.ndarray, names: np.ndarray) -> float:
    """Computes the mean over cases of each case's mean."""
    inverse = np.unique(names, return_inverse=True)[1]
    return float((np.bincount(inverse, run) / np.bincount(inverse)).mean())


def _variance_of_cases(
    values: list[np.ndarray], names: list[np.ndarray]
) -> list[tuple[float, int]]:
    """Computes the variance that the cases add, and its degrees of freedom.

    Gives nothing where each case has one training.
    """
    distinct = [np.unique(name) for name in names]
    every, inverse = np.unique(np.concatenate(names), return_inverse=True)
    if len(every) == sum(map(len, distinct)) or len(every) < 2:
        return []
    means = np.bincount(inverse, np.concatenate(values)) / np.bincount(inverse)
    return [(float(means.var(ddof=1) / len(every)), len(every) - 1)]
