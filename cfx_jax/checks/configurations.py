"""A check of every setting in a configuration, before anything is computed with it."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from cfx_jax.checks.options import check_choice
from cfx_jax.errors import InputError

_LIMITS = "limits"
_WORDS = {int: "an integer", float: "a number", str: "a text", bool: "True or False"}


@dataclasses.dataclass(frozen=True)
class Limits:
    """The numbers that a field of a configuration takes.

    Attributes:
        least, most: the smallest and the largest.
        may_be_infinite: whether infinity is one of them, as for the order of a norm.
        may_be_empty: whether a tuple may have none.
    """

    least: float = 0.0
    most: float = math.inf
    may_be_infinite: bool = False
    may_be_empty: bool = True


def limits(**options: Any) -> Mapping[str, Limits]:
    """Metadata of a field whose numbers have other limits than those of ``check_configuration``.

    Args:
        options: as ``Limits`` has them.

    Example:
        >>> @dataclasses.dataclass
        ... class Search:
        ...     p: float = dataclasses.field(default=2.0, metadata=limits(least=1))
        >>> check_configuration(Search(p=0.5))
        Traceback (most recent call last):
        cfx_jax.errors.InputError: p: expected a finite number of at least 1, got 0.5
    """
    return {_LIMITS: Limits(**options)}


def check_configuration(config: Any) -> None:
    """Checks the settings of a configuration, those in nested ones and in tuples too.

    Each is of the type that its field is declared with. Each number is finite and at least 0,
    unless the metadata of its field say otherwise (``limits``). What several fields must have in
    common is checked by a method ``check`` of the configuration or of a nested one, if it has one.

    Args:
        config: a dataclass.

    Raises:
        InputError: naming the first field with another value, by its path; or as ``check``.

    Example:
        >>> from cfx_jax.losses import ProgressiveWeights
        >>> check_configuration(ProgressiveWeights(cycle=0.0))
        >>> check_configuration(ProgressiveWeights(cycle=math.nan))
        Traceback (most recent call last):
        cfx_jax.errors.InputError: cycle: expected a finite number of at least 0, got nan
    """
    _check_fields(config, "")


def _check_fields(config: Any, above: str) -> None:
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), above + field.name
        _check_type(value, hints[field.name], name)
        allowed = field.metadata.get(_LIMITS, Limits())
        parts = value if isinstance(value, tuple | list) else (value,)
        if not parts and not allowed.may_be_empty:
            raise InputError(f"{name}: expected at least one, got none")
        for part in parts:
            if dataclasses.is_dataclass(part):
                _check_fields(part, f"{name}.")
            elif isinstance(part, Real) and not isinstance(part, bool):
                _check_number(part, allowed, name)
    if hasattr(config, "check"):
        config.check()


def _check_type(value: Any, hint: Any, name: str) -> None:
    if typing.get_origin(hint) is typing.Literal:
        check_choice(value, typing.get_args(hint), name=name)
    elif not _is_of(hint, value):
        is_class = isinstance(hint, type) and not typing.get_args(hint)
        kind = _WORDS.get(hint, hint.__name__ if is_class else str(hint))
        raise InputError(f"{name}: expected {kind}, got {value!r}")


def _is_of(hint: Any, value: Any) -> bool:
    """Whether a value is of a type; True for types that are not looked into here."""
    kind, parts = typing.get_origin(hint), typing.get_args(hint)
    if kind is typing.Literal:
        return isinstance(value, str | int | float | None) and value in parts
    if kind in (typing.Union, types.UnionType):
        return any(_is_of(part, value) for part in parts)
    if kind is tuple:
        if not isinstance(value, tuple | list):
            return False
        hints = parts[:1] * len(value) if parts[1:] == (...,) else parts
        return len(hints) == len(value) and all(map(_is_of, hints, value))
    if hint in (int, float):  # NumPy's too
        number = Integral if hint is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    is_checked = hint in (str, type(None)) or dataclasses.is_dataclass(hint)
    return not is_checked or isinstance(value, hint)


def _check_number(number: Any, allowed: Limits, name: str) -> None:
    is_within = allowed.least <= number <= allowed.most  # NaN is not
    if is_within and (math.isfinite(number) or allowed.may_be_infinite):
        return
    kind = "number" if allowed.may_be_infinite else "finite number"
    least = f" of at least {allowed.least:g}" if math.isfinite(allowed.least) else ""
    most = f" and at most {allowed.most:g}" if math.isfinite(allowed.most) else ""
    raise InputError(f"{name}: expected a {kind}{least}{most}, got {number:g}")
