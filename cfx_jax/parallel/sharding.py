"""Arrays over the devices of all hosts: the leading axis shared out, or the same on each.

Every process passes the same arrays and gets the whole of what is gathered.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from cfx_jax.array_types import check_usable
from cfx_jax.checks import check_type
from cfx_jax.errors import InputError

AXIS = "data"


def data_mesh(*, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with the one axis ``"data"``.

    Args:
        devices: which devices; None takes all, of every process.
    """
    return Mesh(np.asarray(jax.devices() if devices is None else devices), (AXIS,))


def mesh_or_all_devices(mesh: Mesh | None) -> Mesh:
    """The devices that a user gave, or all.

    Args:
        mesh: from ``data_mesh``; None is a mesh of all devices.

    Raises:
        InputError: something else.
    """
    if mesh is None:
        return data_mesh()
    wanted = "devices, as of parallel.data_mesh, or None"
    check_type(mesh, Mesh | AbstractMesh, name="mesh", wanted=wanted)
    return mesh


def is_local(mesh: Mesh | None) -> bool:
    """Whether all devices are of this process.

    Args:
        mesh: the devices, from ``data_mesh``; None is all devices.
    """
    devices = mesh_or_all_devices(mesh).devices.flat
    return all(device.process_index == jax.process_index() for device in devices)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """The same arrays on every device of the mesh."""
    return jax.tree.map(lambda leaf: _place(leaf, NamedSharding(mesh, PartitionSpec())), tree)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of arrays whose leading axis is spread over the devices of a mesh.

    Args:
        mesh: from ``data_mesh``.
    """
    return NamedSharding(mesh, PartitionSpec(AXIS))


def shard(tree: Any, mesh: Mesh) -> Any:
    """Spreads the leading axis of every leaf over the devices of a mesh.

    Its length must be a multiple of the mesh's size.

    Args:
        tree: the whole batch, the same in every process.
        mesh: the devices, from ``data_mesh``.

    Raises:
        InputError: a leading axis that the devices cannot share evenly.
    """
    length = num_examples(tree)
    if length % mesh.size:
        raise InputError(
            f"shard: expected a multiple of {mesh.size} devices, got {length} examples: pad the"
            " batch"
        )
    return jax.tree.map(lambda leaf: _place(leaf, batch_sharding(mesh)), tree)


def shard_local(tree: Any, mesh: Mesh) -> Any:
    """A global batch, from the part that each process has loaded for itself.

    A grain pipeline that is sharded by process loads such parts.
    """
    sharding = batch_sharding(mesh)
    return jax.tree.map(
        lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), tree
    )


def gather(tree: Any) -> Any:
    """The whole of a sharded pytree as NumPy arrays, in every process."""
    if all(getattr(leaf, "is_fully_addressable", True) for leaf in jax.tree.leaves(tree)):
        return jax.tree.map(np.asarray, tree)
    from jax.experimental import multihost_utils

    return jax.tree.map(np.asarray, multihost_utils.process_allgather(tree, tiled=True))


def local_copy(tree: Any) -> Any:
    """Copies arrays that are the same on all devices to a device of this process.

    Where it is alone the arrays stay as they are.
    """
    if jax.process_count() == 1:
        return tree

    def copy(leaf: Any) -> Any:
        if is_key(leaf):
            data = jnp.asarray(np.asarray(jax.random.key_data(leaf)))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return jnp.asarray(np.asarray(leaf))

    return jax.tree.map(copy, tree)


def num_examples(examples: Any) -> int:
    """The common length of all leaves' leading axes.

    Raises:
        InputError: there is no example, the lengths differ, or as ``check_usable``.
    """
    for leaf in jax.tree.leaves(examples):
        check_usable(leaf, name="examples")
    lengths = {
        leaf.shape[0] if getattr(leaf, "ndim", 0) else None for leaf in jax.tree.leaves(examples)
    }
    if len(lengths) != 1 or None in lengths:
        raise InputError(
            "examples: expected leaves with one common leading axis, got lengths"
            f" {sorted(map(str, lengths))}"
        )
    (length,) = lengths
    if not length:
        raise InputError("examples: expected at least one example, got none")
    return length


def is_key(leaf: Any) -> bool:
    """Whether a leaf holds random keys of JAX, which NumPy cannot take."""
    return isinstance(leaf, Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _place(leaf: Any, sharding: NamedSharding) -> Array:
    if jax.process_count() == 1:
        return jax.device_put(leaf, sharding)
    if is_key(leaf):
        return jax.random.wrap_key_data(
            _place(jax.random.key_data(leaf), sharding), impl=jax.random.key_impl(leaf)
        )
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
