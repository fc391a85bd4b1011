"""Any pytree as named arrays, and back: the form in which orbax stores a training's state.

Names are the leaves' paths (``.params['head']['kernel'].value``). Typed PRNG keys are stored as
their key data. Leaves that are no arrays (Python or NumPy scalars) come back as the type they had.
Arrays of size 0, which orbax cannot hold, carry no data and are taken from the template.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

Arrays = dict[str, Array | np.ndarray]


def to_arrays(tree: Any) -> Arrays:
    """Converts the leaves of a pytree to arrays, by their paths.

    >>> to_arrays({"step": 3})
    {"['step']": array(3)}
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): _to_array(leaf) for path, leaf in leaves if np.size(leaf)}


def from_arrays(template: Any, arrays: Mapping[str, Array | np.ndarray]) -> Any:
    """Puts named arrays back into a pytree, the inverse of ``to_arrays``.

    Args:
        template: a pytree of the same structure, shapes and types; only its arrays of size 0 give
            their values.
        arrays: the arrays that ``to_arrays`` returned.

    Returns:
        A pytree like ``template`` with the values of ``arrays``.

    >>> from_arrays({"step": 0}, {"['step']": np.array(3)})
    {'step': 3}
    """

    def restore(path: tuple[Any, ...], leaf: Any) -> Any:
        return _like(leaf, arrays[jax.tree_util.keystr(path)]) if np.size(leaf) else leaf

    return jax.tree_util.tree_map_with_path(restore, template)


def describe(arrays: Mapping[str, Array | np.ndarray]) -> dict[str, str]:
    """Returns shape and type of each array, such as ``float32(3, 3, 1, 16)``.

    >>> describe({"kernel": np.zeros((3, 2), np.float32)})
    {'kernel': 'float32(3, 2)'}
    """
    return {name: f"{array.dtype}{tuple(array.shape)}" for name, array in arrays.items()}


def _to_array(leaf: Any) -> Array | np.ndarray:
    if _is_key(leaf):
        return jax.random.key_data(leaf)
    return leaf if isinstance(leaf, Array) else np.asarray(leaf)


def _like(leaf: Any, array: Array | np.ndarray) -> Any:
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    if isinstance(leaf, Array):
        return array
    array = np.asarray(array)
    if isinstance(leaf, np.ndarray):
        return array
    return array[()] if isinstance(leaf, np.generic) else array.item()


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
