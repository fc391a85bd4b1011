"""Table 1: how far the explanations are from real images, by what the classifier makes of them.

Groups are by achieved probability. Every method has as many images in a group as the one with fewest, and as many real ones:
the distance rises as images get fewer. A method that reaches too few has no distance in that group.

The explanations of one query belong together, so intervals are by queries, or by people where several queries show one:
these are drawn again with all of their explanations, the same ones for every method and group, and the real images beside
them. So differences of methods and of groups are paired.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.metrics import Interval, frechet_distance
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT

_FEWEST = 20  # images of a group from which a distance is computed
_FEWEST_UNITS = 6  # queries from which an interval is computed, as in ``metrics.bootstrap_interval``
_DRAWS = 200

Draws = Float[np.ndarray, " draws"]
"""A distance, and then what it is on images that were drawn again."""


class Cloud(NamedTuple):
    """Images as vectors, with the classifier's probability of class 1.

    Attributes:
        values: (n, d).
        probability: (n,).
        units: what each image is drawn with: the query that an explanation is of, or whom an image shows (n,).
    """

    values: Float[np.ndarray, "n d"]
    probability: Float[np.ndarray, " n"]
    units: Shaped[np.ndarray, " n"]

    def take(self, rows: Int[np.ndarray, " m"]) -> "Cloud":
        """Some of the images, by their positions."""
        return Cloud(*(each[rows] for each in self))

    def numbered(self, units: Shaped[np.ndarray, " units"]) -> "Cloud":
        """The same with each unit's position among all, which are sorted."""
        return self._replace(units=np.searchsorted(units, self.units))


class Distance(NamedTuple):
    """The Fréchet distance of one method in one group.

    Attributes:
        draws: NaN where there are too few images.
        num_images: of the method, and as many real ones.
        num_units: queries that these images are of.
        reached: images that the method has in the group, before they are made as many as the others'.
    """

    draws: Draws
    num_images: int
    num_units: int
    reached: int

    @property
    def interval(self) -> Interval:
        """With its bootstrap interval over queries; NaN ends where these are too few."""
        return interval_of(self.draws, self.num_units)


class Distances(NamedTuple):
    """Table 1.

    Attributes:
        found: by group and method.
        real: by group, the distance of two halves of the real images.
    """

    found: Mapping[tuple[str, str], Distance]
    real: Mapping[str, float]

    def difference(self, first: tuple[str, str], second: tuple[str, str]) -> Interval | None:
        """The distance of one group and method less that of another, paired by queries; None where one has none."""
        one, other = self.found[first], self.found[second]
        found = interval_of(one.draws - other.draws, min(one.num_units, other.num_units))
        return None if np.isnan(found.estimate) else found


class _Chosen(NamedTuple):
    """What a distance is of: real images, and as many of a method, their units numbered."""

    real: Cloud
    fake: Cloud

    def distance(self) -> float:
        return frechet_distance(self.real.values, self.fake.values)

    def drawn(self, real_counts: Int[np.ndarray, " units"], fake_counts: Int[np.ndarray, " units"]) -> float:
        """Where each unit comes so often; NaN where hardly any image is left."""
        real = np.repeat(self.real.values, real_counts[self.real.units], axis=0)
        fake = np.repeat(self.fake.values, fake_counts[self.fake.units], axis=0)
        return frechet_distance(real, fake) if min(len(real), len(fake)) > 1 else float("nan")


def distances(real: Cloud, fakes: Mapping[str, Cloud], *, seed: int) -> Distances:
    """All groups of all methods.

    Args:
        real: the test images.
        fakes: by method, explanations of the same queries.
        seed: of the choice of images and of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    chosen: dict[tuple[str, str], _Chosen] = {}
    reached, halves = {}, {}
    real_units = np.unique(real.units)
    fake_units = np.unique(np.concatenate([each.units for each in fakes.values()]))
    for group in GROUPS:
        reals = _shuffled(real, group, rng)
        halves[group] = float("nan")
        if len(reals) >= _FEWEST:
            halves[group] = frechet_distance(real.values[reals[::2]], real.values[reals[1::2]])
        rows = {name: _shuffled(each, group, rng) for name, each in fakes.items()}
        number = min([len(reals), *(len(each) for each in rows.values() if len(each) >= _FEWEST)])
        as_many = real.take(reals[:number]).numbered(real_units)
        for name, each in rows.items():
            reached[group, name] = len(each)
            if len(each) >= _FEWEST and number >= _FEWEST:
                chosen[group, name] = _Chosen(as_many, fakes[name].take(each[:number]).numbered(fake_units))
    draws = _draws(chosen, len(real_units), len(fake_units), rng)
    nothing = np.full(1 + _DRAWS, np.nan)
    found = {}
    for key, number in reached.items():
        fake = chosen[key].fake.units if key in chosen else np.empty(0)
        found[key] = Distance(draws.get(key, nothing), len(fake), len(np.unique(fake)), number)
    return Distances(found, halves)


def interval_of(draws: Draws, num_units: int) -> Interval:
    """The first value with the spread of the others around their own mean: draws add to the distance.

    NaN ends for fewer than six units, and where a draw has no distance.
    """
    low, high = np.nan, np.nan
    if num_units >= _FEWEST_UNITS:
        low, high = np.quantile(draws[1:] - draws[1:].mean(), [0.025, 0.975])
    return Interval(float(draws[0]), float(draws[0] + low), float(draws[0] + high))


def _draws(
    chosen: Mapping[tuple[str, str], _Chosen], num_real: int, num_fake: int, rng: np.random.Generator
) -> dict[tuple[str, str], Draws]:
    """Of every distance, with the same units in all of them."""
    found = {key: [each.distance()] for key, each in chosen.items()}
    for _ in range(_DRAWS):
        real, fake = (np.bincount(rng.integers(each, size=each), minlength=each) for each in (num_real, num_fake))
        for key, each in chosen.items():
            found[key].append(each.drawn(real, fake))
    return {key: np.array(values) for key, values in found.items()}


def _shuffled(cloud: Cloud, group: str, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """Positions of the images of a group."""
    return rng.permutation(np.flatnonzero(_members(cloud.probability, group)))


def _members(probability: Float[np.ndarray, " n"], group: str) -> Bool[np.ndarray, " n"]:
    bounds: Mapping[str, Sequence[float]] = {PRESENT: (0.9, np.inf), ABSENT: (-np.inf, 0.1), OVERALL: (-np.inf, np.inf)}
    low, high = bounds[group]
    return (probability >= low) & (probability < high)
