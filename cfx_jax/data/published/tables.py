"""Reading the label tables of the data sets."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from cfx_jax.errors import InputError, import_extra


def read_rows(table: Path, columns: Sequence[str], *, page: str) -> Iterator[dict[str, str]]:
    """The rows of a table of labels.

    Args:
        table: a csv file, or an xls or xlsx file of Excel, of which the first sheet is read. The first row
            names the columns; blanks around names and values do not count.
        columns: names of the columns that are needed.
        page: where the table can be downloaded.

    Returns:
        For one row after the other, column -> value as text; empty rows are skipped.

    Raises:
        InputError: the table is missing or damaged, or lacks a column.
    """
    if not table.is_file():
        raise InputError(f"expected the labels in '{table}', which does not exist: download them from {page}")
    header, *rows = [[value.strip() for value in row] for row in _cells(table)] or [[]]
    missing = [column for column in columns if column not in header]
    if missing:
        raise InputError(
            f"'{table}': expected the columns {', '.join(columns)}, got {', '.join(header)}: download it from {page}"
        )
    return (dict(zip_longest(header, row[: len(header)], fillvalue="")) for row in rows if any(row))


def whole_number(row: dict[str, str], column: str, *, highest: int, table: Path) -> int:
    """A value of 0 to ``highest`` from a row; Excel's numbers, e.g. "2.0", are understood.

    Args:
        row: column -> value as text, see ``read_rows``.
        column: the value's column.
        highest: the largest value that is expected.
        table: the file, for the message.

    Returns:
        The value.

    Raises:
        InputError: the value is another, or none.
    """
    text = row[column]
    values = {form: value for value in range(highest + 1) for form in (f"{value}", f"{value}.0")}
    if text not in values:
        raise InputError(
            f"'{table}': expected {column} to be in 0..{highest}, got '{text}' in the row "
            f"{','.join(row.values())}: correct the row or remove it"
        )
    return values[text]


def _cells(table: Path) -> list[list[str]]:
    """All values as text, row by row."""
    if table.suffix.lower() == ".xls":
        return _cells_of_xls(table)
    if table.suffix.lower() == ".xlsx":
        return _cells_of_xlsx(table)
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.reader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{table}' is no csv file in UTF-8 ({error}): save it as one") from error


def _cells_of_xls(table: Path) -> list[list[str]]:
    xlrd = import_extra("xlrd", "reading xls files")
    try:
        with xlrd.open_workbook(table) as book:
            sheet = book.sheet_by_index(0)
            return [[str(value) for value in sheet.row_values(row)] for row in range(sheet.nrows)]
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError) as error:
        raise InputError(f"'{table}' cannot be read ({error}): download it again, or save it as a csv file") from error


def _cells_of_xlsx(table: Path) -> list[list[str]]:
    """Each row up to its last value; of a formula, the value that Excel stored."""
    openpyxl = import_extra("openpyxl", "reading xlsx files")
    try:
        with (
            table.open("rb") as stream,
            closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)) as book,
        ):
            if not book.worksheets:
                raise ValueError("it has no sheet")
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what a file says of its sheet's size may be wrong, and would cut it
            return [["" if value is None else str(value) for value in row] for row in sheet.values]
    except Exception as error:  # damaged bytes make openpyxl raise errors of many kinds
        raise InputError(f"'{table}' cannot be read ({error}): download it again, or save it as a csv file") from error
