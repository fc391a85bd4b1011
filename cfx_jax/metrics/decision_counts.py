"""Counts of right and wrong decisions, from which every rate of a classifier of two classes
follows.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cfx_jax.metrics.value_arrays import as_decisions, check_same_shape


class DecisionCounts(NamedTuple):
    """How many images are right and wrong, by class. Counts of several runs add up; rates do not."""

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
    """Counts the decisions of a classifier of two classes.

    Args:
        predicted: one decision for each image, 1 (True) for positive.
        labels: the truth, 1 (True) for positive.

    Returns:
        Four numbers whose sum is that of the images.

    Raises:
        InputError: no image, values other than 0 and 1, or the shapes differ.
    """
    predicted, labels = (
        as_decisions(predicted, name="predicted"),
        as_decisions(labels, name="labels"),
    )
    check_same_shape(predicted, labels, names=("predicted", "labels"))
    return DecisionCounts(
        true_positives=int((predicted & labels).sum()),
        false_negatives=int((~predicted & labels).sum()),
        true_negatives=int((~predicted & ~labels).sum()),
        false_positives=int((predicted & ~labels).sum()),
    )
