"""Whether explanations of one decision change something else.

Singla et al. 2020, section 4.6, figure 7 and table 3.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.checks import as_numpy
from cfx_jax.errors import InputError
from cfx_jax.metrics.calibration import THRESHOLD, decision_flips
from cfx_jax.metrics.checks import as_decisions, as_vector, check_same_shape


class Confounding(NamedTuple):
    """How often the explanations of one target show and change an attribute."""

    share: float
    """Share of the explanations that show the attribute, in [0, 1]."""
    changed: float
    """Share of the explanations whose attribute is not their query's: the confounding metric, in
    [0, 1].
    """
    num_images: int
    """Number of explanations."""


def confounding(
    attribute: Bool[np.ndarray, " n"],
    explained: Bool[np.ndarray, " n"],
    targets: Shaped[np.ndarray, " n"],
) -> dict[object, Confounding]:
    """Measures how often explanations change an attribute that they should leave alone.

    It is the plain mean over the explanations of each target; the published formula divides it by
    their number once more. Judge the oracle beside it: give its decisions on the queries'
    reconstructions as ``explained``.

    Args:
        attribute: whether each query has the attribute, say that the person is male.
        explained: the decision of the oracle, an independent classifier of the attribute, on each
            query's explanation.
        targets: the decision that each explanation goes to, a number or a name.

    Returns:
        One ``Confounding`` for each target, in their sorted order.

    Raises:
        InputError: there is no image, a decision other than 0 and 1, or the shapes differ.

    >>> male, explained = np.array([1, 0, 0]), np.array([1, 1, 0])
    >>> confounding(male, explained, np.array([0, 1, 1]))[1]
    Confounding(share=0.5, changed=0.5, num_images=2)
    """
    attribute, explained = (
        as_decisions(attribute, name="attribute"),
        as_decisions(explained, name="explained"),
    )
    targets = as_vector(targets, name="targets")
    check_same_shape(attribute, explained, names=("attribute", "explained"))
    check_same_shape(attribute, targets, names=("attribute", "targets"))
    changed = attribute != explained
    images = {target.item(): targets == target for target in np.unique(targets)}
    return {
        target: Confounding(
            float(explained[chosen].mean()), float(changed[chosen].mean()), int(chosen.sum())
        )
        for target, chosen in images.items()
    }


def class_discrimination_matrix(
    before: Float[np.ndarray, "n k"],
    after: Float[np.ndarray, "targets n k"],
    *,
    threshold: float = THRESHOLD,
) -> Float[np.ndarray, "targets k"]:
    """Measures how often explanations of each target flip the decision on each label.

    It judges a multi-label classifier, and is no confusion matrix: rows need not sum to 1. A
    classifier that keeps its labels apart shows a large diagonal, and small values elsewhere.

    Args:
        before: the probability of each label for each query, in [0, 1].
        after: the probability of each label for each query's explanation by each target's
            explainer, to the opposite decision on the target.
        threshold: a probability of at least this much is a yes.

    Returns:
        The shares ``matrix[target, label]`` of queries, in [0, 1].

    Raises:
        InputError: there is no query, a probability outside of [0, 1], or the shapes do not match.

    >>> before, after = np.array([[0.1, 0.1]]), np.array([[[0.9, 0.2]], [[0.3, 0.8]]])
    >>> class_discrimination_matrix(before, after)
    array([[1., 0.],
           [0., 1.]])
    """
    before, after = as_numpy(before, name="before"), as_numpy(after, name="after")
    if before.ndim != 2 or after.ndim != 3 or before.shape != after.shape[1:] or after.size == 0:
        raise InputError(
            "after: expected (targets, n, k) with before (n, k), none of them 0, got shapes"
            f" {after.shape}, {before.shape}"
        )
    return np.stack(
        [decision_flips(before, target, threshold=threshold).mean(axis=0) for target in after]
    )
