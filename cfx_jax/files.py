"""Writing result files so that a reader never meets half a file and an old result is never lost to a
crash."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfx_jax.errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path in the folder of ``path``, and moves it onto ``path`` when the block succeeds.

    Args:
        path: the file to write; folders that are missing are made.

    Yields:
        The temporary path to write to. If the block raises, it is removed and ``path`` is as it was.

    Raises:
        InputError: the file or its folder cannot be written (a missing permission, a full disk).
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_beside(target)
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror or error}; free space there or choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes a UTF-8 text file in one move.

    Args:
        path: the file to write.
        text: its contents.

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def _temporary_beside(target: Path) -> Path:
    """A name nobody else uses, in the same folder: a move between folders may be a copy, which can be cut
    short."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.tmp")
