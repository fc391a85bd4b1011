"""How fast tests compute networks."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Generator
from functools import cache, wraps
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

import cfx_jax.models


@pytest.fixture(scope="module", autouse=True)
def networks_are_compiled(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """A network that a fast test calls is one program, as in users' hands.

    Called outside of ``jit`` it would be compiled operation by operation, which takes ten times as
    long.
    """
    if "not slow" not in request.config.option.markexpr:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for network in network_classes():
            for name, method in list(vars(network).items()):
                is_public = name == "__call__" or not name.startswith("_")
                if is_public and inspect.isfunction(method):
                    patch.setattr(network, name, compiled_as_a_whole(method))
        yield


@cache
def network_classes() -> list[type[nnx.Module]]:
    """The networks and layers of the library."""
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


@cache
def compiled_as_a_whole(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, compiled where it is called with images or maps, and as it is where it is traced.

    Of integers, such as bins, networks check the values, which a compiled one cannot.
    """
    program = nnx.jit(method)

    @wraps(method)
    def call(network: nnx.Module, *inputs: Any, **options: Any) -> Any:
        is_alone = bool(inputs) and not options and are_images(inputs)
        return (program if is_alone and are_arrays(nnx.state(network)) else method)(
            network, *inputs, **options
        )

    return call


def are_images(tree: Any) -> bool:
    """Whether all leaves are arrays of floating-point numbers with values."""
    leaves = jax.tree.leaves(tree)
    return are_arrays(leaves) and all(np.issubdtype(leaf.dtype, np.floating) for leaf in leaves)


def are_arrays(tree: Any) -> bool:
    """Whether all leaves are arrays with values."""
    return all(
        isinstance(leaf, jax.Array | np.ndarray) and not isinstance(leaf, jax.core.Tracer)
        for leaf in jax.tree.leaves(tree)
    )
