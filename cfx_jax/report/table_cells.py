"""Cells of tables as readers see them.

A cell is a string, a number, None for "not measured", ``(mean, std)``, or ``(estimate, low, high)``
such as an ``Interval`` of ``cfx_jax.metrics``. Readers see ``0.150 ± 0.060`` and
``0.150 [0.120, 0.180]``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cfx_jax.checks import check_texts
from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled

MISSING = "n/a"
"""The text of a cell where nothing was measured."""

Digits = int | Mapping[str, int]
"""Decimals: one number, or one per column name."""

DEFAULT_DIGITS = 3


def format_cells(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, digits: Digits = DEFAULT_DIGITS
) -> list[list[str]]:
    """Formats the cells of a table for readers.

    Args:
        columns: names of the columns, all different.
        rows: one cell per column in each.
        digits: decimals, one number or one per column name.

    Returns:
        One list of strings per row.

    Raises:
        InputError: rows and columns do not match, or a cell is none of the kinds above.

    >>> format_cells(["method", "IoU"], [["VCE", (0.15, 0.06)]])
    [['VCE', '0.150 ± 0.060']]
    """
    _check_table(columns, rows, digits)
    places = [
        digits if isinstance(digits, int) else digits.get(name, DEFAULT_DIGITS) for name in columns
    ]
    return [[format_cell(cell, digits=places[i]) for i, cell in enumerate(row)] for row in rows]


def format_cell(cell: Any, *, digits: int = DEFAULT_DIGITS) -> str:
    """Formats a cell of a table for readers.

    Args:
        cell: a string, a number, None, ``(mean, std)`` or ``(estimate, low, high)``.
        digits: decimals of numbers that are not whole.

    Returns:
        The text; numbers too small or too large for ``digits`` decimals are written with an
        exponent.

    Raises:
        InputError: the cell is none of these.

    >>> format_cell((0.15, 0.12, 0.18)), format_cell(None)
    ('0.150 [0.120, 0.180]', 'n/a')
    """
    if cell is None or isinstance(cell, str):
        return MISSING if cell is None else cell
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "no"
    parts = [_format_number(part, digits) for part in numbers(cell)]
    if len(parts) == 1 or MISSING in parts:
        return parts[0]
    return f"{parts[0]} ± {parts[1]}" if len(parts) == 2 else f"{parts[0]} [{parts[1]}, {parts[2]}]"


def numeric_columns(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Tells which columns hold numbers, and are aligned to the right.

    Args:
        columns: names of the columns.
        rows: one cell per column in each.

    Returns:
        One flag per column: whether it holds a cell that is not a string, and no string.

    >>> numeric_columns(["method", "IoU"], [["VCE", 0.15]])
    [False, True]
    """
    cells = [[row[i] for row in rows if row[i] is not None] for i in range(len(columns))]
    return [bool(column) and not any(isinstance(cell, str) for cell in column) for column in cells]


_MOST_DIGITS = 17  # of a float64


def _check_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], digits: Digits) -> None:
    check_filled(columns, "columns")
    check_texts(columns, name="columns")
    if len(set(columns)) < len(columns):
        raise InputError(f"the columns of a table need different names, got {', '.join(columns)}")
    several = (Sequence, np.ndarray)
    if not isinstance(rows, several) or not all(isinstance(row, several) for row in rows):
        raise InputError(f"rows: expected lists of cells in a list, got {type(rows).__name__}")
    if not isinstance(digits, int | Mapping) or isinstance(digits, bool):
        raise InputError(f"digits: expected a number, or numbers by column, got {digits!r}")
    for number in digits.values() if isinstance(digits, Mapping) else (digits,):
        if not isinstance(number, int) or not 0 <= number <= _MOST_DIGITS:
            raise InputError(f"digits: expected 0 to {_MOST_DIGITS} decimals, got {number!r}")
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise InputError(
                f"row {number} needs one cell for each of the {len(columns)} columns, got"
                f" {len(row)}"
            )
    unknown = set() if isinstance(digits, int) else set(digits) - set(columns)
    if unknown:
        raise InputError(
            f"digits names no column of the table: {', '.join(sorted(unknown))}; it has"
            f" {', '.join(columns)}"
        )


def numbers(cell: Any) -> list[Any]:
    """Lists the numbers of a cell that is not a string.

    Args:
        cell: a number, ``(mean, std)`` or ``(estimate, low, high)``.

    Returns:
        One, two or three numbers.

    Raises:
        InputError: the cell is none of these.

    >>> numbers((0.15, 0.06))
    [0.15, 0.06]
    """
    parts = list(cell) if isinstance(cell, tuple) else [cell]
    if not 1 <= len(parts) <= 3 or not all(_is_number(part) for part in parts):
        raise InputError(
            "a cell is a string, a number, None, (mean, std) or (estimate, low, high), got"
            f" {cell!r}"
        )
    return parts


def _is_number(value: Any) -> bool:
    """Whether a value is a number of Python or NumPy, or an array that holds one number."""
    return not isinstance(value, str) and np.shape(value) == () and hasattr(value, "__float__")


def _format_number(value: Any, digits: int) -> str:
    if isinstance(value, int | np.integer):
        return str(value)
    number = float(value)
    if math.isnan(number):
        return MISSING
    plain = number == 0 or 0.5 * 10**-digits <= abs(number) < 1e6 or math.isinf(number)
    return f"{number:.{digits}f}" if plain else f"{number:.{max(digits - 1, 0)}e}"
