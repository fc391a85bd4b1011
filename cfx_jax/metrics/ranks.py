"""Ranks with ties, and the correlation of ranks."""

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics.checks import as_numbers, check_same_shape


def midranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Computes the rank of each value, 1 for the smallest; equal values share their mean rank.

    Args:
        values: ``(n,)``, finite.

    Returns:
        ``(n,)`` ranks in [1, n] with sum n (n + 1) / 2.

    Raises:
        InputError: the array has not one axis, no value, or has NaN or infinity.

    >>> midranks(np.array([0.3, 0.1, 0.3]))
    array([2.5, 1. , 2.5])
    """
    _, group, counts = np.unique(
        as_numbers(values, name="values"), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[group]


def rank_correlation(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Computes Spearman's correlation, the correlation of the ranks; equal values share their mean
    rank.

    Args:
        first: ``(n,)``, finite.
        second: ``(n,)``, for the same images.

    Returns:
        A number in [-1, 1], 1 where one rises whenever the other does; NaN where either is
        constant.

    Raises:
        InputError: there is no image, NaN or infinity, or the shapes differ.

    Source: Spearman 1904.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0]))
    1.0
    """
    first, second = as_numbers(first, name="first"), as_numbers(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    centred = [midranks(values) - (len(values) + 1) / 2 for values in (first, second)]
    scale = np.sqrt(np.sum(centred[0] ** 2) * np.sum(centred[1] ** 2))
    return float(np.sum(centred[0] * centred[1]) / scale) if scale > 0 else float("nan")
