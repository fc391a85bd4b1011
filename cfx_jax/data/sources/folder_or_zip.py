"""Files below a folder or in a zip archive, listed and read alike; nothing is unpacked to disk."""

import os
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from cfx_jax.data.sources.picture_headers import READERS, START, kind_of
from cfx_jax.data.user_files import (
    DamagedFile,
    check_unpacked,
    damage,
    is_folder,
    is_regular,
    is_text,
    read_bounded,
    read_file,
    shown_name,
)
from cfx_jax.errors import InputError

_LONGEST = 4096  # letters of a member's name: no file system takes more
# levels of folders at which links to folders are followed: a class folder may be one, and what
# holds them
_LINKS = 2
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")


class FileTree:
    """The files below a folder or in a zip archive.

    Links to files are files. Links to folders are followed in the two upper levels, unless they
    lead back to a folder that they lie in. Names of an archive's members are taken as paths below
    its top: a leading slash or drive, ``.``, ``..`` and empty parts do not count, and a backslash
    separates as a slash does.

    Args:
        path: a folder, or a zip file.

    Attributes:
        path: the folder or the zip file.
        unusable: name -> why, of what is there but holds no files that could be read: broken links,
            pipes, devices, folders that may not be listed, members of an archive whose name is too
            long or occurs again.

    Raises:
        InputError: there is nothing at the path, it is neither of the two, its name is no text, or
            it cannot be listed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.unusable = dict[str, str]()
        if not is_text(str(path)):
            raise InputError(
                f"path: expected a name in UTF-8, got '{shown_name(str(path))}': rename it"
            )
        self._archive, self._members = None, dict[str, zipfile.ZipInfo]()
        if is_folder(self.path):
            listed = sorted(self._walk(), key=lambda item: natural_key(item[0]))
            self._files = [PurePosixPath(name) for name, is_file in listed if is_file]
            self._folders = [PurePosixPath(name) for name, is_file in listed if not is_file]
        else:
            self._archive = _open_zip(self.path)
            self._folders = [
                PurePosixPath(name) for name in sorted(self._list_members(), key=natural_key)
            ]
            self._files = [PurePosixPath(name) for name in sorted(self._members, key=natural_key)]

    def files(self) -> list[PurePosixPath]:
        """All files, relative to the top, sorted by name with numbers in numeric order."""
        return self._files

    def folders(self) -> list[PurePosixPath]:
        """The folders of the two upper levels, empty ones included, sorted as the files are.

        Their paths are relative to the top.
        """
        return [folder for folder in self._folders if len(folder.parts) <= _LINKS]

    def read(self, name: PurePosixPath) -> bytes:
        """The content of one file.

        Raises:
            DamagedFile: it cannot be read, or unpacks to more than allowed.
        """
        if self._archive is None:
            return read_file(self.path / name)
        with damage(lambda reason: DamagedFile(f"cannot be read ({reason})")):
            member = self._members[str(name)]
            check_unpacked(member.file_size)
            with self._archive.open(member) as stream:
                return read_bounded(stream, expected=member.file_size)

    def member(self, name: PurePosixPath) -> zipfile.ZipInfo:
        """The entry of one file in the archive's directory."""
        return self._members[str(name)]

    def start(self, name: PurePosixPath, length: int) -> bytes:
        """The first bytes of one file; none if it cannot be read."""
        try:
            with damage(DamagedFile), self._open(name) as stream:
                return stream.read(length)
        except DamagedFile:
            return b""

    def _open(self, name: PurePosixPath) -> IO[bytes]:
        return (
            (self.path / name).open("rb")
            if self._archive is None
            else self._archive.open(self._members[str(name)])
        )

    def _walk(self) -> Iterator[tuple[str, bool]]:
        """Name of each file and folder, and whether it is a file."""
        waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", (_identity(self.path),))]
        while waiting:
            folder, above = waiting.pop()
            for entry in self._entries(folder):
                name = f"{folder}/{entry.name}" if folder else entry.name
                if is_folder(entry):
                    # Where links are followed it is known which folders lead there.
                    links = (_identity(Path(entry.path)),) if name.count("/") < _LINKS else ()
                    if not entry.is_symlink() or (links and links[0] not in above):
                        waiting.append((name, above + links))
                        yield name, False
                    else:
                        self.unusable[name] = "is a link to a folder that is not followed"
                elif entry.is_file(follow_symlinks=False) or is_regular(Path(entry.path)):
                    yield name, True
                else:
                    self.unusable[name] = "is no regular file"

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """The files and folders that lie in a folder."""
        try:
            with os.scandir(self.path / folder) as entries:
                return list(entries)
        except OSError as error:
            if not folder:
                raise InputError(
                    f"path: the folder '{self.path}' cannot be listed ({error.strerror}): allow it"
                ) from error
            self.unusable[folder] = f"cannot be listed ({error.strerror})"
            return []

    def _list_members(self) -> set[str]:
        """Finds the archive's files; gives the names of its folders in the two upper levels.

        An archive need not list its folders.
        """
        assert self._archive is not None
        folders = set()
        for info in self._archive.infolist():
            parts = _parts(info.filename)
            name, ends_as_folder = "/".join(parts), info.filename.endswith(("/", "\\"))
            if (
                len(info.filename) > _LONGEST
                or name in self._members
                or not (parts or ends_as_folder)
            ):
                self.unusable[info.filename] = (
                    "has a name that is too long, empty, or given to another file"
                )
                continue
            if not ends_as_folder:
                self._members[name] = info
            upper = parts[: None if ends_as_folder else -1][:_LINKS]
            folders |= {"/".join(upper[: depth + 1]) for depth in range(len(upper))}
        return folders


def natural_key(path: str) -> list[tuple[int, int, str]]:
    """A sort key that puts ``img2`` before ``img10``; the case of letters only settles ties."""
    pieces = re.split(r"(\d+)", path.casefold())
    return [
        *(_number_key(piece) if piece.isdecimal() else (2, 0, piece) for piece in pieces if piece),
        (3, 0, path),
    ]


def _number_key(digits: str) -> tuple[int, int, str]:
    """Sorts as the number does; Python refuses to make numbers of thousands of digits."""
    plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0")
    return (1, len(plain), plain)


def _parts(name: str) -> list[str]:
    """The parts of a member's path below the archive's top."""
    parts: list[str] = []
    slashed = name.replace("\\", "/")
    drive = _DRIVE.match(slashed)
    for part in slashed[drive.end() if drive else 0 :].split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _identity(folder: Path) -> tuple[int, int]:
    """Numbers that tell a folder from all others, whatever links lead to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _open_zip(path: Path) -> zipfile.ZipFile:
    shown = shown_name(str(path))
    if not is_regular(path):
        state = "is neither" if os.path.lexists(path) else "does not exist"
        raise InputError(
            f"path: expected a folder or a zip file, but '{shown}' {state}: check the spelling"
        )

    def refusal(reason: str) -> InputError:
        with path.open("rb") as file:
            kind = kind_of(file.read(START), name=path.name) or ""
        advice = (
            f"read it by {READERS[kind]}"
            if kind in READERS
            else "give the folder that holds one sub-folder per class"
        )
        return InputError(
            f"path: expected a folder or a zip file, but '{shown}' is neither ({reason}): {advice}"
        )

    with damage(refusal):
        return zipfile.ZipFile(path)
