"""A function of one example over many: in batches, over all devices.

Every process passes the same examples and gets the whole result; each computes its own part.
Results do not depend on the number of devices or on the batch size, up to the rounding of
differently shaped programs.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_array, check_callable, check_count, check_key
from cfx_jax.compilation import (
    as_pytree,
    call,
    compiled_in,
    let_go_of_programs,
    needs_values,
)
from cfx_jax.costs import program_memory
from cfx_jax.errors import InputError
from cfx_jax.parallel.progress_bar import progress_bar, tell_memory
from cfx_jax.parallel.sharding import (
    gather,
    is_key,
    mesh_or_all_devices,
    num_examples,
    replicate,
    shard,
)


class Batch(NamedTuple):
    """A padded batch on the devices, ``examples``; the first ``num_real`` of them are real."""

    examples: Any
    num_real: int


class Batches:
    """The batches of a set of examples, placed on the devices one by one as they are asked for."""

    def __init__(self, examples: Any, *, batch_size: int | None, mesh: Mesh) -> None:
        self._examples = jax.tree.map(
            lambda leaf: leaf if is_key(leaf) else np.asarray(leaf), examples
        )
        self._count = num_examples(examples)
        self._mesh = mesh
        check_count(batch_size, name="batch_size", or_none=True)
        size = self._count if batch_size is None else batch_size
        self._size = -(-min(size, self._count) // mesh.size) * mesh.size

    def __len__(self) -> int:
        return -(-self._count // self._size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self._count, self._size):
            # The last batch repeats its last example, so that every batch has one shape and
            # compiles once.
            index = np.minimum(np.arange(start, start + self._size), self._count - 1)
            part = jax.tree.map(lambda leaf, index=index: leaf[index], self._examples)
            yield Batch(shard(part, self._mesh), min(self._size, self._count - start))


def batches(examples: Any, *, batch_size: int | None, mesh: Mesh) -> Batches:
    """Cuts examples into padded, sharded batches of one shape.

    Args:
        examples: a pytree whose leaves have a leading axis over examples.
        batch_size: at least 1, rounded up to a multiple of the mesh's size; None makes one batch.
        mesh: the devices, from ``data_mesh``.

    Raises:
        InputError: a batch size below 1, no examples, or leaves of different lengths.
    """
    return Batches(examples, batch_size=batch_size, mesh=mesh)


def map_examples(
    fn: Callable[[Any, Any], Any],
    shared: Any,
    examples: Any,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool | str = False,
) -> Any:
    """``jax.vmap(fn, (None, 0))(shared, examples)`` in compiled micro-batches over all devices.

    Args:
        fn: ``(shared, example) -> result`` of ONE example; functions of one code with equal
            contents compile once.
        shared: a pytree that all examples share, such as a classifier.
        examples: a pytree whose leaves have a leading axis over examples.
        batch_size: examples computed at once; None takes all. Changes nothing but memory and speed.
        mesh: the devices; None takes all.
        progress: prints the memory of a batch, and shows a bar over batches; a text is its label.

    Returns:
        The results as NumPy arrays with a leading axis over examples.

    Raises:
        InputError: a batch size below 1, no examples, or leaves of different lengths.
    """
    check_callable(fn, name="fn", gives="what is shared and one example -> a result")
    mesh = mesh_or_all_devices(mesh)
    parts = batches(examples, batch_size=batch_size, mesh=mesh)
    program = ExampleMap(fn, shared, mesh=mesh)
    results = []
    with progress_bar(len(parts), progress) as bar:
        for number, part in enumerate(parts):
            if progress and number == 0:
                tell_memory(bar, progress, program.memory(part.examples))
            result = gather(program(part.examples))
            results.append(jax.tree.map(lambda leaf, n=part.num_real: leaf[:n], result))
            bar.update(1)
    return concatenate(results)


def apply_to_examples(
    function: Callable[[Any], Any],
    examples: Any,
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool | str = False,
) -> Any:
    """``jax.vmap(function)(examples)`` in compiled micro-batches over all devices.

    Args:
        function: ``example -> result`` of ONE example, such as a classifier. Its arrays are
            arguments of the program: equal functions with other arrays share one.
        examples, batch_size, mesh, progress: as in ``map_examples``.

    Returns:
        The results as NumPy arrays with a leading axis over examples.

    Raises:
        InputError: as ``map_examples``.

    Example:
        >>> apply_to_examples(lambda image: image.sum(), np.ones((3, 2, 2, 1)), batch_size=2)
        array([4., 4., 4.], dtype=float32)
    """
    check_callable(function, name="function", gives="one example -> a result")
    options: dict[str, Any] = {"batch_size": batch_size, "mesh": mesh, "progress": progress}
    return map_examples(call, as_pytree(function), examples, **options)


class ExampleMap:
    """``jax.vmap(fn, (None, 0))`` over all devices, for examples that come batch by batch.

    What the examples share is placed on the devices once. Batches of one shape share one program.
    """

    def __init__(self, fn: Callable[[Any, Any], Any], shared: Any, *, mesh: Mesh) -> None:
        """Places on the devices what the examples share.

        Args:
            fn: ``(shared, example) -> result`` of ONE example.
            shared: a pytree that all examples share, such as a classifier.
            mesh: the devices, from ``data_mesh``.
        """
        let_go_of_programs()
        self._mesh, self._asked = mesh, (as_pytree(fn), shared)
        self._placed = replicate(self._asked, mesh)

    def __call__(self, examples: Any) -> Any:
        """The results of a batch, on the devices, perhaps before they are computed.

        Where a callable asks for the values of its arrays, they are compiled in from then on.

        Args:
            examples: a batch from ``batches`` or ``shard``.
        """
        return self._call(_map_batch, examples)

    def memory(self, examples: Any) -> str:
        """The memory that a batch takes on each device, in words; the program is compiled for it.

        Args:
            examples: a batch, as in a call.
        """
        return self._call(partial(program_memory, _map_batch), examples)

    def _call(self, function: Callable[..., Any], examples: Any) -> Any:
        try:
            return function(*self._placed, examples)
        except Exception as error:
            if not needs_values(error):
                raise
        self._placed = replicate(compiled_in(self._asked), self._mesh)
        return function(*self._placed, examples)


@jax.jit
def _map_batch(fn: Callable[[Any, Any], Any], shared: Any, examples: Any) -> Any:
    return jax.vmap(fn, (None, 0))(shared, examples)


def example_keys(key: PRNGKeyArray, indices: Int[AnyArray, " n"]) -> PRNGKeyArray:
    """The keys of examples, each from the key and the example's index alone, whatever the batch.

    Args:
        key: the key from which all keys are drawn.
        indices: the indices of the examples.

    Returns:
        One key for each index, ``(n,)``.

    Raises:
        InputError: no random key, or indices that are no vector of whole numbers.

    Example:
        >>> keys = example_keys(jax.random.key(0), jnp.arange(3))
        >>> bool(keys[2] == jax.random.fold_in(jax.random.key(0), 2))
        True
    """
    check_key(key)
    check_array(indices, name="indices")
    if indices.ndim != 1 or not jnp.issubdtype(indices.dtype, jnp.integer):
        raise InputError(
            f"indices: expected whole numbers (n,), got shape {indices.shape} of {indices.dtype}"
        )
    return _folded_in(key, jnp.asarray(indices))


_folded_in = jax.jit(jax.vmap(jax.random.fold_in, (None, 0)))  # eagerly it takes milliseconds


def concatenate(parts: Sequence[Any]) -> Any:
    """Joins pytrees of arrays along their leading axis."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
