"""Whether an explanation moves the classifier's probability to where it was asked to.

Singla et al. 2020, section 4.2: for each query and each desired probability, the probability that
was reached.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.checks import check_count
from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import as_probabilities, as_vector, check_same_shape, ratio


class CompatibilityCurve(NamedTuple):
    """The probability reached for each bin of the desired one."""

    centre: Float[np.ndarray, " bins"]
    """Centre of each bin of the desired probability."""
    mean: Float[np.ndarray, " bins"]
    """Mean of the reached probability; NaN in a bin without an image."""
    deviation: Float[np.ndarray, " bins"]
    """Its standard deviation over images (divided by their number); NaN in a bin without an image.
    """
    num_images: Int[np.ndarray, " bins"]
    """Number of images."""


def compatibility_curve(
    expected: Float[np.ndarray, " n"], achieved: Float[np.ndarray, " n"], *, num_bins: int = 10
) -> CompatibilityCurve:
    """The mean probability reached against the one that was asked for.

    The paper draws one curve for each range of the query's own probability: call it with those
    images. Its rank correlation is ``rank_correlation(expected, achieved)``, its error
    ``abs(achieved - expected).mean()``.

    Args:
        expected: the desired probability of each explanation, f(x) + δ, in [0, 1].
        achieved: the classifier's probability of that explanation, f(x_δ), in [0, 1].
        num_bins: equal bins [lo, hi) of [0, 1], the last one closed; at least 1, the paper's 10.

    Returns:
        The curve; the diagonal for a perfect explainer.

    Raises:
        InputError: no image, probabilities outside [0, 1], the shapes differ, or no bin.
    """
    desired, reached = as_vector(expected, name="expected"), as_vector(achieved, name="achieved")
    check_same_shape(desired, reached, names=("expected", "achieved"))
    check_count(num_bins, name="num_bins")
    as_probabilities(desired, name="expected")
    bins = np.minimum(
        (desired * num_bins).astype(int), num_bins - 1
    )  # in their own dtype: float32 0.7 is in bin 7
    count = np.bincount(bins, minlength=num_bins)
    mean = _bin_mean(as_probabilities(reached, name="achieved"), bins, count)
    variance = _bin_mean((reached - mean[bins]) ** 2, bins, count)
    return CompatibilityCurve(
        (np.arange(num_bins) + 0.5) / num_bins, mean, np.sqrt(variance), count
    )


def flipped(
    before: Float[np.ndarray, "*shape"],
    after: Float[np.ndarray, "*shape"],
    *,
    threshold: float = 0.5,
) -> Bool[np.ndarray, "*shape"]:
    """Whether the decision changed; the mean is the flip rate.

    Args:
        before: the probability of each image, in [0, 1].
        after: that of its explanation.
        threshold: a probability of at least this much is a yes, strictly between 0 and 1.

    Returns:
        True where one is a yes and the other a no.

    Raises:
        InputError: probabilities outside [0, 1], the shapes differ, or another threshold.
    """
    before, after = as_probabilities(before, name="before"), as_probabilities(after, name="after")
    check_same_shape(before, after, names=("before", "after"))
    if not 0 < threshold < 1:
        raise InputError(f"threshold: expected a number strictly between 0 and 1, got {threshold}")
    return (before >= threshold) != (after >= threshold)


def _bin_mean(values: np.ndarray, bins: np.ndarray, count: np.ndarray) -> np.ndarray:
    return ratio(np.bincount(bins, values, minlength=len(count)), count)
