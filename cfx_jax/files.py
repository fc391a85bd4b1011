"""Files written so that a reader meets the old content or the new one, never half of it.

A reader is another process, or a start after a crash.
"""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import UnionType
from typing import Any

from cfx_jax.errors import InputError
from cfx_jax.processes import Process, is_gone, this_process

_OWNED = re.compile(r"\..+\.(\d+)-([0-9a-f]{6})-([0-9a-f]*)-[0-9a-f]{8}\.tmp")
"""Name of a temporary file: pid, six digits that stand for the host, and the life of the process
that writes it.
"""
_UNOWNED = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
"""The names of temporary files of earlier versions."""
_NO_ROOM = ("no space left", "file too large", "quota exceeded", "resource_exhausted")
_JSON_LIMIT = 256 * 2**20
"""Bytes of the longest JSON file that is read: far more than any of this library's, and less than
memory.
"""
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_BARRED = ("permission denied", "operation not permitted", "read-only file system")


def as_path(path: str | os.PathLike[str], *, name: str = "path") -> Path:
    """A path from what a user gave for one.

    Raises:
        InputError: it is neither a text nor a path.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise InputError(f"{name}: expected a path, got {type(path).__name__}")
    return Path(path)


@contextmanager
def replacing(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside ``path``, and moves it onto ``path`` when the block succeeds.

    Args:
        path: the file to write; folders that are missing are made.
        durable: whether content and name reach the disk before the block ends, so that they outlive
            a power cut too. It takes milliseconds; without it only the death of the process is
            survived.

    Yields:
        The temporary path to write to. If the block raises, it is removed and ``path`` is as it
        was.

    Raises:
        InputError: the file or its folder cannot be written (a missing permission, a full disk).
    """
    target = as_path(path)
    if not target.name:
        raise InputError(f"path: expected the path of a file, got '{path}'")
    with writing("the file", target, "free space there or choose another place"):
        target.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder: a move between folders may be a copy, which can be cut short. Names
        # have up to 255 bytes.
        temporary = target.with_name(f".{target.name[:40]}.{_owner()}-{uuid.uuid4().hex[:8]}.tmp")
        try:
            yield temporary
            if durable:
                _sync(temporary, os.O_RDWR)
            os.replace(temporary, target)
            if durable:
                sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = False) -> Path:
    """Writes a UTF-8 text file in one move.

    Args:
        path: the file to write.
        text: its contents.
        durable: as in ``replacing``.

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written; the text is no Unicode, such as a file name of
            another encoding.
    """
    half = _HALF_CHARACTER.search(text)
    if half is not None:
        around = ascii(text[max(half.start() - 20, 0) : half.end() + 20])
        raise InputError(
            f"{path}: expected text that is Unicode, got {around}: rename what it is the name of"
        )
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def read_json(path: str | os.PathLike[str], *, advice: str, root: type = dict) -> Any:
    """Reads a JSON file that a user or another program may have changed.

    Args:
        path: the file, UTF-8 with or without a byte order mark.
        advice: what to do about a file that cannot be used, the end of the message.
        root: the type of what it holds, dict or list.

    Returns:
        Its contents.

    Raises:
        InputError: it is missing, no ordinary file, longer than 256 MiB, no JSON text, or holds
            something else.
    """
    file = as_path(path)
    try:
        if file.exists() and not file.is_file():
            raise InputError(f"cannot read '{path}': it is no file: {advice}")
        if file.stat().st_size > _JSON_LIMIT:
            raise InputError(
                f"'{path}' is damaged, it is longer than {_JSON_LIMIT} bytes: {advice}"
            )
        document = parse_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}: {advice}") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{path}' is damaged, it is no JSON text ({error}): {advice}") from error
    if not isinstance(document, root):
        raise InputError(
            f"'{path}' is damaged, it holds a {type(document).__name__} and no {root.__name__}:"
            f" {advice}"
        )
    return document


def parse_json(text: str | bytes) -> Any:
    """Reads what a JSON text holds.

    Raises:
        ValueError: it is no JSON text, is nested too deeply, or has text that is no Unicode (half
            of a surrogate pair).
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        document = json.loads(text)
        if "\\ud" in text.lower() and _HALF_CHARACTER.search(
            json.dumps(document, ensure_ascii=False)
        ):
            raise ValueError("half of a character, which no file can hold")
        return document
    except RecursionError as error:
        raise ValueError("too many brackets inside of one another") from error


def check_kind(
    value: object,
    kind: type | UnionType,
    *,
    name: str,
    items: type | UnionType = object,
) -> None:
    """Checks the type of a fact from a JSON file, which may have been edited by hand.

    Args:
        value: the fact.
        kind: its type, or types.
        name: the name of the fact in the message.
        items: the type, or types, of the items of a list or tuple.

    Raises:
        ValueError: it is of another type, or one of its items is.
    """
    sequence = value if isinstance(value, list | tuple) else ()
    if not isinstance(value, kind) or not all(isinstance(item, items) for item in sequence):
        raise ValueError(f"{name} of another kind: {value!r}")


@contextmanager
def writing(
    what: str, path: Path, advice: str, *, barred: str = "choose a folder that can be written"
) -> Iterator[None]:
    """Turns a failure to write, such as a full disk, into one line for the user.

    Of nested blocks the outermost gives the message.

    Args:
        what: what is being written, e.g. ``"the metrics"``.
        path: where.
        advice: what to do about it, the end of the message.
        barred: the message where nothing may be written: a missing permission, a read-only disk.

    Raises:
        InputError: the file system refused; other exceptions pass through.
    """
    try:
        yield
    except Exception as error:
        reason = _refusal(error)
        if reason is None:
            raise
        what_to_do = barred if reason.lower() in _BARRED else advice
        raise _RefusedError(
            f"{what} could not be written to {path} ({reason}): {what_to_do}", reason
        ) from error


def sweep(folder: str | os.PathLike[str]) -> None:
    """Removes what writers that were killed have left in a folder and those inside of it.

    These are temporary files of ``replacing``, and folders of such names, whose process has ended
    on this host. Files of processes on other hosts stay, since nothing is known of these processes
    here.

    Args:
        folder: in which this process is the only one to write (see ``locks.locked``), but for
            single files.
    """
    for path in list(Path(folder).rglob(".*.tmp")):  # a list, as folders are removed on the way
        if not _is_left_behind(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _owner() -> str:
    process = this_process()
    return f"{process.pid}-{_host_digits(process.host)}-{process.life}"


def _is_left_behind(name: str) -> bool:
    match, here = _OWNED.fullmatch(name), this_process().host
    if match is None:
        return _UNOWNED.fullmatch(name) is not None
    return match[2] == _host_digits(here) and is_gone(Process(here, int(match[1]), match[3]))


def _host_digits(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()[:6]


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the file system knows how to."""
    with suppress(
        OSError
    ):  # some network file systems refuse to sync a folder; the rename itself has succeeded
        _sync(folder, os.O_RDONLY)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _RefusedError(InputError):
    """The file system refused to write, for the given reason."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def _refusal(error: Exception) -> str | None:
    """Why the file system refused, None for an error of another kind."""
    if isinstance(error, _RefusedError):
        return error.reason
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # TensorStore reports the operating system's refusals as ValueError, with the reason in its
    # text.
    reason = next((words for words in (*_NO_ROOM, *_BARRED) if words in str(error).lower()), None)
    return reason and ("No space left" if reason == _NO_ROOM[3] else reason.capitalize())


def _sync(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
