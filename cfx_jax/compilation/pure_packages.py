"""The packages whose functions depend on their arguments and on what they close over alone."""

import functools
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

_PURE = frozenset({"cfx_jax", "jax", "optax", "flax"})
"""Packages whose functions change nothing, and read no globals that change."""
_BESIDE = frozenset({"trainers", "experiments", "benchmarks"})
"""The same of this project, which lie beside this package in a clone."""


def is_ours(value: Any) -> bool:
    """Whether a function or a class is of a package that is known to be pure."""
    name = (
        value.__globals__.get("__name__", "")
        if isinstance(value, FunctionType)
        else value.__module__ or ""
    )
    package = name.partition(".")[0]
    return package in _PURE or (package in _BESIDE and _is_beside_this_package(package))


@functools.cache
def _is_beside_this_package(package: str) -> bool:
    """Whether a package belongs to this project, and is not a user's of the same name."""
    file = getattr(sys.modules.get(package), "__file__", None)
    return file is not None and Path(file).parents[1] == Path(__file__).parents[1]
