"""A test of whether two methods differ on the same images: all exchanges of the two within an
image.

If nothing distinguishes the methods, each image's difference is as likely to have the other sign.
The p-value is the share of sign patterns whose sum is at least as far from 0 as the one observed
(Fisher 1935). On differences of right and wrong answers it is McNemar's exact test, on signed ranks
it is Wilcoxon's signed-rank test with exact ties.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.metrics.ranks import midranks
from cfx_jax.metrics.value_arrays import as_numbers, as_vector, check_same_shape

_MOST_ENUMERATED = 20


class PairedTest(NamedTuple):
    """How much two methods differ, and how likely chance alone makes such a difference."""

    difference: float
    """Mean of first - second; for ranks, their signed sum as a share of the largest possible, in
    [-1, 1].
    """
    p_value: float
    """Two-sided, in (0, 1]; 1 where the methods never differ."""


def paired_test(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    *,
    scores: Literal["differences", "ranks"] = "differences",
    groups: Shaped[np.ndarray, " n"] | None = None,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Tests two methods against each other on the same images, without assuming a distribution.

    Exact for up to 20 images (or groups) that differ; beyond, from random sign patterns, the
    p-value then being at least 1 / (num_resamples + 1).

    Args:
        first: one finite number per image; booleans for right and wrong.
        second: the number it is compared with, for the same images.
        scores: ``"differences"``, or ``"ranks"`` of their absolute values (Wilcoxon 1945; images
            without a difference are left out), which a few large differences sway less.
        groups: ``(n,)`` names of the groups whose images change sign together (two eyes of one
            patient); each image on its own where None.
        num_resamples: number of random sign patterns, at least 100.
        seed: seed of NumPy's random generator.

    Returns:
        The difference, above 0 where ``first`` is the larger, with its p-value.

    Raises:
        InputError: no image, NaN or infinity, shapes that differ, other scores, or too few
            resamples.
    """
    check_choice(scores, ("differences", "ranks"), name="scores")
    if num_resamples < 100:
        raise InputError(f"num_resamples: expected at least 100, got {num_resamples}")
    first, second = as_numbers(first, name="first"), as_numbers(second, name="second")
    check_same_shape(first, second, names=("first", "second"))
    signed = first - second if scores == "differences" else _signed_ranks(first - second)
    largest = len(signed) if scores == "differences" else np.abs(signed).sum()
    difference = float(signed.sum() / largest) if signed.any() else 0.0
    return PairedTest(difference, _p_value(_grouped(signed, groups), num_resamples, seed))


def _signed_ranks(differences: np.ndarray) -> np.ndarray:
    ranks = np.zeros_like(differences)
    changed = differences != 0
    if changed.any():
        ranks[changed] = np.sign(differences[changed]) * midranks(np.abs(differences[changed]))
    return ranks


def _grouped(signed: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The sums that change sign as a whole; zeros do not change."""
    if groups is not None:
        groups = as_vector(groups, name="groups")
        check_same_shape(signed, groups, names=("first", "groups"))
        signed = np.bincount(np.unique(groups, return_inverse=True)[1], signed)
    return signed[signed != 0]


def _p_value(signed: np.ndarray, num_resamples: int, seed: int) -> float:
    exact = len(signed) <= _MOST_ENUMERATED
    sums = _all_sums(signed) if exact else _random_sums(signed, num_resamples, seed)
    # Sums in another order may be off by a rounding error, and a tie must count.
    extreme = np.abs(sums) >= abs(signed.sum()) - 1e-12 * np.abs(signed).sum()
    return float(extreme.mean()) if exact else float((extreme.sum() + 1) / (num_resamples + 1))


def _all_sums(signed: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for each in signed:
        sums = np.concatenate([sums + each, sums - each])
    return sums


def _random_sums(signed: np.ndarray, num_resamples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(
        [signed @ (2 * rng.integers(2, size=len(signed)) - 1) for _ in range(num_resamples)]
    )
