"""Bootstrap intervals over images: how sure a reported number is.

The percentile bootstrap (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13): draw the
images again with replacement, compute the statistic on each draw, and take the central ``level`` share of the
results. Everything is NumPy on the host: the inputs are one number per image, computed already.

Methods that are compared on the same images are compared in pairs (``paired_difference_interval``): the
spread over images that both share cancels. Images that belong together (two eyes of one patient, images of
one training seed) are drawn together (``groups``), or the interval would be too narrow.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Num, Shaped

from cfx_jax.errors import InputError

Statistic = Literal["mean", "median"] | Callable[[Any], Any]


class Interval(NamedTuple):
    """A number and how far it may be off. Unpacks as a plain ``(estimate, low, high)``."""

    estimate: float
    """The statistic of the images themselves."""
    low: float
    """Lower end of the interval, in the statistic's unit."""
    high: float
    """Upper end of the interval, in the statistic's unit."""


def bootstrap_interval(
    values: Num[np.ndarray, "n ..."],
    *,
    statistic: Statistic = "mean",
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
    groups: Shaped[np.ndarray, "n"] | None = None,
) -> Interval:
    """Percentile bootstrap interval of a statistic over images.

    Args:
        values: ``(n,)`` one number per image, or ``(n, ...)`` for a callable statistic of several numbers per
            image (``lambda v: v[:, 0].mean() / v[:, 1].mean()``); finite, at least two images.
        statistic: ``"mean"``, ``"median"``, or a function of the drawn values ``(m, ...)`` that returns a
            scalar.
        level: the interval's coverage, strictly between 0 and 1.
        num_resamples: how many times the images are drawn again, at least 100.
        seed: seed of NumPy's random generator; the same seed gives the same interval.
        groups: ``(n,)`` names of the groups that are drawn as a whole; each image on its own where None.

    Returns:
        The statistic of ``values`` with the ends of its interval. Values that are all equal give an interval of width
        zero: no resampling can show a spread that the sample does not have.

    Raises:
        InputError: fewer than two images or groups, values that are not finite, options out of range.

    Source: Efron and Tibshirani (1993), chapter 13; for ``groups``, the cluster bootstrap of Davison and
    Hinkley (1997), section 3.8.
    """
    values = np.asarray(values)
    _check_options(level, num_resamples)
    _check_values(values)
    measure = _named_statistic(statistic)
    drawn = [float(measure(values[index])) for index in _draws(len(values), groups, num_resamples, seed)]
    _check_statistics(drawn)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(measure(values)), float(low), float(high))


def paired_difference_interval(
    first: Float[np.ndarray, "n"],
    second: Float[np.ndarray, "n"],
    *,
    statistic: Statistic = "mean",
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
    groups: Shaped[np.ndarray, "n"] | None = None,
) -> Interval:
    """Percentile bootstrap interval of ``first - second``, measured on the same images in the same order.

    Args:
        first: ``(n,)`` one number per image.
        second: ``(n,)`` the number it is compared with, for the same images.
        statistic: as in ``bootstrap_interval``; it sees the differences, so ``"median"`` is the median of the
            differences, not the difference of the medians.
        level: the interval's coverage, strictly between 0 and 1.
        num_resamples: how many times the images are drawn again.
        seed: seed of NumPy's random generator.
        groups: ``(n,)`` names of the groups that are drawn as a whole.

    Returns:
        The statistic of the differences with the ends of its interval; above 0 where ``first`` is the larger.

    Raises:
        InputError: the two differ in shape, or as in ``bootstrap_interval``.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise InputError(
            f"a paired difference needs the same images on both sides, got {first.shape} and {second.shape}"
        )
    return bootstrap_interval(
        first - second,
        statistic=statistic,
        level=level,
        num_resamples=num_resamples,
        seed=seed,
        groups=groups,
    )


def _draws(n: int, groups: Shaped[np.ndarray, "n"] | None, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yields the image numbers of each resample. One at a time: all of them would not fit for large sets."""
    rng = np.random.default_rng(seed)
    if groups is None:
        yield from (rng.integers(n, size=n) for _ in range(num_resamples))
        return
    members = _members(n, np.asarray(groups))
    for _ in range(num_resamples):
        yield np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])


def _members(n: int, groups: np.ndarray) -> list[np.ndarray]:
    if groups.shape != (n,):
        raise InputError(f"groups must name one group for each of the {n} images, got shape {groups.shape}")
    names, inverse = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError("a bootstrap over groups needs at least two groups, got 1: leave groups out")
    return [np.flatnonzero(inverse == i) for i in range(len(names))]


def _named_statistic(statistic: Statistic) -> Callable[[np.ndarray], Any]:
    if callable(statistic):
        return statistic
    if statistic not in _STATISTICS:
        raise InputError(f"unknown statistic {statistic!r}: choose {', '.join(_STATISTICS)}, or pass a function")
    return _STATISTICS[statistic]


def _check_options(level: float, num_resamples: int) -> None:
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1 (0.95 for 95 %), got {level}")
    if num_resamples < 100:
        raise InputError(f"num_resamples must be at least 100 for an interval's ends, got {num_resamples}")


def _check_values(values: np.ndarray) -> None:
    if values.ndim == 0 or len(values) < 2:
        raise InputError(f"a bootstrap needs at least two images, got values of shape {values.shape}")
    if values.dtype.kind in "cmMOSU":
        raise InputError(f"values must be real numbers, got dtype {values.dtype}")
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise InputError(
            f"values must be finite, {bad} of {values.size} are not: leave those images out and say how many"
        )


def _check_statistics(drawn: list[float]) -> None:
    bad = int(np.sum(~np.isfinite(drawn)))
    if bad:
        raise InputError(
            f"the statistic was not finite in {bad} of {len(drawn)} resamples: use one defined on every draw"
        )


_STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {"mean": np.mean, "median": np.median}
