"""The order in which training sees its images.

It is an endless sequence, fixed by a seed, that any position can be read from.

Balanced order: the classes alternate strictly, and each class smaller than the largest is extended
by random duplicates to its size, so that a batch of 128 with two classes holds 64 of each (Boreiko
et al. 2022, released code ``balanced_batch_sampler.py``; there the order and the duplicates are
drawn once, here anew for every epoch).
"""

import functools
from typing import Any

import numpy as np
from jaxtyping import Int

from cfx_jax.checks import check_flag, check_seed
from cfx_jax.errors import InputError

_ORDER_STREAM, _AUGMENT_STREAM = 0, 1


class SampleOrder:
    """An endless, reproducible order of items.

    Args:
        labels: the class of each item.
        seed: fixes the order; 0 or more.
        balanced: whether the classes alternate; otherwise each epoch is one permutation.

    Raises:
        InputError: the seed is negative, or a balanced order is asked for but all items are of one
            class.
    """

    def __init__(self, labels: Int[np.ndarray, " n"], *, seed: int, balanced: bool) -> None:
        check_seed(seed)
        check_flag(balanced, name="balanced")
        if balanced and len(np.unique(labels)) < 2:
            raise InputError(
                f"balanced: expected items of two classes or more, got {len(labels)} items of class"
                f" {labels[0]}: give balanced=False, or other indices"
            )
        self._labels, self._seed, self._balanced = labels, seed, balanced
        self._epoch = functools.lru_cache(maxsize=4)(self._make_epoch)
        self.epoch_length = len(self._epoch(0))

    def __reduce__(self) -> tuple[Any, ...]:
        # Epochs that are kept stay behind; a copy in another process makes its own.
        order = functools.partial(SampleOrder, seed=self._seed, balanced=self._balanced)
        return order, (self._labels,)

    def items(self, first: int, number: int) -> Int[np.ndarray, " number"]:
        """The items at positions ``first`` to ``first + number - 1`` of the sequence."""
        epochs, offsets = np.divmod(np.arange(first, first + number), self.epoch_length)
        return np.array(
            [
                self._epoch(epoch)[offset]
                for epoch, offset in zip(epochs.tolist(), offsets, strict=True)
            ]
        )

    def generator(self, position: int) -> np.random.Generator:
        """The random numbers for augmenting the item at one position of the sequence."""
        return np.random.default_rng([self._seed, _AUGMENT_STREAM, position])

    def _make_epoch(self, epoch: int) -> Int[np.ndarray, " n"]:
        rng = np.random.default_rng([self._seed, _ORDER_STREAM, epoch])
        return (
            balanced_epoch(self._labels, rng)
            if self._balanced
            else rng.permutation(len(self._labels))
        )


def balanced_epoch(
    labels: Int[np.ndarray, " n"], rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """One epoch of alternating classes: the items of smaller classes occur more often.

    Every item occurs at least once.

    Args:
        labels: the class of each item.
        rng: the source of randomness.

    Returns:
        Items, as many as the number of classes times the size of the largest; those at positions i,
        i + k,
        ... are of the i-th of the k classes that occur.
    """
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    most = max(len(items) for items in classes)
    extended = [np.concatenate([items, rng.choice(items, most - len(items))]) for items in classes]
    return np.stack([rng.permutation(items) for items in extended], axis=1).ravel()
