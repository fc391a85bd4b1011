"""Intervals of shares, of balanced accuracies, of trainings, and of the least of several means."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    interval_over_runs,
    paired_difference_interval,
)

Runs = Sequence[Float[np.ndarray, " cases"]]
"""For each training, one number for each test case."""


def share_interval(answers: Bool[np.ndarray, " n"], groups: np.ndarray | None) -> Interval:
    """The interval of the share of right answers."""
    return bootstrap_interval(answers.astype(float), groups=groups)


def balanced_interval(
    answers: Bool[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    groups: np.ndarray | None,
    **options: int,
) -> Interval:
    """The interval of the balanced accuracy, the mean over classes of the share of right answers.

    Every draw has as many images of each class.

    Args:
        answers: whether each image is told rightly.
        labels: the class of each image.
        groups: the person on each image, where several images show one person.
        options: further options of ``metrics.bootstrap_interval``, such as ``num_resamples``.
    """
    values = np.stack([answers.astype(float), labels], axis=1)
    return bootstrap_interval(
        values, statistic=_balanced, groups=groups, strata=labels, bounds=(0.0, 1.0), **options
    )


def balanced_difference_interval(
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    groups: np.ndarray | None,
) -> Interval:
    """The interval of the difference of two balanced accuracies, the first answers' less the
    second's.

    Both are about the same images. Where no draw differs, such as for answers that are all alike,
    the intervals of the classes' differences are combined instead, as Newcombe combines the
    intervals of two shares.
    """
    values = np.stack([first.astype(float) - second.astype(float), labels], axis=1)
    interval = bootstrap_interval(values, statistic=_balanced, groups=groups, strata=labels)
    if not np.isnan(interval.low):
        return interval
    classes = []
    for label in np.unique(labels):
        chosen = labels == label
        chosen_groups = None if groups is None else groups[chosen]
        classes.append(
            paired_difference_interval(first[chosen], second[chosen], groups=chosen_groups)
        )
    estimate, low, high = np.asarray(classes).T
    below, above = (float(np.linalg.norm(ends - estimate) / len(classes)) for ends in (low, high))
    return Interval(interval.estimate, interval.estimate - below, interval.estimate + above)


def least_mean_interval(
    leads: Float[np.ndarray, "n m"], groups: Shaped[np.ndarray, " n"] | None
) -> Interval:
    """The interval of the least of several mean leads.

    Args:
        leads: the leads of each image.
        groups: the person on each image, where several images show one person.
    """
    return bootstrap_interval(leads, statistic=_least_mean, groups=groups)


def difference_over_runs(
    first: Runs, second: Runs, cases: Sequence[Shaped[np.ndarray, " cases"]] | None
) -> Interval:
    """The interval of the mean difference of two methods that were trained in the same runs.

    Args:
        first, second: the numbers of either method, of the same cases.
        cases: for each run, the names of the cases; None where all runs have the same ones.
    """
    pairs = zip(first, second, strict=True)
    differences = [np.asarray(one, float) - np.asarray(other, float) for one, other in pairs]
    return interval_over_runs(differences, cases=cases)


def mean_over_runs(values: Runs) -> float:
    """The mean over trainings of the mean over cases."""
    return float(np.mean([np.mean(run) for run in values]))


def least_interval(intervals: Sequence[Interval]) -> Interval:
    """The least estimate, and the least of the low and of the high ends.

    The least of several means is as low as that only if one of them is.
    """
    return Interval(*np.array(intervals).min(axis=0).tolist())


def _balanced(values: Float[np.ndarray, "n 2"]) -> float:
    """The mean of the first column within each class (second column), averaged over classes."""
    measure, labels = values.T
    return float(np.mean([measure[labels == label].mean() for label in np.unique(labels)]))


def _least_mean(leads: Float[np.ndarray, "n m"]) -> float:
    return float(leads.mean(axis=0).min())
