"""Many small arrays as few long ones, for orbax takes more than a millisecond for each array.

It takes as long for a small array as for a large one. Arrays of one type that are whole on each
device are stored one behind the other; arrays that are split over devices stay as they are. An
array may be read to another place than the one where it lay when it was stored.
"""

from collections.abc import Collection, Mapping

import jax
import numpy as np
from jax import Array

from cfx_jax.training.named_arrays import Arrays


def split_over_devices(arrays: Arrays) -> list[str]:
    """Lists the names of the arrays that a device holds in part only."""
    return [
        name
        for name, array in arrays.items()
        if isinstance(array, Array) and not array.is_fully_replicated
    ]


def bundle(arrays: Arrays, split: Collection[str]) -> Arrays:
    """Joins arrays to one vector for each type, in their order, for storing.

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
    """Makes arrays of the shapes and types that ``bundle`` returns, for reading them.

    Arguments as ``bundle``.
    """
    vectors: Arrays = {
        vector: np.zeros(sum(arrays[name].size for name in names), arrays[names[0]].dtype)
        for vector, names in _vectors(arrays, split).items()
    }
    return vectors | {name: arrays[name] for name in split}


def unbundle(
    template: Arrays, stored: Mapping[str, Array | np.ndarray], split: Collection[str]
) -> Arrays:
    """Cuts stored vectors into arrays again, the inverse of ``bundle``.

    Args:
        template: arrays of the same names, shapes and types in the same order; they say on which
            devices each is to be.
        stored: the arrays that ``bundle`` returned.
        split: the same names as in ``bundle``.

    Returns:
        The arrays by name.
    """
    arrays: Arrays = {name: stored[name] for name in split}
    for vector, names in _vectors(template, split).items():
        ends = np.cumsum([template[name].size for name in names])
        for name, values in zip(
            names, np.split(np.asarray(stored[vector]), ends[:-1]), strict=True
        ):
            arrays[name] = _place_like(values.reshape(template[name].shape), template[name])
    return arrays


def _vectors(arrays: Arrays, split: Collection[str]) -> dict[str, list[str]]:
    """Lists the names of the arrays in each vector."""
    vectors: dict[str, list[str]] = {}
    for name, array in arrays.items():
        if name not in split:
            vectors.setdefault(f"all {array.dtype}", []).append(name)
    return vectors


def _place_like(values: np.ndarray, like: Array | np.ndarray) -> Array | np.ndarray:
    """Puts values on the devices where another array is."""
    if not isinstance(like, Array):
        return values
    return jax.make_array_from_callback(values.shape, like.sharding, lambda part: values[part])
