"""The processes of one run: which of them this one is, and how all of them end.

A process that fails says why before it ends, and every other one ends too, see ``heartbeat``.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from cfx_jax.locks import release_all
from cfx_jax.parallel.coordination_service import FAILED
from cfx_jax.parallel.heartbeat import BEAT_S, SILENCE_S, Heartbeat

_BROKEN = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "onnection")
"""Words of errors that a lost process causes in the others."""


class Run(NamedTuple):
    """One process of a run of several.

    Attributes:
        client: the client of JAX's coordination service, whose store of keys and values all share.
        process: the number of this one, from 0.
        num_processes: how many there are, at least 2.
        numbers: the numbers of the agreements, the same in every process.
        heartbeat: looks after the others.
        close: ends the coordination service where this process has started it, ``DONE`` at once and
            ``FAILED`` when the others have heard of it.
    """

    client: Any
    process: int
    num_processes: int
    numbers: Iterator[int]
    heartbeat: Heartbeat
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
    """Whether this process is the only one of its run."""
    return this_run() is None


def is_first_process() -> bool:
    """Whether this process is the first of its run, the one that writes; True if alone."""
    run = this_run()
    return run is None or run.process == 0


def join_run(client: Any, index: int, num_processes: int, close: Callable[[str], None]) -> None:
    """Starts to look after the others, and makes a failure of this process known to them.

    Args:
        client: the client of the coordination service.
        index: the index of this process.
        num_processes: how many there are.
        close: as of ``Run``.
    """
    heartbeat = Heartbeat(client, index, num_processes, end=_exit)
    _runs.append(Run(client, index, num_processes, itertools.count(), heartbeat, close))
    hook = sys.excepthook

    def tell_others(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        wait_for_verdict(error)
        hook(kind, error, trace)
        first_line = (str(error).splitlines() or [""])[0]
        end_run(1, f"{kind.__name__}: {first_line}")

    sys.excepthook = tell_others
    heartbeat.start()


def end_run(status: int, reason: str) -> NoReturn:
    """Ends this process for a failure, and with it all others of its run, if there are any.

    Args:
        status: the status of the process's end.
        reason: the reason in one line, which the others print.
    """
    run = next(filter(None, _runs), None)
    if run is None:
        raise SystemExit(status)
    run.heartbeat.tell(reason)
    _exit(status)


def wait_for_verdict(error: BaseException) -> None:
    """Waits, where an error looks as if a process were lost, until it is known which one is lost.

    If one is, this process ends meanwhile. Otherwise the error is this process's own.

    Args:
        error: the exception of the main thread.
    """
    if this_run() is not None and any(word in str(error) for word in _BROKEN):
        time.sleep((SILENCE_S + 10) * BEAT_S)


def _exit(status: int) -> NoReturn:
    """Ends the process at once: JAX would wait for the others, who may never come."""
    sys.stdout.flush()
    sys.stderr.flush()
    release_all()
    for run in filter(None, _runs):
        run.close(FAILED)
    os._exit(status)
