"""The examples in docstrings: they run, and the methods' public functions all have one."""

import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from single_programs import losses_as_single_programs, networks_are_single_programs

import cfx_jax

WITH_EXAMPLES = (
    "attributions",
    "counterfactuals",
    "geometry",
    "maps",
    "metrics",
    "objectives",
    "optimise",
    "image_registration",
)
"""The packages whose public functions all have an example: name another one to ask it of it."""


def examples():
    """All examples of the library, by the name of what they explain."""
    root = Path(cfx_jax.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(root.parent).with_suffix("").parts
            module = importlib.import_module(".".join(parts))
            face = importlib.import_module(".".join(parts[:2]))
            # A reader has imported these, and the names of the package.
            known = {**vars(face), **vars(module), "jax": jax, "jnp": jnp, "np": np}
            found = doctest.DocTestFinder().find(module, globs=known)
            yield from ((test.name, test) for test in found if test.examples)


EXAMPLES = dict(examples())


def imported_modules(example):
    """The modules that an example imports."""
    return re.findall(r"^import (\w+)", "".join(line.source for line in example.examples), re.M)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_gives_what_it_says(name):
    for extra in imported_modules(EXAMPLES[name]):
        pytest.importorskip(extra)  # the extras of pyproject.toml are not always installed
    output = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    EXAMPLES[name].globs |= losses_as_single_programs(EXAMPLES[name].globs)
    with networks_are_single_programs():
        runner.run(EXAMPLES[name], out=output.append)
    is_skipped = all(doctest.SKIP in line.options for line in EXAMPLES[name].examples)
    assert (runner.tries or is_skipped) and not runner.failures, "".join(output)


def test_an_example_of_an_extra_that_is_not_installed_is_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "equinox", None)  # as if it could not be imported
    with pytest.raises(pytest.skip.Exception):
        test_example_gives_what_it_says("cfx_jax.adapters.equinox.from_equinox")


@pytest.mark.parametrize("package", WITH_EXAMPLES)
def test_public_functions_have_an_example(package):
    home = f"cfx_jax.{package}"
    functions = [
        name
        for name, value in vars(importlib.import_module(home)).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and (value.__module__ == home or value.__module__.startswith(f"{home}."))
    ]
    documented = {name.rpartition(".")[2] for name in EXAMPLES if name.startswith(f"{home}.")}
    assert functions
    assert not set(functions) - documented, "no example in the docstring of these"
