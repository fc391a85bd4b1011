"""Reading files of users: a bound on what a file may unpack to, and one error for damage.

A small file can declare, or be compressed from, more than any memory holds. Before a picture, a
member of an archive, a volume or a table is unpacked, its size is compared with ``unpack_limit()``:
512 MiB, or as many MiB as the environment variable ``CFX_UNPACK_LIMIT_MIB`` says. Files are read by
several threads at once, so memory may hold several of that size.
"""

import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cfx_jax.errors import InputError

UNPACK_LIMIT = 512 * 2**20  # bytes; 16,000 x 10,000 pixels of colour, or 1,000 slices of a CT scan
LIMIT_VARIABLE = "CFX_UNPACK_LIMIT_MIB"
_LONGEST = 300  # letters of a name that a message shows
_PIECE = 2**20


class DamagedFile(Exception):
    """A file's content cannot be used; the message says why, to follow the file's name."""


def unpack_limit() -> int:
    """The number of bytes that a picture, an archive's member, a volume or a table may unpack to.

    Raises:
        InputError: the environment variable holds something else than a number above 0.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    if text is None:
        return UNPACK_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise InputError(
            f"{LIMIT_VARIABLE}: expected a whole number of MiB above 0, got {text!r}: give e.g."
            " 2048"
        )
    return int(text) * 2**20


def check_unpacked(size: int) -> None:
    """Checks how many bytes something unpacks to.

    Raises:
        DamagedFile: they are more than ``unpack_limit()``.
    """
    if size > unpack_limit():
        raise DamagedFile(
            f"unpacks to {size / 2**20:,.0f} MiB, more than the {unpack_limit() / 2**20:,.0f} MiB"
            f" that are allowed: set {LIMIT_VARIABLE} to allow more, if it is meant to be that"
            " large"
        )


def read_bounded(stream: IO[bytes], *, expected: int | None = None) -> bytes:
    """Reads a stream to its end.

    Args:
        stream: an open file, read from its position.
        expected: the number of bytes that it is likely to hold, so that no more memory is asked
            for; None where nothing is known.

    Raises:
        DamagedFile: it holds more than ``unpack_limit()``.
    """
    most = unpack_limit() + 1
    content = stream.read(most if expected is None else min(expected + 1, most))
    if expected is not None and expected < len(content) < most:
        content += stream.read(most - len(content))
    check_unpacked(len(content))
    return content


def bounded_length(stream: IO[bytes]) -> int:
    """Counts the bytes of a stream without keeping them.

    Raises:
        DamagedFile: they are more than ``unpack_limit()``.
    """
    length = 0
    while piece := stream.read(_PIECE):
        length += len(piece)
        check_unpacked(length)
    return length


def is_regular(path: Path) -> bool:
    """Whether a file is there whose content ends.

    A folder is none, nor is a pipe or a device, which might be read for ever.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # missing, or a name that no file can have
        return False


def is_folder(path: Path | os.DirEntry[str]) -> bool:
    """Whether a folder is there, or a link to one; a name that no folder can have is none."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a link to itself
        return False


def read_file(path: Path) -> bytes:
    """The content of a file.

    Raises:
        DamagedFile: it cannot be read, is no regular file, or holds more than ``unpack_limit()``.
    """
    with damage(lambda reason: DamagedFile(f"cannot be read ({reason})")):
        if path.exists() and not is_regular(path):
            raise DamagedFile("is no regular file")
        with path.open("rb") as stream:
            return read_bounded(stream, expected=os.fstat(stream.fileno()).st_size)


@contextmanager
def damage(refusal: Callable[[str], Exception]) -> Iterator[None]:
    """Turns whatever a library raises at a damaged file into one error.

    Only calls of decoding libraries, and the use of what they found, belong inside: bytes that make
    no sense make them raise errors of nearly every kind, of memory and recursion too.

    Args:
        refusal: makes the error from the reason, one line.

    Raises:
        Exception: the one made. An ``InputError`` passes through, as does a ``DamagedFile`` where
            another would be made of it: they speak for themselves.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        made = refusal(one_line(error))
        if isinstance(error, DamagedFile) and isinstance(made, DamagedFile):
            raise
        raise made from error


@contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Keeps a library's logger from printing about damage that is reported otherwise."""
    mute = logging.Filter("nothing")  # one for each call, so that threads do not undo each other's
    logging.getLogger(logger).addFilter(mute)
    try:
        yield
    finally:
        logging.getLogger(logger).removeFilter(mute)


def one_line(error: Exception) -> str:
    """The message of an error in one line; with the error's kind where it says little."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = repr(error) if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())[:_LONGEST] or type(error).__name__


def shown_name(name: str) -> str:
    """A file's name as a message or a page can hold it.

    What is no text is escaped, what is very long is cut.
    """
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8; file systems allow others."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
