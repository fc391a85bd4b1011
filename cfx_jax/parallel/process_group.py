"""The run that this process shares with others: who is alive, and how all of them end.

A thread of each process says once a second that it is alive, through the coordination service of
JAX. The first process looks at all the others, and these look at the first. A process that fails
says why before it ends, and one that is silent for half a minute is taken for lost; in both cases
every other process prints one line and ends. The thread does so while the main thread waits in a
computation that would never end.
"""

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

import jax

from cfx_jax.locks import release_all
from cfx_jax.parallel.coordination_service import FAILED

BEAT_S = 1.0
SILENCE_S = 30
"""Seconds of silence after which a process is taken for lost."""
LOST_STATUS = 75
"""The exit status of a process that ends since another one is lost: try again."""

_BEATS, _END, _LEFT = "cfx/beats", "cfx/end", "left"
_BROKEN = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "onnection")
"""Words of errors that a lost process causes in the others."""


class Run(NamedTuple):
    """One process of a run of several.

    Attributes:
        client: of JAX's coordination service, whose store of keys and values all share.
        process: the number of this one, from 0.
        num_processes: how many there are, at least 2.
        numbers: of the agreements, the same in every process.
        watch: looks after the others.
        close: ends the coordination service where this process has started it, ``DONE`` at once and
            ``FAILED`` when the others have heard of it.
    """

    client: Any
    process: int
    num_processes: int
    numbers: Iterator[int]
    watch: "Watch"
    close: Callable[[str], None]


_runs: list[Run | None] = []


def this_run() -> Run | None:
    """The run of several processes to which this one belongs; None where it is alone."""
    return _runs[-1] if _runs else None


@contextmanager
def acting_alone() -> Iterator[None]:
    """Lets this process decide and write as one that is alone, while the others wait."""
    _runs.append(None)
    try:
        yield
    finally:
        _runs.pop()


def is_alone() -> bool:
    """Tells whether this process is the only one of its run."""
    return this_run() is None


def is_first_process() -> bool:
    """Tells whether this process is the first of its run, the one that writes; True if alone."""
    run = this_run()
    return run is None or run.process == 0


def join_run(client: Any, index: int, num_processes: int, close: Callable[[str], None]) -> None:
    """Starts to look after the others, and makes a failure of this process known to them.

    Args:
        client: of the coordination service.
        index: of this process.
        num_processes: how many there are.
        close: as of ``Run``.
    """
    watch = Watch(client, index, num_processes)
    _runs.append(Run(client, index, num_processes, itertools.count(), watch, close))
    hook = sys.excepthook

    def tell_others(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        wait_for_verdict(error)
        hook(kind, error, trace)
        first_line = (str(error).splitlines() or [""])[0]
        end_run(1, f"{kind.__name__}: {first_line}")

    sys.excepthook = tell_others
    watch.start()


def end_run(status: int, reason: str) -> NoReturn:
    """Ends this process for a failure, and with it all others of its run, if there are any.

    Args:
        status: of the process's end.
        reason: in one line, for the others to print.
    """
    run = next(filter(None, _runs), None)
    if run is None:
        raise SystemExit(status)
    run.watch.tell(reason)
    _exit(status)


def wait_for_verdict(error: BaseException) -> None:
    """Waits, where an error looks like that of a lost process, until it is known which one it is.

    If one is, this process ends meanwhile. Otherwise the error is this process's own.

    Args:
        error: what the main thread has met.
    """
    if this_run() is not None and any(word in str(error) for word in _BROKEN):
        time.sleep((SILENCE_S + 10) * BEAT_S)


class Watch:
    """The thread that says that this process is alive, and ends it when another one is lost."""

    def __init__(self, client: Any, index: int, num_processes: int) -> None:
        self._client, self._index, self._num_processes = client, index, num_processes
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looks after the run", daemon=True)
        self._silent: dict[int, tuple[str, int]] = {}

    def start(self) -> None:
        """Starts to look after the others, once a second."""
        self._thread.start()

    def tell(self, reason: str) -> None:
        """Makes known to the others that this process ends, and why."""
        self._stopped.set()
        self._post(f"process {self._index} of {self._num_processes} has ended ({reason})")

    def stop(self) -> None:
        """Ends the thread, when all have come to their end."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        unheard = 0
        for number in itertools.count():
            if self._stopped.wait(BEAT_S):
                return
            try:
                self._client.key_value_set(f"{_BEATS}/{self._index}/now", str(number), True)
                reason = self._reason()
                unheard = 0
            except jax.errors.JaxRuntimeError:
                unheard += 1
                reason = None
                if unheard * BEAT_S > SILENCE_S:
                    reason = f"the host of process 0 has not answered for {SILENCE_S} s"
            if reason is not None and not self._stopped.is_set():
                print(f"stopped: {reason}: start the same command again to go on", file=sys.stderr)
                _exit(LOST_STATUS)

    def _reason(self) -> str | None:
        """The reason for which this process must end, None where all is well."""
        posted = self._client.key_value_dir_get(_END)
        if posted:
            return str(posted[0][1])
        lost = self._lost()
        if lost is None:
            return None
        reason = (
            f"process {lost} of {self._num_processes} has not answered for {SILENCE_S} s and is"
            " taken for lost"
        )
        self._post(reason)
        return reason

    def _lost(self) -> int | None:
        """The number of a process that has been silent for too long.

        Time is counted in this thread's own beats, so that a process that was held up itself
        accuses no other.
        """
        folder = _BEATS if self._index == 0 else f"{_BEATS}/0"
        heard = {
            int(name.split("/")[-2]): value
            for name, value in self._client.key_value_dir_get(folder)
        }
        for index in range(self._num_processes) if self._index == 0 else (0,):
            value = heard.get(index, "")
            before, beats = self._silent.get(index, (value, 0))
            beats = beats + 1 if value == before else 0
            self._silent[index] = value, beats
            if beats * BEAT_S >= SILENCE_S:
                return index
        return None

    def _post(self, reason: str) -> None:
        # Another process may have been quicker, or nobody is there to hear it.
        with suppress(jax.errors.JaxRuntimeError):
            self._client.key_value_set(f"{_END}/reason", reason)


def _exit(status: int) -> NoReturn:
    """Ends the process at once: JAX would wait for the others, who may never come."""
    sys.stdout.flush()
    sys.stderr.flush()
    release_all()
    for run in filter(None, _runs):
        run.close(FAILED)
    os._exit(status)
