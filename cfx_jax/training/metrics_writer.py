"""The metrics of a training: one JSON line per logged step, and the same numbers for TensorBoard.

``metrics.jsonl`` holds nothing that differs between two runs of the same training (no times), and
lines after the step at which a stopped training goes on are dropped, so a resumed training leaves
the same file as an uninterrupted one. TensorBoard's files are written in this process, without
tensorboardX's background thread: a full disk is noticed.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jax

from cfx_jax.errors import import_extra
from cfx_jax.files import parse_json, write_text, writing

_ADVICE = "free some space and start again"


class MetricsWriter:
    """The metrics of one training, kept and, in the first process, written.

    Use it in a ``with`` statement.

    Args:
        workdir: an existing folder.
        step: the step at which the training starts or goes on; lines after it are dropped at the
            first new one.

    Attributes:
        history: one dictionary per line, ``step`` and the metrics; values that are not finite come
            back as NaN.
    """

    def __init__(self, workdir: str | Path, *, step: int = 0) -> None:
        self._path, self._step = Path(workdir) / "metrics.jsonl", step
        self.history = _read_lines(self._path, step)
        self._file: Any = None
        self._events: Any = None

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds a line of metrics.

        Args:
            step: number of steps done.
            metrics: values by name.

        Raises:
            InputError: the disk is full.
        """
        line = {"step": step, **metrics}
        if jax.process_index() == 0:
            with writing("the metrics", self._path, _ADVICE):
                self._open()
                self._file.write(_to_line(line))
                self._file.flush()
                _add_events(self._events, step, metrics)
        self.history.append(line)

    def sync(self) -> None:
        """Makes the lines durable; called before a checkpoint, which relies on them.

        Raises:
            InputError: the disk is full.
        """
        if self._file is not None:
            with writing("the metrics", self._path, _ADVICE):
                os.fsync(self._file.fileno())

    def _open(self) -> None:
        if self._file is None:
            write_text(self._path, "".join(map(_to_line, self.history)), durable=True)
            self._events = _open_events(self._path.with_name("tensorboard"), self._step)
            self._file = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the files; every line has been flushed before."""
        del kind, error, trace
        for file in (self._file, self._events):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


def _read_lines(path: Path, last_step: int) -> list[dict[str, Any]]:
    """Reads the lines up to a step.

    A line that a stop has cut short is later than the last checkpoint, and is dropped too.
    """
    if not path.is_file():
        return []
    lines = map(_from_line, path.read_text(encoding="utf-8", errors="replace").splitlines())
    return [line for line in lines if line and line["step"] <= last_step]


def _from_line(text: str) -> dict[str, Any]:
    """Reads the numbers of a line; none from a damaged line."""
    try:
        line = parse_json(text)
    except ValueError:
        return {}
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        return {}
    if not all(value is None or type(value) in (int, float) for value in line.values()):
        return {}
    return {name: math.nan if value is None else value for name, value in line.items()}


def _to_line(line: Mapping[str, float]) -> str:
    """Writes a line of JSON, which has no NaN and no infinity: both become null."""
    return (
        json.dumps({name: value if math.isfinite(value) else None for name, value in line.items()})
        + "\n"
    )


def _open_events(folder: Path, step: int) -> Any:
    """Opens an event file that makes TensorBoard forget what earlier files hold after ``step``."""
    folder.mkdir(exist_ok=True)
    files = import_extra("tensorboardX.event_file_writer", "TensorBoard files")
    proto = import_extra("tensorboardX.proto.event_pb2", "TensorBoard files")
    events = files.EventsWriter(str(folder / "events"), f".from_step_{step}")
    start = proto.SessionLog(status=proto.SessionLog.START)
    events.write_event(proto.Event(wall_time=time.time(), step=step + 1, session_log=start))
    return events


def _add_events(events: Any, step: int, metrics: Mapping[str, float]) -> None:
    proto = import_extra("tensorboardX.proto.event_pb2", "TensorBoard files")
    summary = import_extra("tensorboardX.summary", "TensorBoard files")
    for name, value in metrics.items():
        scalar = summary.scalar(name, value)
        events.write_event(proto.Event(wall_time=time.time(), step=step, summary=scalar))
    events.flush()
