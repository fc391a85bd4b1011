"""How often a classifier is right, and how well its scores tell two classes apart."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import (
    as_categories,
    as_decisions,
    as_numbers,
    as_probabilities,
    as_vector,
    check_same_shape,
)
from cfx_jax.metrics.ranks import midranks


def accuracy(correct: Bool[np.ndarray, " n"]) -> float:
    """Computes the share of images that are classified right, in [0, 1].

    Args:
        correct: whether each image is right, booleans.

    Raises:
        InputError: there is no image, or a value other than 0 and 1.

    >>> accuracy(np.array([True, True, False, True]))
    0.75
    """
    return float(as_decisions(correct, name="correct").mean())


def balanced_accuracy(correct: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """Computes the mean over classes of the share of their images that are right, in [0, 1].

    A class without an image does not count.

    Args:
        correct: whether each image is right, booleans.
        labels: the true class of each image, a number or a name.

    Raises:
        InputError: there is no image, a decision other than 0 and 1, a label that names no class,
            or the lengths differ.

    >>> balanced_accuracy(np.array([True, True, True, False]), np.array([0, 0, 0, 1]))
    0.5
    """
    correct, labels = as_decisions(correct, name="correct"), _as_classes(labels)
    check_same_shape(correct, labels, names=("correct", "labels"))
    return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))


def balanced_weights(labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Computes a weight for each image, by which a mean becomes the balanced accuracy.

    The mean of ``weights * correct`` is the balanced accuracy. Intervals and paired differences of
    the balanced accuracy follow from intervals of a mean.

    Args:
        labels: the true classes, numbers or names.

    Returns:
        Weights above 0 with mean 1, the same for all images of a class.

    Raises:
        InputError: there is no image, or a label that names no class.

    >>> balanced_weights(np.array([0, 0, 0, 1])).round(2)
    array([0.67, 0.67, 0.67, 2.  ])
    """
    labels = _as_classes(labels)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return len(labels) / (len(counts) * counts[classes])


def sensitivity(predicted: Bool[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Computes the share of the positive images that are predicted positive, TP / (TP + FN).

    Its interval is the interval of a mean: ``bootstrap_interval`` of the positive images'
    decisions.

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1]; NaN where no image is positive.

    Raises:
        InputError: there is no image, a value other than 0 and 1, or the shapes differ.

    >>> sensitivity(np.array([1, 0, 0, 0]), np.array([1, 1, 0, 0]))
    0.5
    """
    predicted, labels = _as_decisions_and_labels(predicted, labels)
    return _share(predicted, of=labels)


def specificity(predicted: Bool[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Computes the share of the negative images that are predicted negative, TN / (TN + FP).

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1]; NaN where no image is negative.

    Raises:
        InputError: there is no image, a value other than 0 and 1, or the shapes differ.

    >>> specificity(np.array([1, 0, 0, 0]), np.array([1, 1, 0, 0]))
    1.0
    """
    predicted, labels = _as_decisions_and_labels(predicted, labels)
    return _share(~predicted, of=~labels)


def roc_auc(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Computes the area under the receiver operating characteristic of a score.

    It is the probability that a positive image scores above a negative one, ties counting one half,
    computed from ranks and therefore exact (Hanley and McNeil 1982).

    Args:
        scores: one finite number for each image, higher for more positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1], 0.5 for a constant score; NaN where a class has no image.

    Raises:
        InputError: there is no image, a score that is not finite, a label other than 0 and 1, or
            the shapes differ.

    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """
    scores, labels = as_numbers(scores, name="scores"), as_decisions(labels, name="labels")
    check_same_shape(scores, labels, names=("scores", "labels"))
    positives = int(labels.sum())
    pairs = positives * (len(labels) - positives)
    if pairs == 0:
        return float("nan")
    return float((midranks(scores)[labels].sum() - positives * (positives + 1) / 2) / pairs)


def brier_score(
    probabilities: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Computes the squared distance of each image's probability from its truth.

    The mean over images is the Brier score of a set.

    Args:
        probabilities: the probability of the positive class at each image, in [0, 1].
        labels: the truth, 1 (True) for positive.

    Returns:
        ``(n,)`` numbers in [0, 1], 0 for a sure and right prediction. Brier (1950) sums over both
        classes, which doubles them.

    Raises:
        InputError: there is no image, a probability outside of [0, 1], a label other than 0 and 1,
            or the shapes differ.

    >>> brier_score(np.array([0.5, 1.0]), np.array([0, 1]))
    array([0.25, 0.  ])
    """
    probabilities = as_probabilities(
        as_vector(probabilities, name="probabilities"), name="probabilities"
    )
    labels = as_decisions(labels, name="labels")
    check_same_shape(probabilities, labels, names=("probabilities", "labels"))
    return (probabilities - labels) ** 2


class DecisionCounts(NamedTuple):
    """The numbers of right and wrong decisions, by class.

    Counts of several runs add up; rates do not.
    """

    true_positives: int
    """Positive images that are predicted positive; as a share of all positive ones, the
    sensitivity.
    """
    false_negatives: int
    """Positive images that are predicted negative."""
    true_negatives: int
    """Negative images that are predicted negative; as a share of all negative ones, the
    specificity.
    """
    false_positives: int
    """Negative images that are predicted positive."""


def decision_counts(
    predicted: Bool[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]
) -> DecisionCounts:
    """Counts the right and wrong decisions of a classifier of two classes.

    Every rate of the classifier follows from these four counts.

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        Four numbers whose sum is the number of images.

    Raises:
        InputError: there is no image, a value other than 0 and 1, or the shapes differ.

    >>> counts = decision_counts(np.array([1, 0, 1]), np.array([1, 1, 0]))
    >>> counts.true_positives, counts.false_negatives, counts.false_positives
    (1, 1, 1)
    """
    predicted, labels = _as_decisions_and_labels(predicted, labels)
    return DecisionCounts(
        true_positives=int((predicted & labels).sum()),
        false_negatives=int((~predicted & labels).sum()),
        true_negatives=int((~predicted & ~labels).sum()),
        false_positives=int((predicted & ~labels).sum()),
    )


def _as_classes(labels: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    given = as_vector(labels, name="labels")
    if given.dtype.kind in "fc":
        raise InputError(
            f"labels: expected a class of each image (integer or name), got dtype {given.dtype}"
        )
    return as_categories(labels, name="labels")


def _as_decisions_and_labels(
    predicted: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    predicted, labels = (
        as_decisions(predicted, name="predicted"),
        as_decisions(labels, name="labels"),
    )
    check_same_shape(predicted, labels, names=("predicted", "labels"))
    return predicted, labels


def _share(decisions: np.ndarray, *, of: np.ndarray) -> float:
    return float(decisions[of].mean()) if of.any() else float("nan")
