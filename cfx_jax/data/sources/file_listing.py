"""The files that a user names: on disk, below folders, and in zip archives, read alike."""

import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os.path import abspath, commonpath, dirname, sep
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cfx_jax.data.sources.folder_or_zip import FileTree
from cfx_jax.data.user_files import (
    DamagedFile,
    damage,
    is_folder,
    is_regular,
    read_file,
    shown_name,
)
from cfx_jax.errors import InputError

_ZIP_START = b"PK\3\4"
_CLUTTER = {"__macosx", "thumbs.db", "desktop.ini", "dicomdir"}
"""What archivers, file managers and DICOM archives add to a user's files."""


class StoredFile(NamedTuple):
    """A file on disk or in a zip archive.

    Attributes:
        path: the file's; for a member, the archive's path and the name in it, joined.
        archive: the archive that holds it; None for a file on disk.
    """

    path: Path
    archive: FileTree | None = None

    def start(self, length: int) -> bytes:
        """The first bytes; none where the file cannot be read."""
        if self.archive is not None:
            return self.archive.start(self._member, length)
        if not is_regular(self.path):  # a pipe would be read for ever
            return b""
        try:
            with damage(DamagedFile), self.path.open("rb") as stream:
                return stream.read(length)
        except DamagedFile:
            return b""

    def read(self) -> bytes:
        """The content of the file.

        Raises:
            DamagedFile: it cannot be read, or unpacks to more than allowed.
        """
        return read_file(self.path) if self.archive is None else self.archive.read(self._member)

    def size(self) -> int:
        """The number of bytes that it has unpacked; 0 where it cannot be read."""
        if self.archive is not None:
            return self.archive.member(self._member).file_size
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    def check_sum(self) -> int:
        """The CRC-32 of the content, which archives keep; 0 where it cannot be read."""
        if self.archive is not None:
            return self.archive.member(self._member).CRC
        with suppress(DamagedFile):
            return zlib.crc32(self.read())
        return 0

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """The path of a file with this content; the copy of an archive's member is deleted after
        use.

        Raises:
            InputError: what is raised inside, without the path before it.
            DamagedFile: the member cannot be read, or unpacks to more than allowed.
        """
        if self.archive is None:
            with _without_path(self.path):
                yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"member{''.join(self.path.suffixes[-2:])}")
            path.write_bytes(self.read())
            with _without_path(path):
                yield path

    @property
    def _member(self) -> PurePosixPath:
        assert self.archive is not None
        return PurePosixPath(self.path.relative_to(self.archive.path))


class Entry(NamedTuple):
    """A file that a user names, with what is stated of it.

    Attributes:
        file: the file.
        root: the folder, archive or table by which the user names it; empty for a file alone.
        folders: the folders below the root in which the file lies, from the top.
        label, group, split: as a table states them; None where none does.
        mask: the file of the mask; None where there is none.
    """

    file: StoredFile
    root: Path = Path()
    folders: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    split: str | None = None
    mask: StoredFile | None = None


def list_files(paths: Sequence[Path]) -> tuple[list[Entry], Counter[str]]:
    """Lists the visible files that a user names.

    Args:
        paths: files, folders and zip archives.

    Returns:
        The files in the order of the paths, below each by name, each once; and how many names hold
        no file that could be read, by the reason.

    Raises:
        InputError: there is nothing at a path, or it cannot be listed.
    """
    listed, unusable = dict[Path, Entry](), Counter[str]()
    for path in paths:
        for entry in _below(path, unusable):
            listed.setdefault(entry.file.path, entry)
    return list(listed.values()), unusable


