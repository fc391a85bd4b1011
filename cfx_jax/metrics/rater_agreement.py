"""How far raters agree beyond chance, and whether their majority is right.

Where raters almost always choose one category, kappa is near 0 although they nearly always agree:
chance alone would make them agree. Report the share of agreement beside it.

Human studies follow Singla et al. 2020, table 4: eight votes on each item, the majority compared
with the truth, and a κ whose kind is not named. Fleiss' κ is taken here, which serves any number of
raters. The paper states no rule for ties: they count as wrong here, and their share is given.
"""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import as_numpy, check_classes, check_count, check_integer, check_number
from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import as_categories, as_vector, check_same_kind, check_same_shape

_WORDS = ((0.0, "poor"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
"""The highest κ of each word; above the last one agreement is almost perfect."""


def cohen_kappa(first: Shaped[np.ndarray, " n"], second: Shaped[np.ndarray, " n"]) -> float:
    """Measures the agreement of two raters beyond chance, ``(p - e) / (1 - e)``.

    ``p`` is the share of items on which they agree, ``e`` the share expected if each rater kept the
    frequencies of its categories and chose without looking (Cohen 1960). Categories are unordered.

    Args:
        first: the first rater's category of each item, a number or a name.
        second: the second rater's category of the same items.

    Returns:
        A number in [-1, 1]: 1 for full agreement, 0 for chance; NaN where both raters use a single
        category throughout.

    Raises:
        InputError: there is no item, an item without a category (NaN), a number that is not whole,
            numbers against names, or the shapes differ.

    >>> cohen_kappa(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", "dog"])
    0.5
    """
    first, second = as_categories(first, name="first"), as_categories(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    check_same_kind(first, second, names=("first", "second"))
    categories = np.unique(np.concatenate([first, second]))
    expected = sum(
        float(np.mean(first == category) * np.mean(second == category)) for category in categories
    )
    return _beyond_chance(float(np.mean(first == second)), expected)


def count_votes(
    votes: Int[np.ndarray, "n raters"], *, num_categories: int
) -> Int[np.ndarray, "n k"]:
    """Counts the raters that chose each category of each item.

    The counts are what ``fleiss_kappa`` and ``majority_vote`` take.

    Args:
        votes: the category that each rater chose for each item, integers in [0, num_categories).
        num_categories: how many categories there were to choose from.

    Returns:
        ``(n, num_categories)`` counts, each row with the number of raters as its sum.

    Raises:
        InputError: the votes have not two axes, or a vote is no category.

    >>> count_votes(np.array([[0, 0, 1], [1, 1, 1]]), num_categories=2)
    array([[2, 1],
           [0, 3]])
    """
    check_count(num_categories, name="num_categories")
    votes = as_numpy(votes, name="votes")
    if votes.ndim != 2 or votes.size == 0:
        raise InputError(
            "votes: expected one category for each item and rater (n, raters), got shape"
            f" {votes.shape}"
        )
    if not np.issubdtype(votes.dtype, np.integer):
        raise InputError(
            f"votes: expected integers in 0..{num_categories - 1}, got dtype {votes.dtype}: give"
            " the number of each category"
        )
    if votes.min() < 0 or votes.max() >= num_categories:
        raise InputError(
            f"votes: expected integers in 0..{num_categories - 1}, got {votes.dtype} in"
            f" [{votes.min()}, {votes.max()}]"
        )
    return np.stack([(votes == category).sum(axis=1) for category in range(num_categories)], axis=1)


def fleiss_kappa(counts: Int[np.ndarray, "n k"]) -> float:
    """Measures the agreement of several raters beyond chance, ``(p - e) / (1 - e)``.

    ``p`` is the mean over items of the share of pairs of raters that agree, ``e`` the sum of
    squared frequencies of the categories over all votes (Fleiss 1971). Different items may have
    different raters.

    Args:
        counts: how many raters chose each category of each item; the same number of raters, at
            least two, for all items.

    Returns:
        A number up to 1: 1 for full agreement, 0 for chance; NaN where all votes are for one
        category.

    Raises:
        InputError: there is no item, counts that are no whole numbers, too few raters, or not as
            many raters for each item.

    >>> fleiss_kappa(np.array([[3, 0], [0, 3]]))
    1.0
    """
    counts = _as_counts(counts)
    raters = counts.sum(axis=1)
    if raters.min() < 2 or raters.min() != raters.max():
        raise InputError(
            "counts: expected the same number of raters, at least 2, for each item, got"
            f" {raters.min()} to {raters.max()}"
        )
    agreeing = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))
    expected = np.sum((counts.sum(axis=0) / counts.sum()) ** 2)
    return _beyond_chance(float(agreeing.mean()), float(expected))


def majority_vote(counts: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """Finds the category with the most votes of each item, -1 where several share the most.

    Compared with the truth, a tie counts as wrong; ``(majority_vote(counts) == -1).mean()`` is the
    share of ties.

    Args:
        counts: how many raters chose each category of each item.

    Returns:
        ``(n,)`` integers in [-1, k).

    Raises:
        InputError: there is no item, or counts that are no whole numbers of at least 0.

    >>> majority_vote(np.array([[2, 1], [1, 1]])).tolist()
    [0, -1]
    """
    counts = _as_counts(counts)
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, -1, counts.argmax(axis=1))


class VoteScore(NamedTuple):
    """How right the majority of raters is on some items, and how far the raters agree."""

    accuracy: float
    """Share of the items whose majority is right, in [0, 1]."""
    ties: float
    """Share of the items on which several options have the most votes, in [0, 1]."""
    kappa: float
    """Fleiss' κ, up to 1; NaN where all votes are for one option."""
    agreement: str
    """The word for κ."""
    num_items: int
    """Number of items."""
    num_raters: int
    """Number of raters."""


def score_votes(
    votes: Int[np.ndarray, "n raters"], truth: Int[np.ndarray, " n"], *, num_options: int
) -> VoteScore:
    """Scores the votes of all raters on all items.

    A κ near 0 beside an accuracy near 1 is no error: where one option is nearly always chosen,
    chance agrees as well.

    Args:
        votes: the option that each rater chose for each item, in [0, num_options); at least two
            raters.
        truth: the right option of each item.
        num_options: how many options there were to choose from, at least 2.

    Returns:
        The score.

    Raises:
        InputError: there is no item, fewer than two raters or options, a vote or a truth for no
            option, or the lengths differ.

    >>> score = score_votes(np.array([[0, 0, 0], [1, 1, 1]]), np.array([0, 0]), num_options=2)
    >>> score.accuracy, score.agreement
    (0.5, 'almost perfect')
    """
    votes, truth = as_numpy(votes, name="votes"), as_vector(truth, name="truth")
    check_integer(num_options, name="num_options", at_least=2)
    counts = count_votes(votes, num_categories=num_options)
    if len(counts) != len(truth):
        raise InputError(
            f"truth: expected the right option of each of the {len(counts)} items, got {len(truth)}"
        )
    check_classes(truth, num_options, name="truth")
    majority, kappa = majority_vote(counts), fleiss_kappa(counts)
    accuracy, ties = float((majority == truth).mean()), float((majority == -1).mean())
    return VoteScore(accuracy, ties, kappa, agreement_word(kappa), *votes.shape)


def score_votes_by_category(
    votes: Int[np.ndarray, "n raters"],
    truth: Int[np.ndarray, " n"],
    categories: Shaped[np.ndarray, " n"],
    *,
    num_options: int,
) -> dict[Hashable, VoteScore]:
    """Scores the votes on the items of each category by themselves.

    Args:
        votes, truth, num_options: as in ``score_votes``.
        categories: the category of each item, a number or a name, such as "easy" and "hard".

    Returns:
        A score for each category, in their sorted order.

    Raises:
        InputError: as ``score_votes``, or the number of categories is not the number of items.

    >>> votes, truth = np.array([[0, 0], [0, 0]]), np.array([0, 1])
    >>> scores = score_votes_by_category(votes, truth, ["easy", "hard"], num_options=2)
    >>> {category: score.accuracy for category, score in scores.items()}
    {'easy': 1.0, 'hard': 0.0}
    """
    votes, truth = as_numpy(votes, name="votes"), as_vector(truth, name="truth")
    if not votes.ndim:
        raise InputError("votes: expected one row for each item (n, raters), got one value")
    categories = as_categories(categories, name="categories")
    if not len(votes) == len(truth) == len(categories):
        raise InputError(
            f"categories: expected one for each item, got {len(categories)} with {len(votes)} items"
            f" and {len(truth)} truths"
        )
    items = {name.item(): categories == name for name in np.unique(categories)}
    return {
        name: score_votes(votes[chosen], truth[chosen], num_options=num_options)
        for name, chosen in items.items()
    }


def agreement_word(kappa: float) -> str:
    """Names the strength of agreement that a κ stands for.

    The words are poor (up to 0), slight (to 0.20), fair (to 0.40), moderate (to 0.60), substantial
    (to 0.80) and almost perfect (Viera and Garrett 2005, "Understanding interobserver agreement:
    the kappa statistic").

    Args:
        kappa: rounded to the two digits in which the bands are given; NaN is "undefined".

    >>> agreement_word(0.7)
    'substantial'
    """
    check_number(kappa, name="kappa")
    if np.isnan(kappa):
        return "undefined"
    return next((word for highest, word in _WORDS if round(kappa, 2) <= highest), "almost perfect")


def _beyond_chance(agreement: float, expected: float) -> float:
    return (agreement - expected) / (1 - expected) if expected < 1 else float("nan")


def _as_counts(counts: np.ndarray) -> np.ndarray:
    counts = as_numpy(counts, name="counts")
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
