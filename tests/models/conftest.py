"""How fast tests compute networks."""

import importlib
import inspect
import pkgutil
from collections.abc import Generator
from functools import cache

import pytest
from flax import nnx
from single_programs import network_as_one_program

import cfx_jax.models


@pytest.fixture(scope="module", autouse=True)
def networks_are_single_programs(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """A network that a fast test calls is one program, as in users' hands."""
    if "not slow" not in request.config.option.markexpr:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for network in network_classes():
            for name, method in list(vars(network).items()):
                is_public = name == "__call__" or not name.startswith("_")
                if is_public and inspect.isfunction(method):
                    patch.setattr(network, name, network_as_one_program(method))
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
