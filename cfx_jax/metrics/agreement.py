"""How far raters agree beyond chance, and what the majority of them says.

Where raters almost always choose one category, kappa is near 0 although they nearly always agree:
chance alone would make them. Report the share of agreement beside it.
"""

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import check_count
from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import as_categories, check_same_kind, check_same_shape


def cohen_kappa(first: Shaped[np.ndarray, " n"], second: Shaped[np.ndarray, " n"]) -> float:
    """The agreement of two raters beyond chance, ``(p - e) / (1 - e)``.

    ``p`` is the share of items on which they agree, ``e`` the share expected if each kept the
    frequencies of its categories and chose without looking (Cohen 1960). Categories are unordered.

    Args:
        first: the first rater's category of each item, numbers or names.
        second: the second rater's, of the same items.

    Returns:
        A number in [-1, 1]: 1 for full agreement, 0 for chance; NaN where both use a single
        category throughout.

    Raises:
        InputError: no item, an item without a category (NaN), a number that is not whole, numbers
            against names, or the shapes differ.
    """
    first, second = as_categories(first, name="first"), as_categories(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    check_same_kind(first, second, names=("first", "second"))
    categories = np.unique(np.concatenate([first, second]))
    expected = sum(float(np.mean(first == each) * np.mean(second == each)) for each in categories)
    return _beyond_chance(float(np.mean(first == second)), expected)


def count_votes(
    votes: Int[np.ndarray, "n raters"], *, num_categories: int
) -> Int[np.ndarray, "n k"]:
    """How many raters chose each category of each item, for ``fleiss_kappa`` and ``majority_vote``.

    Args:
        votes: the category that each rater chose for each item, integers in [0, num_categories).
        num_categories: how many there were to choose from.

    Returns:
        ``(n, num_categories)`` counts, each row with the number of raters as its sum.

    Raises:
        InputError: another rank, or votes for no category.
    """
    check_count(num_categories, name="num_categories")
    votes = np.asarray(votes)
    if votes.ndim != 2 or votes.size == 0:
        raise InputError(
            f"votes: expected one category for each item and rater (n, raters), got shape"
            f" {votes.shape}"
        )
    if not np.issubdtype(votes.dtype, np.integer):
        raise InputError(
            f"votes: expected integers in 0..{num_categories - 1}, got dtype {votes.dtype}: give"
            f" the number of each category"
        )
    if votes.min() < 0 or votes.max() >= num_categories:
        raise InputError(
            f"votes: expected integers in 0..{num_categories - 1}, got {votes.dtype} in"
            f" [{votes.min()}, {votes.max()}]"
        )
    return np.stack([(votes == category).sum(axis=1) for category in range(num_categories)], axis=1)


def fleiss_kappa(counts: Int[np.ndarray, "n k"]) -> float:
    """The agreement of several raters beyond chance, ``(p - e) / (1 - e)``.

    ``p`` is the mean over items of the share of pairs of raters that agree, ``e`` the sum of
    squared frequencies of the categories over all votes (Fleiss 1971). The raters of one item need
    not be those of another.

    Args:
        counts: how many raters chose each category of each item; the same number of raters, at
            least two, for all.

    Returns:
        A number up to 1: 1 for full agreement, 0 for chance; NaN where all votes are for one
        category.

    Raises:
        InputError: no item, counts that are no whole numbers, too few raters, or not as many for
            each item.
    """
    counts = _counts(counts)
    raters = counts.sum(axis=1)
    if raters.min() < 2 or raters.min() != raters.max():
        raise InputError(
            f"counts: expected the same number of raters, at least 2, for each item, got"
            f" {raters.min()} to {raters.max()}"
        )
    agreeing = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))
    expected = np.sum((counts.sum(axis=0) / counts.sum()) ** 2)
    return _beyond_chance(float(agreeing.mean()), float(expected))


def majority_vote(counts: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """The category with the most votes of each item, -1 where several share the most.

    Compared with the truth, a tie then counts as wrong; ``(majority_vote(counts) == -1).mean()`` is
    the share of ties.

    Args:
        counts: how many raters chose each category of each item.

    Returns:
        ``(n,)`` integers in [-1, k).

    Raises:
        InputError: no item, or counts that are no whole numbers of at least 0.
    """
    counts = _counts(counts)
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, -1, counts.argmax(axis=1))


def _beyond_chance(agreement: float, expected: float) -> float:
    return (agreement - expected) / (1 - expected) if expected < 1 else float("nan")


def _counts(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts)
    if (
        counts.ndim != 2
        or counts.size == 0
        or not np.issubdtype(counts.dtype, np.integer)
        or counts.min() < 0
    ):
        raise InputError(
            f"counts: expected whole numbers of votes (n, k), got {counts.dtype} of shape"
            f" {counts.shape}: use count_votes"
        )
    return counts
