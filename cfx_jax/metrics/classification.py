"""How often a classifier is right, and how well its scores tell two classes apart."""

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.errors import InputError
from cfx_jax.metrics.ranks import midranks
from cfx_jax.metrics.value_arrays import (
    as_categories,
    as_decisions,
    as_numbers,
    as_probabilities,
    as_vector,
    check_same_shape,
)


def accuracy(correct: Bool[np.ndarray, " n"]) -> float:
    """The share of images that are right.

    Args:
        correct: one boolean for each image.

    Raises:
        InputError: there is no image, or values other than 0 and 1.
    """
    return float(as_decisions(correct, name="correct").mean())


def balanced_accuracy(correct: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """The mean over classes of the share of their images that are right; classes without an image
    do not count.

    Args:
        correct: one boolean for each image.
        labels: its true class, a number or a name.

    Raises:
        InputError: there is no image, decisions other than 0 and 1, labels that name no class, or
            the lengths differ.
    """
    correct, labels = as_decisions(correct, name="correct"), _as_classes(labels)
    check_same_shape(correct, labels, names=("correct", "labels"))
    return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))


def balanced_weights(labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A weight for each image such that the mean of ``weights * correct`` is the balanced accuracy.

    Intervals and paired differences of the balanced accuracy follow from those of a mean.

    Args:
        labels: the true classes, numbers or names.

    Returns:
        Weights above 0 with mean 1, the same for all images of a class.

    Raises:
        InputError: there is no image, or labels that name no class.
    """
    labels = _as_classes(labels)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return len(labels) / (len(counts) * counts[classes])


def sensitivity(predicted: Bool[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """The share of the positive images that are predicted positive, TP / (TP + FN).

    An interval is that of a mean: ``bootstrap_interval`` of the positive images' decisions.

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1]; NaN where no image is positive.

    Raises:
        InputError: no image, values other than 0 and 1, or the shapes differ.
    """
    predicted, labels = _decisions(predicted, labels)
    return _share(predicted, of=labels)


def specificity(predicted: Bool[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """The share of the negative images that are predicted negative, TN / (TN + FP).

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1]; NaN where no image is negative.

    Raises:
        InputError: no image, values other than 0 and 1, or the shapes differ.
    """
    predicted, labels = _decisions(predicted, labels)
    return _share(~predicted, of=~labels)


def roc_auc(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """The area under the receiver operating characteristic of a score.

    It is the probability that a positive image scores above a negative one, ties counting one half,
    computed from ranks and therefore exact (Hanley and McNeil 1982).

    Args:
        scores: one finite number for each image, higher for more positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        A number in [0, 1], 0.5 for a constant score; NaN where a class has no image.

    Raises:
        InputError: no image, scores that are not finite, labels other than 0 and 1, or the shapes
            differ.
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
    """The squared distance of each image's probability from its truth; the mean is the Brier score
    of a set.

    Args:
        probabilities: of the positive class, in [0, 1].
        labels: the truth, 1 (True) for positive.

    Returns:
        ``(n,)`` numbers in [0, 1], 0 for a sure and right prediction. Brier (1950) sums over both
        classes, which doubles them.

    Raises:
        InputError: no image, probabilities outside [0, 1], labels other than 0 and 1, or the shapes
            differ.
    """
    probabilities = as_probabilities(
        as_vector(probabilities, name="probabilities"), name="probabilities"
    )
    labels = as_decisions(labels, name="labels")
    check_same_shape(probabilities, labels, names=("probabilities", "labels"))
    return (probabilities - labels) ** 2


def _as_classes(labels: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    given = as_vector(labels, name="labels")
    if given.dtype.kind in "fc":
        raise InputError(
            f"labels: expected a class of each image (integer or name), got dtype {given.dtype}"
        )
    return as_categories(labels, name="labels")


def _decisions(predicted: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, labels = (
        as_decisions(predicted, name="predicted"),
        as_decisions(labels, name="labels"),
    )
    check_same_shape(predicted, labels, names=("predicted", "labels"))
    return predicted, labels


def _share(found: np.ndarray, *, of: np.ndarray) -> float:
    return float(found[of].mean()) if of.any() else float("nan")
