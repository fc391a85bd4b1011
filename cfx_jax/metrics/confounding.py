"""Whether explanations of one decision change something else (Singla et al. 2020, section 4.6,
figure 7 and table 3).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.errors import InputError
from cfx_jax.metrics.compatibility import flipped
from cfx_jax.metrics.value_arrays import as_decisions, as_vector, check_same_shape


class Confounding(NamedTuple):
    """What an oracle of the attribute says about the explanations of one target."""

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
    """How often explanations change an attribute that they should leave alone, for each target.

    The plain mean over explanations; the published formula divides it by their number once more.
    Judge the oracle beside it: give its decisions on the queries' reconstructions as ``explained``.

    Args:
        attribute: whether each query has the attribute, say that the person is male.
        explained: what an independent classifier of the attribute, the oracle, says of its
            explanation.
        targets: the decision that each explanation goes to, numbers or names.

    Returns:
        One ``Confounding`` for each target, in their sorted order.

    Raises:
        InputError: no image, decisions other than 0 and 1, or the shapes differ.
    """
    attribute, explained = (
        as_decisions(attribute, name="attribute"),
        as_decisions(explained, name="explained"),
    )
    targets = as_vector(targets, name="targets")
    check_same_shape(attribute, explained, names=("attribute", "explained"))
    check_same_shape(attribute, targets, names=("attribute", "targets"))
    changed = attribute != explained
    return {
        target.item(): Confounding(
            float(explained[own].mean()), float(changed[own].mean()), int(own.sum())
        )
        for target in np.unique(targets)
        for own in [targets == target]
    }


def class_discrimination_matrix(
    before: Float[np.ndarray, "n k"],
    after: Float[np.ndarray, "targets n k"],
    *,
    threshold: float = 0.5,
) -> Float[np.ndarray, "targets k"]:
    """The share of explanations of each target that flip the decision on each label of a
    multi-label classifier.

    Not a confusion matrix: rows need not sum to 1. A classifier that keeps its labels apart shows a
    large diagonal, and small values elsewhere.

    Args:
        before: the probability of each label for each query, in [0, 1].
        after: the same for its explanation by each target's explainer, to the opposite decision on
            the target.
        threshold: a probability of at least this much is a yes.

    Returns:
        ``matrix[target, label]`` in [0, 1].

    Raises:
        InputError: no query, probabilities outside [0, 1], or shapes that do not match.
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.ndim != 2 or after.ndim != 3 or before.shape != after.shape[1:] or after.size == 0:
        raise InputError(
            f"after: expected (targets, n, k) with before (n, k), none of them 0, got shapes"
            f" {after.shape}, {before.shape}"
        )
    return np.stack([flipped(before, each, threshold=threshold).mean(axis=0) for each in after])
