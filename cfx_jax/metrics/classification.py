"""How often a classifier is right. Per-image correctness in, one number out."""

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.errors import InputError


def accuracy(correct: Bool[np.ndarray, " n"]) -> float:
    """The share of images that are right.

    Args:
        correct: one boolean for each image.

    Raises:
        InputError: there is no image.
    """
    if len(correct) == 0:
        raise InputError("correct: expected at least one image, got none")
    return float(np.mean(correct))


def balanced_accuracy(correct: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """The mean over classes of the share of their images that are right; classes without an image do not count.

    Args:
        correct: one boolean for each image.
        labels: its true class.

    Raises:
        InputError: there is no image, or the lengths differ.
    """
    correct, labels = np.asarray(correct), np.asarray(labels)
    if correct.shape != labels.shape:
        raise InputError(f"labels: expected the shape of correct {correct.shape}, got {labels.shape}")
    if len(correct) == 0:
        raise InputError("correct: expected at least one image, got none")
    return float(np.mean([correct[labels == label].mean() for label in np.unique(labels)]))


def balanced_weights(labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A weight for each image such that the mean of ``weights * correct`` is the balanced accuracy.

    Intervals and paired differences of the balanced accuracy follow from those of a mean.

    Args:
        labels: the true classes.

    Returns:
        Weights above 0 with mean 1, the same for all images of a class.

    Raises:
        InputError: there is no image.
    """
    labels = np.asarray(labels)
    if len(labels) == 0:
        raise InputError("labels: expected at least one image, got none")
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return len(labels) / (len(counts) * counts[classes])
