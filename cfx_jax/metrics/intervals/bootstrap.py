"""Bootstrap intervals over images: how sure a reported number is.

The percentile bootstrap (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter
13): draw the images again with replacement, compute the statistic on each draw, and take the
central ``level`` share of the results. Everything is NumPy on the host: the inputs are one number
per image, computed already.

Methods that are compared on the same images are compared in pairs (``paired_difference_interval``):
the spread over images that both share cancels. Images that belong together (two eyes of one
patient, images of one training seed) are drawn together (``groups``), or the interval would be too
narrow. What is drawn at once is called a unit: a group, or an image where there are no groups.

A resample shows no spread that the sample does not have. So shares of yes and no have Wilson's
interval (and pairs of them Newcombe's), which is never of width zero. Where too few units or equal
values say nothing about the spread, the ends are NaN, which leaves a claim undecided.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Num, Shaped

from cfx_jax.checks import as_numpy, check_integer, check_number, check_seed
from cfx_jax.errors import InputError
from cfx_jax.metrics.intervals.proportions import (
    LEVEL,
    Interval,
    check_level,
    difference_of_shares,
    interval_at_bound,
    newcombe_interval,
    wilson_interval,
)

Statistic = Literal["mean", "median"] | Callable[[Any], Any]
_STATISTIC: Statistic = "mean"
_NUM_RESAMPLES = 2000


def bootstrap_interval(
    values: Num[np.ndarray, "n ..."],
    *,
    statistic: Statistic = _STATISTIC,
    level: float = LEVEL,
    num_resamples: int = _NUM_RESAMPLES,
    seed: int = 0,
    groups: Shaped[np.ndarray, "n"] | None = None,
    strata: Shaped[np.ndarray, "n"] | None = None,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """Computes the interval of a statistic over images.

    It is the percentile bootstrap, or Wilson's interval for a share of yes and no.

    Args:
        values: ``(n,)`` one number per image, or ``(n, ...)`` for a callable statistic of several
            numbers per image (``lambda v: v[:, 0].mean() / v[:, 1].mean()``); finite, at least one
            image. The mean of values that are all 0 or 1 counts as a share. Differences of two
            measures may happen to be all 0 or 1: give them to ``paired_difference_interval``.
        statistic: ``"mean"``, ``"median"``, or a function of the drawn values ``(m, ...)`` that
            returns a scalar.
        level: the interval's coverage, strictly between 0 and 1.
        num_resamples: how many times the images are drawn again, at least 100.
        seed: seed of NumPy's random generator; the same seed gives the same interval.
        groups: ``(n,)`` names of the groups that are drawn as a unit; each image is a unit where
            None.
        strata: ``(n,)`` kinds of images, such as labels. Each resample has as many units of each
            kind as the sample, so that a ROC-AUC is defined on all of them. Groups of mixed kinds
            are a kind of their own.
        bounds: the least and the largest value that the statistic can have, where it is a mean of
            values between them (a ROC-AUC: 0 and 1). An interval of width zero at a bound becomes
            Wilson's, as a share of it.

    Returns:
        The statistic of ``values`` with the ends of its interval. A share has Wilson's interval;
        with groups, the bootstrap's, but Wilson's for as many answers as groups where that has
        width zero or the groups are too few. Otherwise the ends are NaN for an interval of width
        zero, and for fewer units than an exact sign test needs to decide anything at this level
        (six for 0.95).

    Raises:
        InputError: there is no image, a value that is not finite, a statistic that is not finite on
            a resample, or an option out of range.

    Source: Efron and Tibshirani (1993), chapter 13; for ``groups``, the cluster bootstrap of
    Davison and Hinkley (1997), section 3.8; Wilson (1927) for shares.

    >>> scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    >>> interval = bootstrap_interval(scores)
    >>> round(interval.estimate, 3), round(interval.low, 2), round(interval.high, 2)
    (0.45, 0.29, 0.6)
    """
    values = as_numpy(values, name="values")
    _check_options(level, num_resamples)
    check_seed(seed)
    _check_values(values)
    units = _Units.of(len(values), groups, strata)
    measure = _named_statistic(statistic)
    estimate = _one_number(measure(values))
    is_share = statistic == "mean" and values.ndim == 1 and bool(np.isin(values, (0, 1)).all())
    if is_share and groups is None and strata is None:
        return wilson_interval(float(values.sum()), len(values), level=level)
    if units.number < _fewest_units(level):
        low, high = math.nan, math.nan
    else:
        drawn = [float(measure(values[index])) for index in units.draws(num_resamples, seed)]
        _check_statistics(drawn)
        low, high = map(float, np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
    if high - low > _ROUNDING * max(1.0, abs(estimate)):
        return Interval(estimate, low, high)
    return interval_at_bound(
        estimate, (0.0, 1.0) if is_share else bounds, units.smallest, level, is_share
    )


def paired_difference_interval(
    first: Float[np.ndarray, "n"],
    second: Float[np.ndarray, "n"],
    *,
    statistic: Statistic = _STATISTIC,
    level: float = LEVEL,
    num_resamples: int = _NUM_RESAMPLES,
    seed: int = 0,
    groups: Shaped[np.ndarray, "n"] | None = None,
) -> Interval:
    """Computes the interval of ``first - second``, measured on the same images in the same order.

    Args:
        first: ``(n,)`` one number per image.
        second: ``(n,)`` the number it is compared with, for the same images.
        statistic: as in ``bootstrap_interval``; it sees the differences, so ``"median"`` is the
            median of the differences, not the difference of the medians.
        level: the interval's coverage, strictly between 0 and 1.
        num_resamples: how many times the images are drawn again.
        seed: seed of NumPy's random generator.
        groups: ``(n,)`` names of the groups that are drawn as a unit.

    Returns:
        The statistic of the differences with the ends of its interval; above 0 where ``first`` is
        the larger. The mean difference of answers that are all 0 or 1 has Newcombe's interval; with
        groups, the bootstrap's, but Newcombe's for as many pairs as groups where that says nothing.
        Otherwise as ``bootstrap_interval``.

    Raises:
        InputError: the shapes differ, or as in ``bootstrap_interval``.

    Source: Newcombe (1998), "Improved confidence intervals for the difference between binomial
    proportions based on paired data", method 10.

    >>> first, second = np.array([1, 1, 1, 1, 0]), np.array([1, 0, 0, 1, 0])
    >>> tuple(round(end, 2) for end in paired_difference_interval(first, second))
    (0.4, -0.16, 0.73)
    """
    first, second = _as_real(first), _as_real(second)
    if first.shape != second.shape:
        raise InputError(
            f"a paired difference needs the same images on both sides, got {first.shape} and"
            f" {second.shape}"
        )
    pairs = np.stack([first, second])
    _named_statistic(statistic)
    are_answers = (
        statistic == "mean"
        and first.ndim == 1
        and len(first) > 0
        and bool(np.isin(pairs, (0, 1)).all())
    )
    if are_answers and groups is None:
        _check_options(level, num_resamples)
        return newcombe_interval(pairs, len(first), level)
    interval = bootstrap_interval(
        first - second,
        statistic=_mean if statistic == "mean" else statistic,
        level=level,
        num_resamples=num_resamples,
        seed=seed,
        groups=groups,
    )
    if are_answers and math.isnan(interval.low):
        return newcombe_interval(pairs, len(np.unique(np.asarray(groups))), level)
    return interval


def unpaired_difference_interval(
    first: Float[np.ndarray, "n"],
    second: Float[np.ndarray, "m"],
    *,
    level: float = LEVEL,
    num_resamples: int = _NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Computes the interval of a difference of means, ``first`` less ``second``.

    The two are measured on different images.

    Args:
        first: ``(n,)`` one number per image.
        second: ``(m,)`` one number for each of other images.
        level: the interval's coverage, strictly between 0 and 1.
        num_resamples: how many times the images of both sets are drawn again.
        seed: seed of NumPy's random generator.

    Returns:
        The difference with its interval: Newcombe's where all numbers are 0 or 1, else the
        bootstrap's, with NaN ends where a set has fewer images than ``bootstrap_interval`` needs.

    Raises:
        InputError: a set has no image, or as in ``bootstrap_interval``.

    Source: Newcombe (1998), "Interval estimation for the difference between independent
    proportions", method 10.

    >>> interval = unpaired_difference_interval(np.array([1, 1, 1, 0]), np.array([0, 0, 1, 0]))
    >>> [round(float(end), 2) for end in interval]
    [0.5, -0.14, 0.79]
    """
    first, second = _as_real(first), _as_real(second)
    _check_options(level, num_resamples)
    for values in (first, second):
        _check_values(values)
    if bool(np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()):
        one, other = (
            wilson_interval(values.sum(), len(values), level=level) for values in (first, second)
        )
        return difference_of_shares(one, other, 0.0)
    difference = float(first.mean() - second.mean())
    if min(len(first), len(second)) < _fewest_units(level):
        return Interval(difference, math.nan, math.nan)
    is_first = np.repeat([True, False], [len(first), len(second)])
    return bootstrap_interval(
        np.stack([np.concatenate([first, second]), is_first], axis=1),
        statistic=_difference_of_means,
        level=level,
        num_resamples=num_resamples,
        seed=seed,
        strata=is_first,
    )


