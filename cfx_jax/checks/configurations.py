"""A check of every number in a configuration, before anything is computed with it."""

import dataclasses
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from cfx_jax.errors import InputError

_LIMITS = "limits"


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
    """Checks the numbers of a configuration, those in nested ones and in tuples too.

    Each is finite and at least 0, unless the metadata of its field say otherwise (``limits``). What
    several fields must have in common is checked by a method ``check`` of the configuration or of a
    nested one, if it has one.

    Args:
        config: a dataclass.

    Raises:
        InputError: naming the first field with another number, by its path; or as ``check``.

    Example:
        >>> from cfx_jax.losses import ProgressiveWeights
        >>> check_configuration(ProgressiveWeights(cycle=0.0))
        >>> check_configuration(ProgressiveWeights(cycle=math.nan))
        Traceback (most recent call last):
        cfx_jax.errors.InputError: cycle: expected a finite number of at least 0, got nan
    """
    _check_fields(config, "")


def _check_fields(config: Any, above: str) -> None:
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), above + field.name
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


def _check_number(number: Any, allowed: Limits, name: str) -> None:
    is_within = allowed.least <= number <= allowed.most  # NaN is not
    if is_within and (math.isfinite(number) or allowed.may_be_infinite):
        return
    kind = "number" if allowed.may_be_infinite else "finite number"
    least = f" of at least {allowed.least:g}" if math.isfinite(allowed.least) else ""
    most = f" and at most {allowed.most:g}" if math.isfinite(allowed.most) else ""
    raise InputError(f"{name}: expected a {kind}{least}{most}, got {number:g}")
