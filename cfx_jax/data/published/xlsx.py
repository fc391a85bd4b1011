"""Reading the first sheet of an xlsx file (Excel from 2007 on, ECMA-376), which is a zip archive of XML files.

Text, numbers and the results of formulas are read; dates come as the numbers by which Excel stores them.
"""

import re
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

from cfx_jax.errors import InputError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def cells_of_xlsx(table: Path) -> list[list[str]]:
    """All values of the first sheet as text, row by row.

    Args:
        table: the file.

    Returns:
        Its rows from the first to the last that holds something, each up to its own last value; empty cells are "".

    Raises:
        InputError: the file is no xlsx file, or is damaged.
    """
    try:
        with zipfile.ZipFile(table) as archive:
            texts = _shared_texts(archive)
            rows = _parsed(archive, _first_sheet(archive)).iter(f"{_MAIN}row")
            return [_values(row, texts) for row in rows]
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, IndexError, ValueError, ElementTree.ParseError) as error:
        raise InputError(f"'{table}' cannot be read ({error}): download it again, or save it as a csv file") from error


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """The name of the first sheet's file."""
    sheet = next(_parsed(archive, "xl/workbook.xml").iter(f"{_MAIN}sheet"), None)
    for relation in _parsed(archive, "xl/_rels/workbook.xml.rels"):
        if sheet is not None and relation.get("Id") == sheet.get(_RELATED):
            target = relation.get("Target", "")
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise ValueError("it has no sheet")


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells name by number."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_text(each) for each in _parsed(archive, "xl/sharedStrings.xml").iter(f"{_MAIN}si")]


def _values(row: ElementTree.Element, texts: list[str]) -> list[str]:
    """A row's values; cells that are left out of the file are empty."""
    values: list[str] = []
    for cell in row.iter(f"{_MAIN}c"):
        column = _column(cell.get("r", "")) if cell.get("r") else len(values)
        values += [""] * (column - len(values))
        values.append(_value(cell, texts))
    return values


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell)
    stored = cell.findtext(f"{_MAIN}v", "")
    return texts[int(stored)] if cell.get("t") == "s" else stored


def _text(element: ElementTree.Element) -> str:
    """The text of an element, put together from its differently formatted parts, without phonetic hints."""
    hints = {part for hint in element.iter(f"{_MAIN}rPh") for part in hint.iter(f"{_MAIN}t")}
    return "".join(part.text or "" for part in element.iter(f"{_MAIN}t") if part not in hints)


def _column(place: str) -> int:
    """The number from 0 of a cell's column, from its place such as "AB12"."""
    letters = re.match("[A-Z]+", place)
    number = 0
    for letter in letters[0] if letters else "":
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(archive.read(name))
