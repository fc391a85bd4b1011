"""Processes: their identity, whether one has ended, and children that end with their parent."""

import hashlib
import multiprocessing
import os
import socket
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START, _STATE = 19, 0  # fields of /proc/PID/stat after the program's name
_GONE_STATES = ("Z", "X")


class Process(NamedTuple):
    """A process, so that another one on its host can tell whether it is still there.

    Attributes:
        host: the name of its machine.
        pid: its number there.
        life: tells it from an earlier or later one of the same number; empty where the system does
            not say.
    """

    host: str
    pid: int
    life: str


def this_process() -> Process:
    """The one that asks."""
    return Process(socket.gethostname(), os.getpid(), _own_life(os.getpid()))


def is_gone(process: Process) -> bool:
    """Whether a process of this host has surely ended.

    Of a process of another host nothing can be known from here: the answer is False.
    """
    if (
        process.host != socket.gethostname() or os.name == "nt"
    ):  # on Windows os.kill(pid, 0) would end it
        return False
    try:
        os.kill(process.pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is another user's
        pass
    life = _life(process.pid)
    return life is not None and life != process.life


def end_with_parent() -> None:
    """Makes this process, one that ``multiprocessing`` started, end as soon as its parent is gone.

    To be called once, at its start, such as the ``initializer`` of a pool. A parent that is killed
    cannot end its children, and they would wait for work for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)  # at once: there is nobody left to hand anything to

    threading.Thread(target=wait, name="waits for the parent's end", daemon=True).start()


@cache
def _own_life(pid: int) -> str:
    """The life of this process, which is read once; a child by ``fork`` has another number."""
    return _life(pid) or ""


def _life(pid: int) -> str | None:
    """Ten hexadecimal digits of the boot and the time at which a process started.

    They are "" for a process that has ended, and None where the system does not say.
    """
    try:
        fields = (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()
        )
        if fields[_STATE] in _GONE_STATES:
            return ""
        return hashlib.sha256(f"{_BOOT.read_text()} {fields[_START]}".encode()).hexdigest()[:10]
    except (OSError, IndexError):
        return None
