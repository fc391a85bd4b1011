"""Table 1: how far the explanations are from real images, by what the classifier makes of them.

Groups are by achieved probability. Every method has as many images in a group as the one with
fewest, and as many real ones: the distance rises as images get fewer. A method that reaches too few
has no distance in that group.

The explanations of one query belong together, so intervals are by queries, or by people where
several queries show one: these are drawn again with all of their explanations, the same ones for
every method and group, and the real images beside them. So differences of methods and of groups are
paired.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.metrics import Gaussian, Interval, frechet_distance, gaussian_distance, gaussian_of
from cfx_jax.metrics.checks import as_rows
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT
from experiments.shared import Arrays

_FEWEST = 20  # images of a group from which a distance is computed
# queries from which an interval is computed, as in ``metrics.bootstrap_interval``
_FEWEST_UNITS = 6
_DRAWS = 200

Draws = Float[np.ndarray, " draws"]
"""A distance, and then what it is on images that were drawn again."""


class Cloud(NamedTuple):
    """Images as vectors, with the classifier's probability of class 1.

    Attributes:
        values: (n, d).
        probability: (n,).
        units: the group that each image is drawn with: the query of an explanation, or the person
            on an image (n,).
    """

    values: Float[np.ndarray, "n d"]
    probability: Float[np.ndarray, " n"]
    units: Shaped[np.ndarray, " n"]

    def take(self, rows: Int[np.ndarray, " m"]) -> "Cloud":
        """The images at these positions."""
        return Cloud(*(values[rows] for values in self))

    def numbered(self, units: Shaped[np.ndarray, " units"]) -> "Cloud":
        """The same with each unit's position among all, which are sorted, and checked vectors.

        Raises:
            InputError: vectors that are not finite.
        """
        return Cloud(
            as_rows(self.values, name="features"),
            self.probability,
            np.searchsorted(units, self.units),
        )

    def gaussian(self, counts: Int[np.ndarray, " units"]) -> Gaussian | None:
        """The Gaussian of the images, where each numbered unit comes so often.

        None is returned where hardly any image is left.
        """
        of_images = counts[self.units]
        return gaussian_of(self.values, counts=of_images) if of_images.sum() > 1 else None


class Distance(NamedTuple):
    """The Fréchet distance of one method in one group.

    Attributes:
        draws: NaN where there are too few images.
        num_images: the number of images of the method, and as many real ones.
        num_units: queries that these images are of.
        reached: images that the method has in the group, before they are made as many as the
            others'.
    """

    draws: Draws
    num_images: int
    num_units: int
    reached: int

    @property
    def interval(self) -> Interval:
        """The distance with its bootstrap interval over queries; NaN ends where queries are too
        few."""
        return interval_of(self.draws, self.num_units)


class Distances(NamedTuple):
    """Table 1, in distances and their draws.

    Attributes:
        cells: the distances by group and method.
        real: for each group, the distance of two halves of the real images.
    """

    cells: Mapping[tuple[str, str], Distance]
    real: Mapping[str, float]

    def difference(self, first: tuple[str, str], second: tuple[str, str]) -> Interval | None:
        """The distance of one group and method less the distance of another, paired by queries.

        None is returned where one has no distance.
        """
        one, other = self.cells[first], self.cells[second]
        interval = interval_of(one.draws - other.draws, min(one.num_units, other.num_units))
        return None if np.isnan(interval.estimate) else interval


class _Chosen(NamedTuple):
    """The images that a group's distances are between: real ones, and as many of each method.

    Their units are numbered.
    """

    real: Cloud
    fakes: dict[str, Cloud]

    def drawn(
        self, real_counts: Int[np.ndarray, " units"], fake_counts: Int[np.ndarray, " units"]
    ) -> dict[str, float]:
        """The distance of each method, where each unit comes so often.

        It is NaN where hardly any image is left.
        """
        real = self.real.gaussian(real_counts)
        drawn = {}
        for name, cloud in self.fakes.items():
            fake = cloud.gaussian(fake_counts)
            drawn[name] = (
                float("nan") if real is None or fake is None else gaussian_distance(real, fake)
            )
        return drawn


def _computed(compute: Callable[[], Arrays]) -> Arrays:
    return compute()


def distances(
    real: Cloud,
    fakes: Mapping[str, Cloud],
    *,
    seed: int,
    keep: Callable[[Callable[[], Arrays]], Arrays] = _computed,
) -> Distances:
    """All groups of all methods.

    Args:
        real: the test images.
        fakes: the explanations of the same queries by each method.
        seed: the seed of the choice of images and of the bootstrap.
        keep: gives the arrays of what it is given, kept or computed: the draws take long.
    """
    rng = np.random.default_rng(seed)
    chosen: dict[str, _Chosen] = {}
    reached, halves = {}, {}
    real_units = np.unique(real.units)
    fake_units = np.unique(np.concatenate([cloud.units for cloud in fakes.values()]))
    for group in GROUPS:
        reals = _shuffled(real, group, rng)
        halves[group] = float("nan")
        if len(reals) >= _FEWEST:
            halves[group] = frechet_distance(real.values[reals[::2]], real.values[reals[1::2]])
        rows = {name: _shuffled(cloud, group, rng) for name, cloud in fakes.items()}
        reached.update({(group, name): len(positions) for name, positions in rows.items()})
        enough = {name: positions for name, positions in rows.items() if len(positions) >= _FEWEST}
        number = min([len(reals), *map(len, enough.values())])
        if enough and number >= _FEWEST:
            chosen[group] = _Chosen(
                real.take(reals[:number]).numbered(real_units),
                {
                    name: fakes[name].take(positions[:number]).numbered(fake_units)
                    for name, positions in enough.items()
                },
            )
    draws = keep(lambda: _draws(chosen, len(real_units), len(fake_units), rng))
    nothing = np.full(1 + _DRAWS, np.nan)
    by_method = {}
    for (group, name), number in reached.items():
        cloud = chosen[group].fakes.get(name) if group in chosen else None
        units = np.empty(0) if cloud is None else cloud.units
        values = draws.get(_label(group, name), nothing)
        by_method[group, name] = Distance(values, len(units), len(np.unique(units)), number)
    return Distances(by_method, halves)


def interval_of(draws: Draws, num_units: int) -> Interval:
    """The first value, with the spread of the others around their own mean.

    Draws add to the distance, so their mean is taken off. The ends are NaN for fewer than six
    units, and where a draw has no distance.
    """
    low, high = np.nan, np.nan
    if num_units >= _FEWEST_UNITS:
        low, high = np.quantile(draws[1:] - draws[1:].mean(), [0.025, 0.975])
    return Interval(float(draws[0]), float(draws[0] + low), float(draws[0] + high))


def _draws(
    chosen: Mapping[str, _Chosen], num_real: int, num_fake: int, rng: np.random.Generator
) -> Arrays:
    """The draws of every distance, with the same units in all of them.

    The first draw is of the images as they are.
    """
    values: dict[str, list[float]] = {}
    for draw in range(1 + _DRAWS):
        real, fake = (
            np.bincount(rng.integers(number, size=number), minlength=number)
            if draw
            else np.ones(number, int)
            for number in (num_real, num_fake)
        )
        for group, clouds in chosen.items():
            for name, distance in clouds.drawn(real, fake).items():
                values.setdefault(_label(group, name), []).append(distance)
    return {label: np.array(distances) for label, distances in values.items()}


def _label(group: str, name: str) -> str:
    return f"{group}: {name}"


def _shuffled(cloud: Cloud, group: str, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """Positions of the images of a group."""
    return rng.permutation(np.flatnonzero(_members(cloud.probability, group)))


def _members(probability: Float[np.ndarray, " n"], group: str) -> Bool[np.ndarray, " n"]:
    bounds: Mapping[str, Sequence[float]] = {
        PRESENT: (0.9, np.inf),
        ABSENT: (-np.inf, 0.1),
        OVERALL: (-np.inf, np.inf),
    }
    low, high = bounds[group]
    return (probability >= low) & (probability < high)
