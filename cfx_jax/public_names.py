"""The public names of a package: what ``dir`` lists, and ``from package import *`` takes."""

from collections.abc import Callable
from types import ModuleType
from typing import Any


def public(names: dict[str, Any]) -> tuple[list[str], Callable[[], list[str]]]:
    """The ``__all__`` and the ``__dir__`` of a package whose ``__init__`` imports what is public.

    Submodules, which Python leaves in the package too, are not among them.

    Args:
        names: the package's ``globals()``.

    >>> import math
    >>> public({"solve": print, "_solve": print, "math": math})[0]
    ['solve']
    """
    listed = sorted(
        name
        for name, value in names.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    )
    return listed, lambda: list(listed)
