"""The changes that a call makes in a callable: of its arrays, or of its lists and names."""

import functools
from typing import Any

import jax

from cfx_jax.compilation.fingerprints import Fingerprint, fingerprint
from cfx_jax.errors import InputError

_MOST_CHANGES = 256
_own_changes: dict[Fingerprint, Fingerprint] = {}
"""Fingerprints after a trace that has appended to lists, each with the one before it."""

CHANGES_ITS_ARRAYS = (
    "{}: expected a model that a call leaves as it is, got one that changes its own arrays, as"
    " dropout and batch norm in training mode do: use models.per_image, or its evaluation mode"
)


class SideEffectError(InputError):
    """A call of a callable has changed the arrays that it holds."""


def check_unchanged(model: Any, arrays: list[Any]) -> None:
    """Checks that a call has not changed what a model holds.

    Such a change would be lost, and each call would be the first.

    Args:
        model: the model after the call.
        arrays: the arrays that it held before.

    Raises:
        SideEffectError: it holds others.
    """
    left = jax.tree.leaves(model, is_leaf=lambda leaf: isinstance(leaf, functools.partial))
    if len(left) != len(arrays) or any(
        new is not old for new, old in zip(left, arrays, strict=True)
    ):
        raise SideEffectError(CHANGES_ITS_ARRAYS.format(type(model).__name__))


def remember_appended(value: Any, key: Fingerprint, lengths: dict[int, int]) -> None:
    """Lets a callable share the program of its trace, though the trace has appended to its lists.

    Under ``jit`` such a record is kept once too. Any other change that a trace makes counts, as a
    change by others does.

    Args:
        value: the callable after the trace.
        key: its fingerprint before.
        lengths: for each list, by its identity, how many of its items were there before.
    """
    changed = fingerprint(value)
    if changed is not None and changed != key and fingerprint(value, lengths=dict(lengths)) == key:
        while len(_own_changes) >= _MOST_CHANGES:
            del _own_changes[next(iter(_own_changes))]
        _own_changes[changed] = key


def before_changes(key: Fingerprint) -> Fingerprint:
    """The fingerprint that a callable had before its trace appended to its lists, or its own."""
    return _own_changes.get(key, key)


def forget_changes() -> None:
    """Forgets what traces have changed in callables, whose programs are let go."""
    _own_changes.clear()
