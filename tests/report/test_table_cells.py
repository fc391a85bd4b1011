"""Numbers as readers see them."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report.table_cells import format_cell, format_cells, numeric_columns


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("plain", "plain"),
        (None, "n/a"),
        (float("nan"), "n/a"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (41, "41"),
        (np.int64(41), "41"),
        (0.12345, "0.123"),
        (np.float32(0.5), "0.500"),
        (np.array(0.25), "0.250"),
        (-0.0625, "-0.062"),
        (0.0, "0.000"),
        (1e-6, "1.00e-06"),
        (2.5e9, "2.50e+09"),
        (float("inf"), "inf"),
        ((0.15, 0.06), "0.150 ± 0.060"),
        ((0.15, 0.12, 0.18), "0.150 [0.120, 0.180]"),
        ((float("nan"), 0.0, 1.0), "n/a"),
    ],
)
def test_cell_by_hand(cell, expected):
    assert format_cell(cell) == expected


@pytest.mark.parametrize("cell", [[1, 2], (1, 2, 3, 4), (), ("a", "b"), {}, np.zeros(2)])
def test_what_is_no_cell_is_refused(cell):
    with pytest.raises(InputError, match="a cell is a string, a number, None"):
        format_cell(cell)


def test_digits_may_differ_by_column():
    assert format_cells(["a", "b"], [[0.5, 0.5]], digits={"b": 1}) == [["0.500", "0.5"]]
    assert format_cells(["a"], [[0.5]], digits=0) == [["0"]]


def test_columns_with_numbers_only_are_numeric():
    rows = [["x", 1, None, 1], ["y", (1.0, 2.0), None, "a"]]
    assert numeric_columns(["a", "b", "c", "d"], rows) == [False, True, False, False]


@pytest.mark.parametrize(
    ("columns", "rows", "digits", "message"),
    [
        ([], [], 3, "at least one of columns is needed"),
        (["a", "a"], [], 3, "different names, got a, a"),
        (["a", "b"], [[1, 2], [1]], 3, "row 1 needs one cell for each of the 2 columns, got 1"),
        (["a"], [[1]], {"c": 2}, "digits names no column of the table: c; it has a"),
    ],
)
def test_what_is_no_table_is_refused(columns, rows, digits, message):
    with pytest.raises(InputError, match=message):
        format_cells(columns, rows, digits=digits)
