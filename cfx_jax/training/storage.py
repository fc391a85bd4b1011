"""Writing files so that a stop at any moment leaves the old or the new content, never half of it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfx_jax.errors import InputError

_NO_ROOM = ("no space left", "file too large", "quota exceeded", "resource_exhausted")


def write_atomic(path: Path, text: str) -> None:
    """Writes a text file under a temporary name beside ``path``, makes it durable, then gives it its name."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems refuse to sync a folder; the rename itself has succeeded
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing(what: str, path: Path, advice: str) -> Iterator[None]:
    """Turns a failure to write, a full disk above all, into one line for the user.

    Args:
        what: what is being written, e.g. ``"the metrics"``.
        path: where.
        advice: what to do about it, the end of the message.

    Raises:
        InputError: the file system refused; other exceptions pass through.
    """
    try:
        yield
    except Exception as error:
        # TensorStore reports the operating system's refusals as ValueError, with the reason in its text.
        if not isinstance(error, OSError) and not any(words in str(error).lower() for words in _NO_ROOM):
            raise
        raise InputError(f"{what} could not be written to {path} ({_reason(error)}): {advice}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).lower()
    return next((words for words in _NO_ROOM[:3] if words in text), "no space left").capitalize()
