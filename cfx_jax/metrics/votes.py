"""What a human study says: whether the majority of its raters is right, and how far they agree.

Singla et al. 2020, table 4: eight votes on each item, the majority compared with the truth, and a κ
whose kind is not named; Fleiss' is taken, which serves any number of raters. The rule for ties is
not stated: they count as wrong here, and their share is given.
"""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import check_classes, check_integer
from cfx_jax.errors import InputError
from cfx_jax.metrics.agreement import count_votes, fleiss_kappa, majority_vote
from cfx_jax.metrics.value_arrays import as_categories, as_vector

_WORDS = ((0.0, "poor"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))


class VoteScore(NamedTuple):
    """What the raters made of some items."""

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
        num_options: how many there were to choose from, at least 2.

    Returns:
        The score.

    Raises:
        InputError: no item, fewer than two raters or options, votes or truths for no option, or
            lengths that differ.
    """
    votes, truth = np.asarray(votes), as_vector(truth, name="truth")
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
    """Scores the items of each category by themselves.

    Args:
        votes, truth, num_options: as in ``score_votes``.
        categories: the category of each item, numbers or names, such as "easy" and "hard".

    Returns:
        A score for each category, in their sorted order.

    Raises:
        InputError: as ``score_votes``, or another number of categories than of items.
    """
    votes, truth = np.asarray(votes), as_vector(truth, name="truth")
    categories = as_categories(categories, name="categories")
    if not len(votes) == len(truth) == len(categories):
        raise InputError(
            f"categories: expected one for each item, got {len(categories)} with {len(votes)} items"
            f" and {len(truth)} truths"
        )
    chosen = {each.item(): categories == each for each in np.unique(categories)}
    return {
        name: score_votes(votes[own], truth[own], num_options=num_options)
        for name, own in chosen.items()
    }


def agreement_word(kappa: float) -> str:
    """The word for a κ: poor (up to 0), slight (to 0.20), fair (to 0.40), moderate (to 0.60),
    substantial (to 0.80), almost perfect (Viera and Garrett 2005, "Understanding interobserver
    agreement: the kappa statistic").

    Args:
        kappa: rounded to the two digits in which the bands are given; NaN is "undefined".
    """
    if np.isnan(kappa):
        return "undefined"
    return next((word for highest, word in _WORDS if round(kappa, 2) <= highest), "almost perfect")