def each_once(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Leaves out files that are named twice: by two paths, a link, or in a zip and unpacked.

    Of two links in different folders below one root both stay, since folders may be classes. A
    member of an archive is a file on disk where name, size and check sum are equal. Members of two
    archives all stay, since archives may be classes.

    Args:
        entries: the files; the first of equal ones stays.

    Returns:
        The files, and how many are left out.
    """
    kept, seen = list[Entry](), dict[Any, list[Entry]]()
    members = {_label_of(entry.file) for entry in entries if entry.file.archive is not None}
    for entry in entries:
        keys = [_identity(entry.file)]
        if members and (label := _label_of(entry.file)) in members:
            keys.append((*label, entry.file.check_sum()))
        others = [
            other
            for place, key in enumerate(keys)
            for other in seen.get(key, ())
            if place == 0 or (other.file.archive is None) != (entry.file.archive is None)
        ]
        if not any(other.root != entry.root or other.folders == entry.folders for other in others):
            kept.append(entry)
        for key in keys:
            seen.setdefault(key, []).append(entry)
    return kept, len(entries) - len(kept)


def _identity(file: StoredFile) -> tuple[Any, ...]:
    """The device and the inode of a file, which all paths to it share."""
    try:
        status = (file.path if file.archive is None else file.archive.path).stat()
    except OSError:  # the survey tells why it cannot be read
        return (file.path,)
    member = None if file.archive is None else str(file._member)
    return status.st_dev, status.st_ino, member


def _label_of(file: StoredFile) -> tuple[str, int]:
    """The name of a file without its folders, and its size."""
    return file.path.name, file.size()


def folders_of(files: Sequence[Entry]) -> list[tuple[str, ...]]:
    """The folders that sort the files: without those that all files of one root share.

    Several roots that hold no such folders are taken for folders of one: of ``healthy sick`` the
    files lie in ``healthy`` and in ``sick``.

    Example:
        >>> files = [Path("data/set/a/1.png"), Path("data/set/b/p/2.png")]
        >>> folders_of([Entry(StoredFile(f), Path("data"), f.parts[1:-1]) for f in files])
        [('a',), ('b', 'p')]
    """
    shared = dict[Path, tuple[str, ...]]()
    for file in files:
        before = shared.setdefault(file.root, file.folders)
        same = [one == other for one, other in zip(before, file.folders, strict=False)]
        shared[file.root] = before[: [*same, False].index(False)]
    name_of = {root: (root.name.removesuffix(".zip"),) for root in shared if root.name}
    if len(shared) == 1:
        name_of = {}
    return [file.folders[len(shared[file.root]) :] or name_of.get(file.root, ()) for file in files]


def short_names(files: Sequence[StoredFile]) -> list[str]:
    """The paths of files without the folders that all of them share, with slashes."""
    paths = [abspath(file.path) for file in files]
    top = commonpath({dirname(path) for path in paths})
    start = len(top.rstrip(sep)) + 1
    return [shown_name(path[start:].replace(sep, "/")) for path in paths]


def _below(path: Path, unusable: Counter[str]) -> list[Entry]:
    if not is_folder(path) and not is_regular(path):
        raise InputError(
            f"images: expected a file, a folder or a zip, found none at '{shown_name(str(path))}':"
            " check the spelling"
        )
    if not is_folder(path) and path.suffix.lower() != ".zip":
        file = StoredFile(path)
        if file.start(len(_ZIP_START)) != _ZIP_START:
            return [Entry(file)]
    tree = FileTree(path)
    for name, reason in tree.unusable.items():
        if not is_hidden(PurePosixPath(name.lstrip("/"))):
            unusable[reason] += 1
    archive = None if is_folder(path) else tree
    return [
        Entry(StoredFile(path / name, archive), path, name.parent.parts)
        for name in tree.files()
        if not is_hidden(name)
    ]


def is_hidden(path: PurePosixPath) -> bool:
    """Whether the file or a folder above it is hidden, or is clutter."""
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in path.parts)


@contextmanager
def _without_path(path: Path) -> Iterator[None]:
    """Takes the path from the start of a message, where the caller puts a name of its own."""
    try:
        yield
    except InputError as error:
        text = str(error).removeprefix(f"'{path}'").removeprefix(":").strip()
        raise InputError(text.replace(str(path), path.name)) from error
