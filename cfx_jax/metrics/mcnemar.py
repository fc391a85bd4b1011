"""McNemar's exact test of two classifiers on the same images (McNemar 1947, with the binomial
distribution).

Only images on which one is right and the other wrong say which is better; without a difference each
of them is a fair coin. ``paired_test`` asks the same with groups (scans of one patient, one scan in
several runs), from random draws where more than 20 images differ; here the p-value is exact for any
number.
"""

from fractions import Fraction
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cfx_jax.metrics.value_arrays import as_decisions, check_same_shape


class McNemar(NamedTuple):
    """How often two classifiers differ, and how likely chance alone makes such a difference."""

    only_first: int
    """Images on which only the first is right."""
    only_second: int
    """Images on which only the second is right."""
    p_value: float
    """Two-sided, in (0, 1]; 1 where as many speak for either."""


def mcnemar(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> McNemar:
    """Tests whether two classifiers are right equally often.

    Args:
        first: whether the first is right, for each image; images are independent.
        second: whether the second is, for the same images.

    Returns:
        The two counts that the test compares, and its p-value.

    Raises:
        InputError: no image, values other than 0 and 1, or the shapes differ.
    """
    first, second = as_decisions(first, name="first"), as_decisions(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return McNemar(only_first, only_second, _two_sided(only_first, only_second))


def _two_sided(heads: int, tails: int) -> float:
    """Twice the smaller tail of that many fair coins; fractions, since floats overflow from a
    thousand coins on.
    """
    coins = heads + tails
    tail = sum(comb(coins, number) for number in range(min(heads, tails) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**coins)))
