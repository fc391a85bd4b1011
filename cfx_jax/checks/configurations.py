"""A check of every number in a configuration, before anything is computed with it."""

import dataclasses
import math
from collections.abc import Iterator
from numbers import Real
from typing import Any

from cfx_jax.errors import InputError

MAY_BE_INFINITE = {"may_be_infinite": True}
"""Metadata of a field that takes infinity, as the order of a norm does."""
MAY_BE_NEGATIVE = {"may_be_negative": True}
"""Metadata of a field that takes numbers below 0."""


def check_configuration(config: Any) -> None:
    """Checks the numbers of a configuration, those in nested ones and in tuples too.

    None is NaN, none is below 0, and none infinite, unless the metadata of its field say so
    (``MAY_BE_INFINITE``, ``MAY_BE_NEGATIVE``).

    Args:
        config: a dataclass.

    Raises:
        InputError: naming the first field with another number, by its path.

    Example:
        >>> from cfx_jax.losses import ProgressiveWeights
        >>> check_configuration(ProgressiveWeights(cycle=0.0))
        >>> check_configuration(ProgressiveWeights(cycle=math.nan))
        Traceback (most recent call last):
        cfx_jax.errors.InputError: cycle: expected a finite number of at least 0, got nan
    """
    for name, value, metadata in _numbers(config, ""):
        may_be_infinite, may_be_negative = (
            metadata.get(key, False) for key in ("may_be_infinite", "may_be_negative")
        )
        if math.isfinite(value) and (value >= 0 or may_be_negative):
            continue
        if value == math.inf and may_be_infinite:
            continue
        kind = "number" if may_be_infinite else "finite number"
        least = "" if may_be_negative else " of at least 0"
        raise InputError(f"{name}: expected a {kind}{least}, got {value:g}")


def _numbers(config: Any, above: str) -> Iterator[tuple[str, float, Any]]:
    """The path of each number, the number, and the metadata of its field."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), above + field.name
        for part in value if isinstance(value, tuple | list) else (value,):
            if dataclasses.is_dataclass(part):
                yield from _numbers(part, f"{name}.")
            elif isinstance(part, Real) and not isinstance(part, bool):
                yield name, float(part), field.metadata
