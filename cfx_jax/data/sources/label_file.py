"""A table of images: a CSV file with a path in each line, and what is known of the image.

Columns, in any order and letters of any case: ``path``, and optionally ``label``, ``group``,
``split`` and ``mask``. Paths are relative to the file; backslashes may separate their parts.
Columns are separated by commas, semicolons or tabs.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from os.path import normpath
from pathlib import Path
from typing import NamedTuple

from cfx_jax.data.sources.file_listing import Entry, StoredFile
from cfx_jax.data.user_files import DamagedFile, is_regular, read_file, shown_name
from cfx_jax.errors import InputError

COLUMNS = ("path", "label", "group", "split", "mask")


class LabelFile(NamedTuple):
    """The lines of a table whose files are there.

    Attributes:
        entries: one for each, in the order of the lines.
        skipped: a line for each file that is not used: its name and the reason.
        note: a sentence on files that are missing; empty where none is.
        has_masks: whether there is a column of masks.
    """

    entries: list[Entry]
    skipped: list[str]
    note: str
    has_masks: bool


def read_label_file(path: Path, *, group_column: str | None = None) -> LabelFile:
    """Reads a table of images.

    Args:
        path: the CSV file.
        group_column: the column of the groups; None for ``group``, if there is one.

    Returns:
        Its lines. An image that is missing or listed before is skipped.

    Raises:
        InputError: there is no such file, it is no text in UTF-8 or has no lines, a column is
            missing, or no image of it is there.
    """
    shown = shown_name(str(path))
    header, rows = _rows(path, shown)
    columns = _columns(header, group_column or "group", shown, needed=group_column is not None)
    entries, skipped, seen = list[Entry](), list[str](), set[str]()
    missing = list[str]()
    for row in rows:
        cells = {name: row[place].strip() for name, place in columns.items() if place < len(row)}
        cells |= {
            name: _found(path.parent, cells[name]) for name in ("path", "mask") if cells.get(name)
        }
        name = cells.get("path", "")
        if not name:
            skipped.append(f"{shown}: a line without a path")
        elif normpath(name) in seen:
            skipped.append(f"{name}: listed before")
        elif not is_regular(path.parent / name):
            missing.append(name)
            skipped.append(f"{name}: no such file")
        else:
            entries.append(_entry(path, cells))
        seen.add(normpath(name))
    note = _missing_note(missing, len(rows), shown)
    if not entries:
        raise InputError(
            f"images: {note or f'{shown} lists no images'}: paths are relative to the folder of"
            " that file"
        )
    return LabelFile(entries, skipped, f"{note}." if note else "", "mask" in columns)


def _rows(path: Path, shown: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the cells of each line that is not empty."""
    if not is_regular(path):
        raise InputError(
            f"images: expected a CSV file, found none at '{shown}': check the spelling"
        )
    try:
        text = read_file(path).decode("utf-8-sig")
        stream = io.StringIO(text, newline=None)  # lines may end as on Windows or old Macs
        separator = max(",;\t", key=stream.readline().count)
        stream.seek(0)
        lines = [row for row in csv.reader(stream, delimiter=separator) if any(row)]
    except (DamagedFile, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"images: expected '{shown}' to be a CSV file in UTF-8: {error}"
        ) from error
    if len(lines) < 2:
        raise InputError(
            f"images: expected '{shown}' to have a line of names ({', '.join(COLUMNS)}) and one for"
            f" each image, got {len(lines)} lines"
        )
    return lines[0], lines[1:]


def _columns(header: Sequence[str], group: str, shown: str, *, needed: bool) -> Mapping[str, int]:
    """The place of each column that is there."""
    places = {name.strip().casefold(): place for place, name in reversed([*enumerate(header)])}
    wanted = {name: group if name == "group" else name for name in COLUMNS}
    for name in ("path", *(["group"] if needed else [])):
        if wanted[name].casefold() not in places:
            raise InputError(
                f"images: expected a column '{wanted[name]}' in '{shown}', found"
                f" {', '.join(shown_name(column) for column in header)}: name it so in its first"
                " line"
            )
    return {
        name: places[column.casefold()]
        for name, column in wanted.items()
        if column.casefold() in places
    }


def _entry(table: Path, cells: Mapping[str, str]) -> Entry:
    mask, folder = cells.get("mask"), table.parent
    return Entry(
        StoredFile(folder / cells["path"]),
        table,
        Path(cells["path"]).parent.parts,
        label=cells.get("label") or None,
        group=cells.get("group") or None,
        split=cells.get("split") or None,
        mask=StoredFile(folder / mask) if mask else None,
    )


def _found(folder: Path, name: str) -> str:
    """A path as a table writes it, with slashes where it is found only so, as of Windows."""
    slashed = name.replace("\\", "/")
    return name if is_regular(folder / name) or not is_regular(folder / slashed) else slashed


def _missing_note(missing: Sequence[str], total: int, shown: str) -> str:
    if not missing:
        return ""
    first = shown_name(missing[0])
    return f"{len(missing)} of {total} images of {shown} do not exist, the first '{first}'"
