"""Many small arrays as few long ones, since orbax takes more than a millisecond for each, however
small it is.

Arrays of one type that are whole on each device are stored one behind the other; those that are
split over devices stay as they are. Where an array is to lie when it is read need not be as it lay
when it was stored.
"""

from collections.abc import Collection, Mapping

import jax
import numpy as np
from jax import Array

from cfx_jax.training.arrays import Arrays


def split_over_devices(arrays: Arrays) -> list[str]:
    """The names of the arrays of which a device holds a part only."""
    return [
        name
        for name, array in arrays.items()
        if isinstance(array, Array) and not array.is_fully_replicated
    ]


def bundle(arrays: Arrays, split: Collection[str]) -> Arrays:
    """What to store: one vector for each type, in the order of the arrays, and those that stay as
    they are.

    Args:
        arrays: by name.
        split: the names of those that stay as they are.

    Returns:
        The vectors, on the host, by names that no array has, and the others by their own.
    """
    vectors = {
        vector: np.concatenate([np.asarray(arrays[name]).ravel() for name in names])
        for vector, names in _vectors(arrays, split).items()
    }
    return vectors | {name: arrays[name] for name in split}


def bundle_like(arrays: Arrays, split: Collection[str]) -> Arrays:
    """Arrays of the shapes and types that ``bundle`` gives, for reading what it gave; arguments as
    there.
    """
    vectors: Arrays = {
        vector: np.zeros(sum(arrays[name].size for name in names), arrays[names[0]].dtype)
        for vector, names in _vectors(arrays, split).items()
    }
    return vectors | {name: arrays[name] for name in split}


def unbundle(
    template: Arrays, stored: Mapping[str, Array | np.ndarray], split: Collection[str]
) -> Arrays:
    """The inverse of ``bundle``.

    Args:
        template: arrays of the same names, shapes and types in the same order; they say on which
            devices each is to be.
        stored: what ``bundle`` gave.
        split: as there.

    Returns:
        The arrays by name.
    """
    arrays: Arrays = {name: stored[name] for name in split}
    for vector, names in _vectors(template, split).items():
        ends = np.cumsum([template[name].size for name in names])
        for name, values in zip(
            names, np.split(np.asarray(stored[vector]), ends[:-1]), strict=True
        ):
            arrays[name] = _placed(values.reshape(template[name].shape), template[name])
    return arrays


def _vectors(arrays: Arrays, split: Collection[str]) -> dict[str, list[str]]:
    """The names of the arrays in each vector."""
    found: dict[str, list[str]] = {}
    for name, array in arrays.items():
        if name not in split:
            found.setdefault(f"all {array.dtype}", []).append(name)
    return found


def _placed(values: np.ndarray, like: Array | np.ndarray) -> Array | np.ndarray:
    """The values where another array is."""
    if not isinstance(like, Array):
        return values
    return jax.make_array_from_callback(values.shape, like.sharding, lambda part: values[part])
