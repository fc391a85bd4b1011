"""The file that tells how far the preparation of many photographs has come: one line for each that is finished."""

import csv
import io
import os
from pathlib import Path
from typing import NamedTuple

from cfx_jax.data.fundus.pixels import Circle
from cfx_jax.errors import InputError
from cfx_jax.files import replacing, writing

_COLUMNS = ("name", "status", "reason", "x", "y", "radius")


class Outcome(NamedTuple):
    """What became of one photograph: its ``circle``, or the ``reason`` for which it was dropped."""

    name: str
    reason: str
    circle: Circle | None


class ProgressReport:
    """``report.csv`` in a folder: read at the start, then extended line by line.

    A line that a killed process left unfinished is taken away.

    Args:
        path: the file; it and its folder are made where they are missing.

    Attributes:
        outcomes: what became of each photograph so far, by name.

    Raises:
        InputError: the file is there and is no such report, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        written = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
        whole = written[: written.rfind("\n") + 1] or _line(_COLUMNS)
        lines = list(csv.DictReader(io.StringIO(whole)))
        if not whole.startswith(_line(_COLUMNS)):
            raise InputError(f"{path}: expected a report with the columns {','.join(_COLUMNS)}: choose another folder")
        self.outcomes = {line["name"]: _outcome(line) for line in lines}
        if whole != written:
            with replacing(path) as temporary:
                temporary.write_bytes(whole.encode())

    def add(self, outcome: Outcome) -> None:
        """Appends a line, which is on the disk when this returns."""
        numbers = [f"{number:.3f}" for number in outcome.circle] if outcome.circle else ["", "", ""]
        status = "ok" if outcome.circle else "dropped"
        with writing("the report", self._path, "free space there"), self._path.open("ab") as file:
            file.write(_line((outcome.name, status, outcome.reason, *numbers)).encode())
            file.flush()
            os.fsync(file.fileno())
        self.outcomes[outcome.name] = outcome


def _outcome(line: dict[str, str]) -> Outcome:
    kept = line["status"] == "ok"
    circle = Circle(*(float(line[number]) for number in ("x", "y", "radius"))) if kept else None
    return Outcome(line["name"], line["reason"], circle)


def _line(values: tuple[str, ...]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(values)
    return stream.getvalue()
