"""Tables of results, as CSV for machines and as Markdown and text for readers.

CSV has full precision. Cells follow ``cfx_jax.report.table_cells``. In the CSV file their parts get
columns of their own: ``iou``, ``iou_std``, ``iou_low``, ``iou_high``.
"""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.checks import check_text
from cfx_jax.files import as_path, write_text
from cfx_jax.report.table_cells import (
    DEFAULT_DIGITS,
    Digits,
    format_cells,
    numbers,
    numeric_columns,
)

_PARTS = {1: ("",), 2: ("", "_std"), 3: ("", "_low", "_high")}


def write_table(
    path_stem: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    digits: Digits = DEFAULT_DIGITS,
    note: str = "",
) -> tuple[Path, Path]:
    """Writes a table as ``path_stem.csv`` and ``path_stem.md``.

    Args:
        path_stem: the files' common path without ending; each is written in one move.
        columns: names of the columns, all different.
        rows: one cell per column in each.
        digits: decimals in the Markdown file, one number or one per column name (3 for columns not
            named).
        note: a line below the Markdown table, such as "synthetic data". A CSV file has no place for
            it: name synthetic data in the file's name or in a column.

    Returns:
        The paths of the CSV and of the Markdown file.

    Raises:
        InputError: rows and columns do not match, a cell is none of the kinds above, or a file
            cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     csv_path, _ = write_table(f"{folder}/iou", ["method", "iou"], [["VCE", (0.5, 0.1)]])
    ...     csv_path.read_text().splitlines()
    ['method,iou,iou_std', 'VCE,0.5,0.1']
    """
    stem = as_path(path_stem, name="path_stem")
    check_text(note, name="note", or_none=True)
    table = markdown_table(columns, rows, digits=digits)
    footer = f"\n*{_markdown(note)}*\n" if note else ""
    written = write_text(f"{stem}.csv", _csv_text(columns, rows))
    return written, write_text(f"{stem}.md", table + footer)


def markdown_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, digits: Digits = DEFAULT_DIGITS
) -> str:
    """Formats a table as Markdown, in which no cell is read as markup.

    Args:
        columns: names of the columns, all different.
        rows: one cell per column in each.
        digits: decimals, one number or one per column name.

    Returns:
        The lines, each with a line break at its end.

    Raises:
        InputError: rows and columns do not match, or a cell is none of the kinds above.

    >>> print(markdown_table(["method", "IoU"], [["VCE", 0.5]]), end="")
    | method | IoU |
    | :--- | ---: |
    | VCE | 0.500 |
    """
    cells = format_cells(columns, rows, digits=digits)
    rule = ["---:" if right else ":---" for right in numeric_columns(columns, rows)]
    head, *body = [[_markdown(cell) for cell in row] for row in [list(columns), *cells]]
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, rule, *body])


def format_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, digits: Digits = DEFAULT_DIGITS
) -> str:
    """Formats a table as aligned text for the console.

    Strings stand to the left, numbers to the right.

    Args:
        columns: names of the columns, all different.
        rows: one cell per column in each.
        digits: decimals, one number or one per column name.

    Returns:
        The lines, joined by line breaks, without one at the end.

    Raises:
        InputError: rows and columns do not match, or a cell is none of the kinds above.

    >>> print(format_table(["method", "IoU"], [["VCE", 0.5]]))
    method    IoU
    ------  -----
    VCE     0.500
    """
    formatted = format_cells(columns, rows, digits=digits)
    cells = [list(columns), *formatted]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    right = numeric_columns(columns, rows)
    lines = [_align(row, widths, right) for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _align(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = [
        cell.rjust(width) if flag else cell.ljust(width)
        for cell, width, flag in zip(row, widths, right, strict=True)
    ]
    return "  ".join(cells)


def _markdown(text: str) -> str:
    """Escapes the characters that would end a cell or begin markup."""
    for character in "\\|*_`<":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    split = [[_csv_parts(cell) for cell in row] for row in rows]
    names = [
        (i, part) for i in range(len(columns)) for part in _column_parts([row[i] for row in split])
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([columns[i] + part for i, part in names])
    writer.writerows([[row[i].get(part, "") for i, part in names] for row in split])
    return text.getvalue()


def _column_parts(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(["", *(part for cell in cells for part in cell)]))


def _csv_parts(cell: Any) -> dict[str, Any]:
    """Returns the parts of a cell by the ending of their column; an unmeasured part stays empty."""
    if cell is None or isinstance(cell, str | bool | np.bool_):
        return {"": "" if cell is None else cell}
    parts = numbers(cell)
    values = [part if isinstance(part, int | np.integer) else float(part) for part in parts]
    return dict(
        zip(_PARTS[len(parts)], ["" if value != value else value for value in values], strict=True)
    )
