"""Functions and networks that are computed as one program each.

Outside of ``jit`` JAX compiles each operation by itself, which takes ten times as long as to
compile all of them together. Both are traced anew at each call, so that they see what a test has
exchanged.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax._src.interpreters import partial_eval  # has no public name


def as_one_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose arrays are the arguments of one program."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        leaves, structure = jax.tree.flatten((args, options))
        arrays = [leaf if _is_array(leaf) else None for leaf in leaves]
        if not any(_is_array(leaf) for leaf in leaves) or any(map(_is_inside_of_jit, leaves)):
            return function(*args, **options)

        def program(arrays: list[Any]) -> Any:
            given = [
                leaf if array is None else array for leaf, array in zip(leaves, arrays, strict=True)
            ]
            args, options = jax.tree.unflatten(structure, given)
            return function(*args, **options)

        return jax.jit(program)(arrays)

    return call


def network_as_one_program(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same method of a network; what it changes in the network is changed.

    Integers, such as bins, are compiled in: networks check their values.
    """

    @wraps(method)
    def call(network: nnx.Module, *inputs: Any, **options: Any) -> Any:
        leaves, structure = jax.tree.flatten(inputs)
        known = [*leaves, *jax.tree.leaves(nnx.state(network))]
        is_alone = all(_is_array(leaf) and not _is_traced(leaf) for leaf in known)
        if options or not is_alone or not any(map(_is_real, leaves)):
            return method(network, *inputs, **options)

        def program(network: nnx.Module, arrays: list[Any]) -> Any:
            given = [
                leaf if array is None else array for leaf, array in zip(leaves, arrays, strict=True)
            ]
            return method(network, *jax.tree.unflatten(structure, given))

        return nnx.jit(program)(network, [leaf if _is_real(leaf) else None for leaf in leaves])

    return call


def _is_real(leaf: Any) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, jax.core.Tracer)


def _is_inside_of_jit(leaf: Any) -> bool:
    return isinstance(leaf, partial_eval.DynamicJaxprTracer)
