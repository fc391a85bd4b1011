"""The same table for machines, for readers and for the console."""

import csv

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report import format_table, write_table

COLUMNS = ["model", "acc", "IoU"]
ROWS = [["plain", 0.895, (0.07, 0.03)], ["robust", 1 / 3, (0.13, 0.1, 0.16)], ["both", None, None]]


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_keeps_full_precision_and_splits_the_parts(tmp_path):
    path, _ = write_table(tmp_path / "table_l1.5", COLUMNS, ROWS)
    assert path == tmp_path / "table_l1.5.csv" or str(path) == str(tmp_path / "table_l1.5.csv")
    plain, robust, both = read(path)
    assert list(plain) == ["model", "acc", "IoU", "IoU_std", "IoU_low", "IoU_high"]
    assert float(robust["acc"]) == 1 / 3
    assert (plain["IoU"], plain["IoU_std"], plain["IoU_low"]) == ("0.07", "0.03", "")
    assert (robust["IoU"], robust["IoU_std"], robust["IoU_high"]) == ("0.13", "", "0.16")
    assert set(both.values()) == {"both", ""}


def test_csv_quotes_what_needs_it(tmp_path):
    path, _ = write_table(tmp_path / "t", ["a,b", "c"], [['say "x"\nagain', float("nan")]])
    assert read(path) == [{"a,b": 'say "x"\nagain', "c": ""}]


def test_csv_writes_numbers_of_numpy_as_numbers(tmp_path):
    path, _ = write_table(
        tmp_path / "t", ["a", "b", "c"], [[np.float32(0.5), np.int32(3), np.array(0.25)]]
    )
    assert read(path) == [{"a": "0.5", "b": "3", "c": "0.25"}]


def test_markdown_by_hand(tmp_path):
    _, path = write_table(tmp_path / "t", COLUMNS, ROWS, digits={"acc": 1}, note="synthetic data")
    assert path.read_text(encoding="utf-8").splitlines() == [
        "| model | acc | IoU |",
        "| :--- | ---: | ---: |",
        "| plain | 0.9 | 0.070 ± 0.030 |",
        "| robust | 0.3 | 0.130 [0.100, 0.160] |",
        "| both | n/a | n/a |",
        "",
        "*synthetic data*",
    ]


def test_markdown_escapes_what_would_break_the_table(tmp_path):
    _, path = write_table(tmp_path / "t", ["a"], [["x|y\n<b>*"]])
    assert path.read_text().splitlines()[2] == r"| x\|y \<b>\* |"


def test_console_table_aligns_words_left_and_numbers_right():
    assert format_table(["name", "n"], [["a", 5], ["long name", 1000]]).splitlines() == [
        "name          n",
        "---------  ----",
        "a             5",
        "long name  1000",
    ]


def test_console_table_without_rows_is_its_head():
    assert format_table(["a", "bc"], []).splitlines() == ["a  bc", "-  --"]


def test_nothing_is_written_for_a_broken_table(tmp_path):
    with pytest.raises(InputError, match="row 0 needs one cell"):
        write_table(tmp_path / "t", COLUMNS, [["only one"]])
    assert list(tmp_path.iterdir()) == []
