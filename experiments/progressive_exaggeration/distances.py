"""Table 1: how far the explanations are from real images, by what the classifier makes of them.

Groups are by achieved probability. Every method has as many images in a group as the one with fewest, and as many real ones:
the distance rises as images get fewer. A method that reaches too few has no distance in that group.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics import Interval, frechet_distance
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT

_FEWEST = 20  # images of a group from which a distance is computed
_DRAWS = 200


class Cloud(NamedTuple):
    """Images as vectors, with the classifier's probability of class 1.

    Attributes:
        values: (n, d).
        probability: (n,).
    """

    values: Float[np.ndarray, "n d"]
    probability: Float[np.ndarray, " n"]

    def of(self, group: str) -> Float[np.ndarray, "m d"]:
        """Those of a group."""
        return self.values[_members(self.probability, group)]


class Distance(NamedTuple):
    """The Fréchet distance of one method in one group.

    Attributes:
        interval: with its bootstrap interval over images; NaN where there are too few.
        num_images: of the method, and as many real ones.
        reached: images that the method has in the group, before they are made as many as the others'.
    """

    interval: Interval
    num_images: int
    reached: int


class Distances(NamedTuple):
    """Table 1.

    Attributes:
        found: by group and method.
        difference: by group, the first method's less the second's, with its interval; None where one has none. Empty where
            there is one method only.
        real: by group, the distance of two halves of the real images.
    """

    found: Mapping[tuple[str, str], Distance]
    difference: Mapping[str, Interval | None]
    real: Mapping[str, float]


def distances(real: Cloud, fakes: Mapping[str, Cloud], *, seed: int) -> Distances:
    """All groups of all methods.

    Args:
        real: the test images.
        fakes: by method; where there are several, the first is compared with the second.
        seed: of the choice of images and of the bootstrap.
    """
    found: dict[tuple[str, str], Distance] = {}
    difference: dict[str, Interval | None] = {}
    halves = {}
    for group in GROUPS:
        rng = np.random.default_rng(seed)
        reals = rng.permutation(real.of(group))
        halves[group] = frechet_distance(reals[::2], reals[1::2]) if len(reals) >= _FEWEST else float("nan")
        groups = {name: rng.permutation(each.of(group)) for name, each in fakes.items()}
        usable = [each for each in groups.values() if len(each) >= _FEWEST]
        number = min([len(reals), *map(len, usable)])
        drawn = {}
        for name, values in groups.items():
            enough = len(values) >= _FEWEST and number >= _FEWEST
            drawn[name] = _bootstrap(reals[:number], values[:number], rng) if enough else np.full(1 + _DRAWS, np.nan)
            found[group, name] = Distance(_interval(drawn[name]), number if enough else 0, len(values))
        if len(drawn) > 1:
            first, second, *_ = drawn.values()
            between = first - second
            difference[group] = None if np.isnan(between).any() else _interval(between)
    return Distances(found, difference, halves)


def _members(probability: Float[np.ndarray, " n"], group: str) -> Bool[np.ndarray, " n"]:
    bounds: Mapping[str, Sequence[float]] = {PRESENT: (0.9, np.inf), ABSENT: (-np.inf, 0.1), OVERALL: (-np.inf, np.inf)}
    low, high = bounds[group]
    return (probability >= low) & (probability < high)


def _bootstrap(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> Float[np.ndarray, " draws"]:
    """The distance, then that of images drawn again. Draws add to the distance, to both methods' alike."""
    draws = (rng.integers(len(real), size=(2, len(real))) for _ in range(_DRAWS))
    return np.array([frechet_distance(real, fake), *(frechet_distance(real[own], fake[other]) for own, other in draws)])


def _interval(values: Float[np.ndarray, " draws"]) -> Interval:
    """The first value with the spread of the others around their own mean."""
    low, high = np.quantile(values[1:] - values[1:].mean(), [0.025, 0.975]) if len(values) > 1 else (0.0, 0.0)
    return Interval(float(values[0]), float(values[0] + low), float(values[0] + high))
