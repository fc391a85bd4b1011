"""The stages of an experiment: their plan before it starts, and a bar while it runs.

The times are kept in the work folder by the configuration, with the folders in which each stage
keeps its results. A stage whose folders are all there is read, and takes seconds.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.costs import describe_stage, describe_time
from cfx_jax.errors import InputError
from cfx_jax.files import read_json, write_text
from cfx_jax.parallel import is_first_process

_READ_S = 5.0
"""Seconds that a stage is expected to take whose results are there."""


class Took(NamedTuple):
    """A stage of an earlier run.

    Attributes:
        seconds: the seconds that the stage took when its results were computed.
        folders: names of the folders of its results.
    """

    seconds: float
    folders: list[str]


class Stages:
    """The stages of one run, in their order.

    Args:
        names: the names of the stages.
        folder: the folder of the experiment's work.
        identity: a digest of the configuration, which names the file of its times.
    """

    def __init__(self, names: Sequence[str], folder: Path, identity: str) -> None:
        self._names, self._folder = list(names), folder
        self._path = folder / f".stages-{identity}.json"
        self._before = _read(self._path)
        self._took = dict(self._before)
        self._now: str | None = None
        self._begun = self._start = time.monotonic()
        self._is_read, self._folders = False, list[str]()

    def plan(self) -> str:
        """The stages ahead in words: which are stored, and how long the others took before."""
        told = [
            f"{name} (stored)" if self._is_stored(name) else f"{name}{self._time_before(name)}"
            for name in self._names
        ]
        ahead = self._seconds_from(self._names[0])
        time_ahead = "each training and search tells its time when its first steps are measured"
        if ahead is not None:
            time_ahead = f"{describe_time(ahead)} in all"
        return f"{len(self._names)} stages: {', '.join(told)}; {time_ahead}"

    def begin(self, name: str) -> None:
        """Ends the stage before, and prints which one begins, and the time so far and ahead.

        Args:
            name: the name of the stage.
        """
        self.end()
        self._now, self._begun, self._folders = name, time.monotonic(), []
        self._is_read = self._is_stored(name)
        stored = " (stored)" if self._is_read else ""
        print(f"{describe_stage(name, self._names)}{stored}{self._times(name)}", flush=True)

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

    def _times(self, name: str) -> str:
        """The time so far and the time from a stage on, in words, as far as they are known."""
        ahead, times = self._seconds_from(name), []
        if name != self._names[0]:
            times.append(f"{describe_time(self._begun - self._start)} so far")
        if ahead is not None:
            times.append(f"{describe_time(ahead)} ahead")
        return f"; {', '.join(times)}" if times else ""

    def _seconds_from(self, first: str) -> float | None:
        """The seconds that a stage and those after it take; None where there was no earlier run."""
        names = self._names[self._names.index(first) :]
        missing = [name for name in names if not self._is_stored(name)]
        if any(name not in self._before for name in missing):
            return None
        computed = sum(self._before[name].seconds for name in missing)
        return computed + _READ_S * (len(names) - len(missing))

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
