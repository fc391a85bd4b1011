"""Locks on working folders, so that two processes never write into one of them at the same time.

A lock is the file ``.lock`` in the folder, which names the process that holds it. It is made by a
hard link, or where the file system knows none by an exclusive creation: both are atomic on network
file systems too. A lock whose process has ended on this host without releasing it is taken over;
whether a process on another host still runs cannot be known from here, so the message names the
file to delete.
"""

import atexit
import errno
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from cfx_jax.errors import InputError
from cfx_jax.files import parse_json, sweep, writing
from cfx_jax.processes import Process, is_gone, this_process

_NAME = ".lock"
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_ROUNDS, _PAUSE = 20, 0.1  # tries while other processes come and go, and seconds between them


class LockedError(InputError):
    """Another process works in the folder."""


class _Held(NamedTuple):
    """A lock of this process: the thread that took it, and what tells its file from another."""

    thread: int
    pid: int
    token: str


_held: dict[Path, _Held] = {}


@contextmanager
def locked(folder: str | os.PathLike[str], *, doing: str) -> Iterator[None]:
    """Keeps a folder for this process while the block runs.

    The lock is released when the block ends, at the end of the process, and by SIGTERM where
    nothing else handles that. A thread that holds it already gets it again. Temporary files that
    writers who have ended left in the folder are removed. A folder that cannot be written needs no
    lock and gets none, so that what is finished can still be read.

    Args:
        folder: made where it is missing, and removed at the end if it was and is still empty.
        doing: what this process does there, for the message to another one, e.g. ``"trains"``.

    Raises:
        LockedError: another process or thread holds the lock; one line with its pid, host and
            start.
        InputError: the lock cannot be written, because of a full disk above all.
    """
    place = Path(folder).expanduser().resolve()
    held = _held.get(place)
    if held is not None and held.thread == threading.get_ident() and held.pid == os.getpid():
        yield
        return
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    with writing("the lock", place / _NAME, "free some space there or choose another folder"):
        is_taken = _take(place, doing)
    try:
        if is_taken:
            sweep(place)
        yield
    finally:
        if is_taken:
            _release(place)
        for folder in missing:
            with suppress(OSError):  # there is something in it
                folder.rmdir()


def _take(place: Path, doing: str) -> bool:
    """Takes the lock, and returns whether there is one.

    There is none in a place where nobody can write, or that is no folder: what comes next will say
    so.
    """
    if place.exists() and not place.is_dir():
        return False
    for _ in range(_ROUNDS):
        try:
            holder = _end_stale(place / _NAME)
            if holder is not None:
                raise LockedError(_message(place, holder))
            place.mkdir(parents=True, exist_ok=True)
            _create(place, doing)
            return True
        except (FileExistsError, FileNotFoundError):
            time.sleep(_PAUSE)  # another one was quicker, or removed the folder
        except OSError as error:
            if error.errno in _NOT_WRITABLE:
                return False
            raise
    raise LockedError(_message(place, {}))


def _create(place: Path, doing: str) -> None:
    """Writes a lock of this process, or raises ``FileExistsError``."""
    token = uuid.uuid4().hex
    since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    text = (
        json.dumps({**this_process()._asdict(), "since": since, "doing": doing, "token": token})
        + "\n"
    )
    lock, temporary = place / _NAME, place / f"{_NAME}.{token[:12]}.tmp"  # such names are swept
    try:
        temporary.write_text(text, encoding="utf-8")
        try:
            os.link(temporary, lock)
        except FileExistsError:
            raise
        except OSError:  # no hard links here
            with lock.open("x", encoding="utf-8") as file:
                file.write(text)
    finally:
        temporary.unlink(missing_ok=True)
    _held[place] = _Held(threading.get_ident(), os.getpid(), token)
    _watch_for_termination()


def _end_stale(lock: Path) -> dict[str, Any] | None:
    """Who holds a lock, None where nobody does; one whose process has ended is removed."""
    try:
        file = lock.open("rb")
    except FileNotFoundError:
        return None
    except OSError:
        return {}  # another user's, who hides it
    with file:
        holder = _record(file.read())
        if holder is not None and not is_gone(
            Process(holder["host"], holder["pid"], holder["life"])
        ):
            return holder
        _exclude_others(file.fileno())
        # Another process may have taken over meanwhile: then this is no longer the file of that
        # name.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                lock.unlink()
    return None


def _record(content: bytes) -> dict[str, Any] | None:
    """Reads what a lock says; None for what no living process of this library has written."""
    try:
        record = parse_json(content)
        return {
            **record,
            "host": str(record["host"]),
            "pid": int(record["pid"]),
            "life": str(record["life"]),
        }
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _exclude_others(descriptor: int) -> None:
    """Waits for processes of this host that look at the same stale lock.

    Only they could remove it too.
    """
    with suppress(ImportError, OSError):  # a system or a file system without such locks
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _message(place: Path, holder: dict[str, Any]) -> str:
    if holder.get("pid") == os.getpid() and place in _held:
        who = "this process itself, in another thread or block"
    else:
        who = f"pid {holder.get('pid', 'unknown')} on {holder.get('host', 'an unknown host')}"
    return (
        f"another process {holder.get('doing', 'works')} here, {who}, since"
        f" {holder.get('since', 'just now')}: wait until it has ended or choose another folder than"
        f" {place}; if it does not run any more, delete {place / _NAME}"
    )


def _release(place: Path) -> None:
    """Removes this process's lock.

    A lock that another process has taken since a user removed this one stays.
    """
    held = _held.pop(place, None)
    if held is None or held.pid != os.getpid():  # a fork knows of its parent's locks
        return
    with suppress(OSError):
        record = _record((place / _NAME).read_bytes())
        if record is not None and record.get("token") == held.token:
            (place / _NAME).unlink()
    is_main = threading.current_thread() is threading.main_thread()
    if not _held and is_main and signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@atexit.register
def release_all() -> None:
    """Releases every lock of this process, as its end does; for one that ends at once."""
    for place in list(_held):
        _release(place)


def _watch_for_termination() -> None:
    """Lets SIGTERM, which ends a process at once, release the locks first.

    A handler of the caller's stays.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    release_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
