"""The examples in docstrings: they run, and the methods' public functions all have one."""

import doctest
import importlib
import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_gives_what_it_says(name):
    output = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(EXAMPLES[name], out=output.append)
    is_skipped = all(doctest.SKIP in line.options for line in EXAMPLES[name].examples)
    assert (runner.tries or is_skipped) and not runner.failures, "".join(output)


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
