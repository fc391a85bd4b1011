"""Files below a folder or inside a zip archive, listed and read in the same way; nothing is unpacked."""

import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from cfx_jax.errors import InputError

# A damaged member shows in one of these ways; an encrypted or oddly compressed one raises RuntimeError.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


class FileTree:
    """The files below a folder or in a zip archive.

    Args:
        path: a folder, or a zip file.

    Raises:
        InputError: there is nothing at the path, or it is neither of the two.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise InputError(f"path: expected a folder or a zip file, but '{path}' does not exist: check the spelling")
        self._archive = None if self.path.is_dir() else _open_zip(self.path)

    def files(self) -> list[PurePosixPath]:
        """All files, relative to the top, sorted by name with numbers in numeric order."""
        if self._archive is None:
            names = {item.relative_to(self.path).as_posix() for item in self.path.rglob("*") if item.is_file()}
        else:
            names = {info.filename for info in self._archive.infolist() if not info.is_dir()}
        return [PurePosixPath(name) for name in sorted(names, key=natural_key)]

    def folders(self) -> list[PurePosixPath]:
        """All folders, empty ones included, relative to the top, sorted likewise."""
        if self._archive is None:
            names = {item.relative_to(self.path).as_posix() for item in self.path.rglob("*") if item.is_dir()}
        else:
            # An archive need not list its folders: the names of its files imply them.
            lowest = {info.filename.rpartition("/")[0] for info in self._archive.infolist()}
            names = {name.rsplit("/", up)[0] for name in lowest for up in range(name.count("/") + 1)} - {""}
        return [PurePosixPath(name) for name in sorted(names, key=natural_key)]

    def read(self, name: PurePosixPath) -> bytes:
        """The content of one file.

        Raises:
            OSError, zipfile.BadZipFile, zlib.error, EOFError or RuntimeError: it cannot be read.
        """
        if self._archive is None:
            return (self.path / name).read_bytes()
        return self._archive.read(str(name))


def natural_key(path: str) -> list[tuple[int, int, str]]:
    """A sort key by which ``img2`` comes before ``img10``; the case of letters settles ties only."""
    pieces = re.split(r"(\d+)", path.casefold())
    key = [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]
    return [*key, (2, 0, path)]


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(
            f"path: expected a folder or a zip file, but '{path}' is neither ({error}): give the folder that "
            "holds one sub-folder per class"
        ) from error