class _Units(NamedTuple):
    """The units that a resample draws: groups of images, or images where there are no groups."""

    members: list[np.ndarray] | None
    """The images of each unit, by their numbers; None where each image is a unit."""
    kinds: list[np.ndarray]
    """The units of each kind, by their numbers. A resample has as many of each as the sample."""

    @classmethod
    def of(cls, n: int, groups: np.ndarray | None, strata: np.ndarray | None) -> "_Units":
        """Makes the units of n images.

        Args:
            n: number of images.
            groups: ``(n,)`` name of each image's group; None where each image is a unit.
            strata: ``(n,)`` kind of each image; None for one kind. Groups of mixed kinds are a kind
                of their own.

        Raises:
            InputError: there is not one name for each image.
        """
        members = None if groups is None else _members(n, as_numpy(groups, name="groups"), "groups")
        count = n if members is None else len(members)
        if strata is None:
            return cls(members, [np.arange(count)])
        stratum = np.empty(n, int)
        for number, images in enumerate(_members(n, as_numpy(strata, name="strata"), "strata")):
            stratum[images] = number
        held = (
            [(kind,) for kind in stratum]
            if members is None
            else [tuple(np.unique(stratum[images])) for images in members]
        )
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(held))}
        return cls(members, _members(count, np.asarray([numbers[kind] for kind in held]), "strata"))

    @property
    def number(self) -> int:
        """Number of units in all."""
        return sum(map(len, self.kinds))

    @property
    def smallest(self) -> int:
        """Number of units of the rarest kind."""
        return min(map(len, self.kinds))

    def draws(self, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
        """Yields the numbers of the images of each resample.

        It yields one resample at a time: all of them would not fit into memory for large sets.
        """
        rng = np.random.default_rng(seed)
        for _ in range(num_resamples):
            drawn = np.concatenate(
                [kind[rng.integers(len(kind), size=len(kind))] for kind in self.kinds]
            )
            yield (
                drawn
                if self.members is None
                else np.concatenate([self.members[unit] for unit in drawn])
            )


def _members(n: int, names: np.ndarray, argument: str) -> list[np.ndarray]:
    """Lists the numbers of the images that share a name, for each name."""
    if names.shape != (n,):
        raise InputError(
            f"{argument} must name one for each of the {n} images, got shape {names.shape}"
        )
    inverse = np.unique(names, return_inverse=True)[1]
    return [np.flatnonzero(inverse == number) for number in range(inverse.max() + 1)]


def _fewest_units(level: float) -> int:
    """Computes the fewest units from which a sign test can decide anything at this level.

    With n equal signs its p-value is 2 / 2^n, which must be at most 1 - level.
    """
    return math.ceil(1 - math.log2(1 - level) - _ROUNDING)


def _mean(values: np.ndarray) -> float:
    """Computes the mean; not by name, since differences that are all 0 and 1 are no shares."""
    return float(np.mean(values))


def _difference_of_means(pairs: Float[np.ndarray, "n 2"]) -> float:
    """Computes the mean of the values marked by 1 less the mean of those marked by 0."""
    values, is_first = pairs[:, 0], pairs[:, 1] == 1
    return float(values[is_first].mean() - values[~is_first].mean())


def _named_statistic(statistic: Statistic) -> Callable[[np.ndarray], Any]:
    if callable(statistic):
        return statistic
    if not isinstance(statistic, str) or statistic not in _STATISTICS:
        raise InputError(
            f"unknown statistic {statistic!r}: choose {', '.join(_STATISTICS)}, or pass a function"
        )
    return _STATISTICS[statistic]


def _check_options(level: float, num_resamples: int) -> None:
    check_level(level)
    check_integer(num_resamples, name="num_resamples", at_least=100)


def _one_number(value: Any) -> float:
    check_number(value, name="statistic")
    return float(value)


def _as_real(values: Any) -> Float[np.ndarray, "*shape"]:
    """Numbers as float64: NumPy would read texts as numbers, and drop the imaginary part."""
    values = as_numpy(values, name="values")
    if values.dtype.kind in "cmMOSU":
        raise InputError(f"values must be real numbers, got dtype {values.dtype}")
    return values.astype(float)


def _check_values(values: np.ndarray) -> None:
    if values.ndim == 0 or len(values) == 0:
        raise InputError(
            f"an interval needs one value for each of at least one image, got shape {values.shape}"
        )
    _as_real(values)
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise InputError(
            f"values must be finite, {bad} of {values.size} are not: leave those images out and say"
            " how many"
        )


def _check_statistics(drawn: list[float]) -> None:
    bad = int(np.sum(~np.isfinite(drawn)))
    if bad:
        raise InputError(
            f"the statistic was not finite in {bad} of {len(drawn)} resamples: use one defined on"
            " every draw"
        )


_STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {"mean": np.mean, "median": np.median}

_ROUNDING = 1e-9
"""A narrower interval, relative to the estimate, has width zero but for rounding."""
