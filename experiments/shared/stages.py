"""The stages of an experiment: their plan before it starts, and a bar while it runs.

The times are kept in the work folder by the configuration, with the folders in which each stage
keeps its results. A stage whose folders are all there is read, and takes seconds.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.errors import InputError
from cfx_jax.files import read_json, write_text
from cfx_jax.parallel import is_first_process
from cfx_jax.training import describe_time

_READ_S = 5.0
"""Seconds that a stage is expected to take whose results are there."""
_BAR = 20


class Took(NamedTuple):
    """A stage of an earlier run.

    Attributes:
        seconds: that it took when its results were computed.
        folders: names of the folders of its results.
    """

    seconds: float
    folders: list[str]


class Stages:
    """The stages of one run, in their order.

    Args:
        names: of the stages.
        folder: of the experiment's work.
        identity: a digest of the configuration, which names the file of its times.
    """

    def __init__(self, names: Sequence[str], folder: Path, identity: str) -> None:
        self._names, self._folder = list(names), folder
        self._path = folder / f".stages-{identity}.json"
        self._before = _read(self._path)
        self._took = dict(self._before)
        self._now: str | None = None
        self._begun = time.monotonic()
        self._is_read, self._folders = False, list[str]()

    def plan(self) -> str:
        """The stages ahead in words: which are stored, and how long the others took before."""
        told = [
            f"{name} (stored)" if self._is_stored(name) else f"{name}{self._time_before(name)}"
            for name in self._names
        ]
        missing = [name for name in self._names if not self._is_stored(name)]
        known = [self._before[name].seconds for name in missing if name in self._before]
        read = _READ_S * (len(self._names) - len(missing))
        ahead = "the time is told when the first steps are measured"
        if len(known) == len(missing):
            ahead = f"{describe_time(sum(known) + read)} in all"
        return f"{len(self._names)} stages: {', '.join(told)}; {ahead}"

    def begin(self, name: str) -> None:
        """Ends the stage before, and prints which one begins.

        Args:
            name: one of the stages.
        """
        self.end()
        self._now, self._begun, self._folders = name, time.monotonic(), []
        self._is_read = self._is_stored(name)
        number = self._names.index(name) + 1
        done = _BAR * (number - 1) // len(self._names)
        stored = " (stored)" if self._is_read else ""
        bar = f"[{'#' * done}{'-' * (_BAR - done)}]"
        print(f"{bar} stage {number} of {len(self._names)}: {name}{stored}", flush=True)

    def note(self, folder: str) -> None:
        """Takes down that the present stage keeps results in a folder.

        Args:
            folder: its name in the work folder.
        """
        if folder not in self._folders:
            self._folders.append(folder)

    def end(self) -> None:
        """Ends the present stage, if there is one, and keeps its time."""
        if self._now is None:
            return
        seconds = time.monotonic() - self._begun
        if self._is_read:  # keep the time that the computation took
            seconds = self._before[self._now].seconds
        self._took[self._now] = Took(seconds, self._folders)
        self._now = None
        if is_first_process():
            write_text(self._path, json.dumps(self._took))

    def _is_stored(self, name: str) -> bool:
        folders = self._before[name].folders if name in self._before else []
        return bool(folders) and all((self._folder / folder).exists() for folder in folders)

    def _time_before(self, name: str) -> str:
        took = self._before.get(name)
        return "" if took is None else f" ({describe_time(took.seconds)} before)"


def _read(path: Path) -> dict[str, Took]:
    """The stages of an earlier run of this configuration; none from a file that is damaged."""
    if not path.is_file():
        return {}
    try:
        stored: dict[str, Any] = read_json(path, advice="")
        return {
            name: Took(float(seconds), [str(folder) for folder in folders])
            for name, (seconds, folders) in stored.items()
        }
    except (InputError, ValueError, TypeError):
        return {}
