"""The records that line plots are made of, checked when they are made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a plot, with its band."""

    name: str
    """The name of the line in the legend; lines of one name share colour and marker over all
    panels."""
    x: ArrayLike
    """``(n,)`` finite positions."""
    y: ArrayLike
    """``(n,)`` values; NaN leaves a gap."""
    low: ArrayLike | None = None
    """``(n,)`` lower end of the band."""
    high: ArrayLike | None = None
    """``(n,)`` upper end of the band."""

    def __post_init__(self) -> None:
        x = _vector(self.x, None, "x")
        if not np.isfinite(x).all():
            raise InputError(f"line '{self.name}': x must be finite, it holds NaN or infinity")
        _vector(self.y, x.size, "y")
        if (self.low is None) != (self.high is None):
            raise InputError(
                f"line '{self.name}': a band needs both low and high, got only one of them"
            )
        if self.low is not None and self.high is not None:
            low, high = _vector(self.low, x.size, "low"), _vector(self.high, x.size, "high")
            if (low > high).any():
                raise InputError(f"line '{self.name}': low must not exceed high")


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """A small plot of ``curve``."""

    lines: Sequence[Line]
    """One or more."""
    x_label: str
    """The quantity along x, with its unit."""
    y_label: str
    """The quantity along y, with its unit."""
    title: str = ""
    """Line above the panel."""
    y_range: tuple[float, float] | None = None
    """Lower and upper end of the y axis; fitted to the lines where None."""

    def __post_init__(self) -> None:
        check_filled(self.lines, "a panel's lines", Line)
        if self.y_range is not None and not self.y_range[0] < self.y_range[1]:
            raise InputError(
                f"y_range must be (lower, upper) with lower < upper, got {self.y_range}"
            )


def _vector(values: ArrayLike, size: int | None, name: str) -> Float[np.ndarray, "n"]:
    array = np.asarray(values, float)
    if array.ndim != 1 or array.size == 0 or size not in (None, array.size):
        expected = "(n,)" if size is None else f"({size},)"
        raise InputError(f"a line's {name} must have shape {expected}, got {array.shape}")
    return array
