"""Reading the label tables of published sets."""

import csv
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from cfx_jax.data.user_files import DamagedFile, check_unpacked, damage, is_regular
from cfx_jax.errors import InputError, import_extra

# CheXpert, the largest table read here, has 223,414 rows and 4 million cells.
_MOST_ROWS, _MOST_CELLS = 2**20, 2**24


def read_rows(table: Path, columns: Sequence[str], *, page: str) -> Iterator[dict[str, str]]:
    """The rows of a table of labels.

    Args:
        table: a csv file, or the first sheet of an xls or xlsx file of Excel. The first row names
            the columns; blanks around names and values do not count.
        columns: names of the columns that are needed.
        page: the address from which the table is downloaded.

    Returns:
        For one row after the other, column -> value as text; empty rows are skipped.

    Raises:
        InputError: the table is missing or damaged, or lacks a column.
    """
    if not is_regular(table):
        raise InputError(
            f"expected the labels in '{table}', which does not exist: download them from {page}"
        )
    header, *rows = [[value.strip() for value in row] for row in _read_table(table)] or [[]]
    missing = [column for column in columns if column not in header]
    if missing:
        raise InputError(
            f"'{table}': expected the columns {', '.join(columns)}, got {', '.join(header)}:"
            f" download it from {page}"
        )
    return (dict(zip_longest(header, row[: len(header)], fillvalue="")) for row in rows if any(row))


def whole_number(row: Mapping[str, str], column: str, *, highest: int, table: Path) -> int:
    """A value of 0 to ``highest`` from a row; Excel's numbers, e.g. "2.0", are understood.

    Raises:
        InputError: the text is empty or is no number of 0 to ``highest``; the message names the
            table.
    """
    text = row[column]
    values = {form: value for value in range(highest + 1) for form in (f"{value}", f"{value}.0")}
    if text not in values:
        raise InputError(
            f"'{table}': expected {column} to be in 0..{highest}, got '{text}' in the row"
            f" {','.join(row.values())}: correct the row or remove it"
        )
    return values[text]


def one_of(
    row: Mapping[str, str], column: str, values: Iterable[str], *, table: Path, key: str
) -> str:
    """A value from a row that must be one of those given.

    Raises:
        InputError: the value is not among ``values``; the message names the table, and the row by
            the column ``key``.
    """
    if row[column] not in values:
        expected = ", ".join(value or "nothing" for value in values)
        raise InputError(
            f"'{table}': expected {column} to be one of {expected}, got '{row[column]}' for"
            f" '{row[key]}': correct the row"
        )
    return row[column]


def _read_table(table: Path) -> list[list[str]]:
    """All values as text, row by row."""
    suffix = table.suffix.lower()

    def refusal(reason: str) -> InputError:
        if suffix in (".xls", ".xlsx"):
            return InputError(
                f"'{table}' cannot be read ({reason}): download it again, or save it as a csv file"
            )
        return InputError(f"'{table}' is no csv file in UTF-8 ({reason}): save it as one")

    read = {".xls": _rows_of_xls, ".xlsx": _rows_of_xlsx}.get(suffix, _rows_of_csv)
    with damage(lambda reason: InputError(f"'{table}' {reason}")):
        check_unpacked(table.stat().st_size)
    with damage(refusal):
        return _as_text_within_limits(read(table), table)


def _as_text_within_limits(rows: Iterable[Sequence[object]], table: Path) -> list[list[str]]:
    """All values as text, row by row; a value that is missing is empty.

    Raises:
        InputError: there are more rows or cells than a table of labels can have. A few bytes can
            place a value in a row or a column far away, and those between are filled up.
    """
    kept, num_cells = list[list[str]](), 0
    for number, row in enumerate(rows):
        num_cells += len(row)
        if number >= _MOST_ROWS or num_cells > _MOST_CELLS:
            raise InputError(
                f"'{table}': expected at most {_MOST_ROWS:,} rows and {_MOST_CELLS:,} cells, got"
                " more: is it the table of labels?"
            )
        kept.append(["" if value is None else str(value) for value in row])
    return kept


def _rows_of_csv(table: Path) -> Iterator[list[str]]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.reader(lines)


def _rows_of_xls(table: Path) -> Iterator[list[object]]:
    xlrd = import_extra("xlrd", "reading xls files")
    with open(os.devnull, "w") as silent, xlrd.open_workbook(table, logfile=silent) as book:
        sheet = book.sheet_by_index(0)
        for row in range(sheet.nrows):
            yield sheet.row_values(row)


def _rows_of_xlsx(table: Path) -> Iterator[Sequence[object]]:
    """Each row up to its last value; of a formula, the value that Excel stored."""
    openpyxl = import_extra("openpyxl", "reading xlsx files")
    with table.open("rb") as stream:
        with zipfile.ZipFile(stream) as archive:
            check_unpacked(sum(member.file_size for member in archive.infolist()))
        with closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)) as book:
            if not book.worksheets:
                raise DamagedFile("it has no sheet")
            sheet = book.worksheets[0]
            # what a file says of its sheet's size may be wrong, and would cut it
            sheet.reset_dimensions()
            yield from sheet.values
