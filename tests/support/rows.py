"""Rows of a parametrised test, of which some are slow tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def slow_but_first(rows: Sequence[Any], *, quick: int = 1) -> list[Any]:
    """The first rows as they are; the others, which ask the same of other cases, as slow tests.

    Args:
        rows: values, tuples of values, or what ``pytest.param`` gives.
        quick: how many rows stay quick.
    """
    return [*rows[:quick], *map(_slow, rows[quick:])]


def _slow(row: Any) -> Any:
    if hasattr(row, "marks"):
        return pytest.param(*row.values, marks=[*row.marks, pytest.mark.slow], id=row.id)
    values = row if isinstance(row, tuple) else (row,)
    return pytest.param(*values, marks=pytest.mark.slow)
