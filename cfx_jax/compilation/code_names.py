"""The names that some code may read: of globals, of modules that it imports, and of attributes.

Functions that are defined in the code count too.
"""

import dis
import functools
from collections.abc import Callable
from types import CodeType

_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_GLOBAL")


@functools.lru_cache(maxsize=4096)
def attribute_names(code: CodeType) -> tuple[str, ...]:
    """All names by which some code may read an attribute."""
    # A text may be a name too, as in getattr(module, "name").
    texts = [const for const in code.co_consts if isinstance(const, str)]
    return _with_inner([*code.co_names, *texts], code, attribute_names)


@functools.lru_cache(maxsize=4096)
def imported_names(code: CodeType) -> tuple[str, ...]:
    """The names of modules that some code may import."""
    return _with_inner(_names_of_steps(code, ("IMPORT_NAME",)), code, imported_names)


@functools.lru_cache(maxsize=4096)
def global_names(code: CodeType) -> tuple[str, ...]:
    """The names of globals that some code may read or write."""
    return _with_inner(_names_of_steps(code, _GLOBALS), code, global_names)


def _names_of_steps(code: CodeType, kinds: tuple[str, ...]) -> list[str]:
    """The names in the instructions of some kinds."""
    return [step.argval for step in dis.get_instructions(code) if step.opname in kinds]


def _with_inner(
    names: list[str], code: CodeType, find: Callable[[CodeType], tuple[str, ...]]
) -> tuple[str, ...]:
    """The names, and the names in the functions that are defined in the code; each once."""
    inner = [
        name for const in code.co_consts if isinstance(const, CodeType) for name in find(const)
    ]
    return tuple(dict.fromkeys([*names, *inner]))
