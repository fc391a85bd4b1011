"""The file of what has been prepared of many photographs, one line for each that is finished."""

import csv
import io
import math
import os
from pathlib import Path
from typing import NamedTuple

from cfx_jax.data.fundus.pixels import Circle
from cfx_jax.errors import InputError
from cfx_jax.files import replacing, writing

_COLUMNS = ("name", "status", "reason", "x", "y", "radius")


class Outcome(NamedTuple):
    """The result of one photograph: its ``circle``, or the ``reason`` for which it was dropped."""

    name: str
    reason: str
    circle: Circle | None


class ProgressReport:
    """``report.csv`` in a folder: read at the start, then extended line by line.

    A line that a killed process left unfinished is taken away.

    Args:
        path: the file; it and its folder are made where they are missing.

    Attributes:
        outcomes: the outcome of each photograph so far, by name.

    Raises:
        InputError: the file is there and is no such report, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        written = path.read_bytes() if path.is_file() else b""
        # A line that was cut short may end in half of a character.
        lines = written[: written.rfind(b"\n") + 1] or _line(_COLUMNS).encode()
        self.outcomes = {outcome.name: outcome for outcome in _outcomes(path, lines)}
        if lines != written:
            with replacing(path) as temporary:
                temporary.write_bytes(lines)

    def add(self, outcome: Outcome) -> None:
        """Appends a line, which is on the disk when this returns."""
        numbers = [f"{number:.3f}" for number in outcome.circle] if outcome.circle else ["", "", ""]
        status = "ok" if outcome.circle else "dropped"
        with writing("the report", self._path, "free space there"), self._path.open("ab") as file:
            file.write(_line((outcome.name, status, outcome.reason, *numbers)).encode())
            file.flush()
            os.fsync(file.fileno())
        self.outcomes[outcome.name] = outcome


def _outcomes(path: Path, content: bytes) -> list[Outcome]:
    """Reads the lines of a report, which users may have edited.

    A byte order mark, CRLF and empty lines do not matter.
    """
    number = 1
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if tuple(next(lines, ())) != _COLUMNS:
            raise InputError(
                f"{path}: expected a report with the columns {','.join(_COLUMNS)}: choose another"
                " folder"
            )
        outcomes = []
        for line in filter(None, lines):
            number = lines.line_num
            outcomes.append(_outcome(line))
        return outcomes
    except (csv.Error, UnicodeDecodeError, _DamagedError) as error:
        raise InputError(
            f"{path}: line {number} or the one after it is damaged ({error}): take it out, and its"
            " photograph is prepared again"
        ) from error


class _DamagedError(Exception):
    """A line of a report that says nothing; the message says why."""


def _outcome(line: list[str]) -> Outcome:
    if len(line) != len(_COLUMNS):
        raise _DamagedError(f"{len(line)} columns instead of {len(_COLUMNS)}")
    name, status, reason, *numbers = line
    if status == "dropped":
        return Outcome(name, reason, None)
    if status != "ok":
        raise _DamagedError(f"its status is neither ok nor dropped but {status!r}")
    try:
        circle = Circle(*map(float, numbers))
    except ValueError as error:
        raise _DamagedError(str(error)) from error
    if not (all(map(math.isfinite, circle)) and circle.radius > 0):
        raise _DamagedError(f"{','.join(numbers)} is no circle")
    return Outcome(name, reason, circle)


def _line(values: tuple[str, ...]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(values)
    return stream.getvalue()
