"""Random draws of images with replacement, by groups and by strata, for the bootstrap."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cfx_jax.errors import InputError


class Units(NamedTuple):
    """The units that a resample draws: groups of images, or images where there are no groups."""

    members: list[np.ndarray] | None
    """The images of each unit, by their numbers; None where each image is a unit."""
    kinds: list[np.ndarray]
    """The units of each kind, by their numbers. A resample has as many of each as the sample."""

    @classmethod
    def of(cls, n: int, groups: np.ndarray | None, strata: np.ndarray | None) -> "Units":
        """Makes the units of n images.

        Args:
            n: number of images.
            groups: ``(n,)`` name of each image's group; None where each image is a unit.
            strata: ``(n,)`` kind of each image; None for one kind. Groups of mixed kinds are a kind
                of their own.

        Raises:
            InputError: there is not one name for each image.
        """
        members = None if groups is None else _members(n, np.asarray(groups), "groups")
        count = n if members is None else len(members)
        if strata is None:
            return cls(members, [np.arange(count)])
        stratum = np.empty(n, int)
        for number, images in enumerate(_members(n, np.asarray(strata), "strata")):
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
