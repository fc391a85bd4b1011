"""Intervals of accuracies, over groups of images where an image set knows them."""

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import Interval, bootstrap_interval, paired_difference_interval


def share_interval(answers: Bool[np.ndarray, " n"], groups: np.ndarray | None) -> Interval:
    """The interval of the share of right answers."""
    return bootstrap_interval(answers.astype(float), groups=groups)


def balanced_interval(
    answers: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"], groups: np.ndarray | None
) -> Interval:
    """The interval of the balanced accuracy, the mean over classes of the share of right answers.

    Every draw has as many images of each class.
    """
    values = np.stack([answers.astype(float), labels], axis=1)
    return bootstrap_interval(
        values, statistic=_balanced, groups=groups, strata=labels, bounds=(0.0, 1.0)
    )


def balanced_difference_interval(
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    groups: np.ndarray | None,
) -> Interval:
    """The interval of the balanced accuracy of the first answers less that of the second.

    Both are about the same images. Where no draw differs, such as for answers that are all alike,
    the intervals of the classes' differences are combined instead, as Newcombe combines those of
    two shares.
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


def _balanced(values: Float[np.ndarray, "n 2"]) -> float:
    """The mean over the classes in the second column of the first column's means."""
    measure, labels = values.T
    return float(np.mean([measure[labels == label].mean() for label in np.unique(labels)]))
