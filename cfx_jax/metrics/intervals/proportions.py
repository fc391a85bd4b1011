"""Intervals of shares of yes and no, and of differences of two shares, in closed form.

A resample shows no spread that the sample does not have. So shares have Wilson's interval, and
differences of shares Newcombe's, which are never of width zero.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_number
from cfx_jax.errors import InputError

LEVEL = 0.95


class Interval(NamedTuple):
    """A number and how far it may be off. Unpacks as a plain ``(estimate, low, high)``."""

    estimate: float
    """The statistic of the images themselves."""
    low: float
    """Lower end of the interval, in the statistic's unit; NaN where the sample does not tell."""
    high: float
    """Upper end of the interval, in the statistic's unit; NaN where the sample does not tell."""


def wilson_interval(successes: float, n: int, *, level: float = LEVEL) -> Interval:
    """Computes Wilson's score interval of a share, which has a width even for none or all of n.

    Args:
        successes: how many of the n were a yes, in [0, n]; not a whole number where groups stand
            for images.
        n: how many there were, at least 1.
        level: the interval's coverage, strictly between 0 and 1.

    Returns:
        The share and its interval, within [0, 1].

    Raises:
        InputError: n is below 1, the successes lie outside of [0, n], or the level is out of range.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    >>> tuple(round(end, 3) for end in wilson_interval(0, 10))
    (0.0, 0.0, 0.278)
    """
    check_level(level)
    check_number(successes, name="successes")
    check_number(n, name="n")
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"a share needs n >= 1 and successes in [0, n], got {successes} of {n}")
    share, z2 = successes / n, NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n) / (1 + z2 / n)
    return Interval(
        share, 0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half
    )


def interval_at_bound(
    estimate: float, bounds: tuple[float, float] | None, n: int, level: float, is_share: bool
) -> Interval:
    """Computes Wilson's interval between two bounds, of a share or of an estimate at a bound.

    Args:
        estimate: a share, or a mean of values between the bounds.
        bounds: the least and the largest value that the estimate can have.
        n: how many values the estimate is of.
        level: the interval's coverage, strictly between 0 and 1.
        is_share: whether the estimate is a share, which need not be at a bound.

    Returns:
        The interval; NaN ends for any other estimate, and without bounds.

    >>> tuple(round(end, 3) for end in interval_at_bound(1.0, (0.0, 1.0), 10, 0.95, False))
    (1.0, 0.722, 1.0)
    """
    if bounds is None or not (is_share or estimate in bounds):
        return Interval(estimate, math.nan, math.nan)
    least, largest = bounds
    share = (estimate - least) / (largest - least)
    _, low, high = wilson_interval(share * n, n, level=level)
    return Interval(estimate, least + low * (largest - least), least + high * (largest - least))


def newcombe_interval(pairs: Float[np.ndarray, "2 n"], n: int, level: float) -> Interval:
    """Computes Newcombe's interval of the difference of two shares of the same images.

    Args:
        pairs: two answers to each image, 0 or 1; their frequencies count, not their number.
        n: how many pairs of answers the interval is for.
        level: the interval's coverage, strictly between 0 and 1.

    Source: Newcombe (1998), "Improved confidence intervals for the difference between binomial
    proportions based on paired data", method 10.

    >>> answers = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    >>> tuple(round(end, 3) for end in newcombe_interval(answers, 4, 0.95))
    (0.5, -0.102, 0.85)
    """
    first, second = pairs
    both, neither = float(np.mean(first * second)), float(np.mean((1 - first) * (1 - second)))
    only_first, only_second = (
        float(np.mean(first * (1 - second))),
        float(np.mean((1 - first) * second)),
    )
    one, other = (
        wilson_interval(share * n, n, level=level)
        for share in (float(first.mean()), float(second.mean()))
    )
    margins = one.estimate * (1 - one.estimate) * other.estimate * (1 - other.estimate)
    product = both * neither - only_first * only_second
    if product > 0:  # The continuity correction that method 10 adds to a positive association.
        product = max(product - 1 / (2 * n), 0.0)
    phi = product / math.sqrt(margins) if margins > 0 else 0.0
    return difference_of_shares(one, other, phi)


def difference_of_shares(one: Interval, other: Interval, phi: float) -> Interval:
    """Combines the intervals of two shares to the interval of their difference.

    Args:
        one: the share that is subtracted from.
        other: the share that is subtracted.
        phi: the correlation of the answers; 0 for different images.

    Source: Newcombe (1998), "Interval estimation for the difference between independent
    proportions", method 10.

    >>> one, other = wilson_interval(9, 10), wilson_interval(5, 10)
    >>> tuple(round(end, 3) for end in difference_of_shares(one, other, 0.0))
    (0.4, -0.002, 0.676)
    """
    difference = one.estimate - other.estimate
    return Interval(
        difference,
        difference - _distance(one.estimate - one.low, other.high - other.estimate, phi),
        difference + _distance(one.high - one.estimate, other.estimate - other.low, phi),
    )


def check_level(level: float) -> None:
    """Checks the coverage of an interval.

    Raises:
        InputError: the level does not lie strictly between 0 and 1.
    """
    check_number(level, name="level")
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1 (0.95 for 95 %), got {level}")


def _distance(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))
