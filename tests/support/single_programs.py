"""Functions and networks that are computed as one program each.

Outside of ``jit`` JAX compiles each operation by itself, which takes ten times as long as to
compile all of them together. Both are traced anew at each call, so that they see what a test has
exchanged.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from jax._src.interpreters import partial_eval  # has no public name

import cfx_jax.models

ON_THE_HOST = ("inverse_frequency",)
"""Functions of NumPy among the losses: they count labels."""


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
            result = function(*args, **options)
            names.extend(result if isinstance(result, dict) else ())
            return result

        names: list[str] = []
        result = jax.jit(program)(arrays)
        # JAX gives a dictionary in the order of the alphabet.
        return {name: result[name] for name in names} if isinstance(result, dict) else result

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


def losses_as_single_programs(names: dict[str, Any]) -> dict[str, Any]:
    """Those of a module's names that are losses of the library, each as one program."""
    return {
        name: as_one_program(value)
        for name, value in names.items()
        if inspect.isfunction(value)
        and value.__module__.startswith("cfx_jax.losses")
        and name not in ON_THE_HOST
    }


@contextmanager
def networks_are_single_programs() -> Iterator[None]:
    """Has each call of a network or a layer of the library be one program."""
    with pytest.MonkeyPatch.context() as patch:
        for network in _network_classes():
            for name, method in list(vars(network).items()):
                is_public = name == "__call__" or not name.startswith("_")
                if is_public and inspect.isfunction(method):
                    patch.setattr(network, name, network_as_one_program(method))
        yield


@cache
def _network_classes() -> list[type[nnx.Module]]:
    found = pkgutil.walk_packages(cfx_jax.models.__path__, "cfx_jax.models.")
    modules = [importlib.import_module(module.name) for module in found]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, nnx.Module)
        and value.__module__ == module.__name__
    ]


def _is_real(leaf: Any) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, jax.core.Tracer)


def _is_inside_of_jit(leaf: Any) -> bool:
    return isinstance(leaf, partial_eval.DynamicJaxprTracer)
