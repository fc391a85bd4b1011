"""Image files sorted into one folder per class, or a zip archive of such folders."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.data.display_window import Window, check_window
from cfx_jax.data.duplicates import fingerprint, first_copies
from cfx_jax.data.sources.class_folders import choose_classes, describe, find_classes
from cfx_jax.data.sources.decoding import decode_image, is_faint, quiet_opencv, unit_range
from cfx_jax.data.sources.file_tree import FileTree
from cfx_jax.data.user_files import DamagedFile, printable, unpack_limit
from cfx_jax.errors import InputError, import_extra

# Bytes of decoded images that are kept; a larger set is decoded anew at every access.
MEMORY_LIMIT = 2 * 2**30
_PROGRESS_FROM = 2000  # images; decoding fewer takes a moment only
_COPIES, _CROSSING = "images that equal an earlier one", "images that equal one of another class"
_NAMED = 5  # damaged files that a warning names

Pixels = Shaped[np.ndarray, "h w c"]


class _Read(NamedTuple):
    """An image file after it was decoded."""

    pixels: Pixels
    fingerprint: bytes
    faint: bool


class ImageFolder:
    """Images in one sub-folder per class.

    ``path`` is the folder that holds the class folders, or a zip file of them, which is read in
    place; in either, the class folders may lie inside one common top folder. Class folders may be
    links. PNG, JPEG, TIFF, BMP and WebP files are taken, by their name or their content; hidden
    files and ``__MACOSX`` are not looked at. Every image is decoded once at the start. Warnings
    give the numbers of what is left out since it is no image, of damaged files, which are skipped
    and named, of images that occur more than once, and of faint ones; ``summary`` has the same
    lines.

    Items are dicts of ``image`` float32 (h, w, c) in [0, 1], ``label`` int and ``path`` str,
    ordered by class, then by name with numbers in numeric order.

    Args:
        path: a folder or a zip file.
        size: side in pixels, or (height, width), to which every image is resized (squeezed, not
            cropped); None keeps the files' size, which must then be one and the same.
        channels: 1 for grey or 3 for colour; files of the other kind are converted.
        class_names: the class folders in the order of the labels, e.g. ``("healthy", "DR")`` so
            that class 1 is the finding. Folders not named are left out. None takes all, sorted by
            name.
        memory_limit: bytes of decoded images that are kept in memory; a set larger than this is
            decoded again at every access. An image takes height * width * channels bytes, twice
            that if it has 16 bits.
        progress: whether to show a progress bar while many files are decoded.
        window: which values become 0 and 1: "full", those of the files' type; "values", each
            image's smallest and largest; or (centre, width) in the files' numbers. See
            ``unit_range``.

    Attributes:
        class_names: the classes' names in the order of the labels.
        labels: the label of each item.
        paths: the path of each item.
        damaged: path of each damaged file -> what is wrong with it.
        left_out: what visible files are that were left out since they are no images or lie in no
            class folder -> how many.
        ignored: how many these are.
        fingerprints: of each item, of its pixels as they were decoded and resized, see
            ``data.duplicates.fingerprint``.
        copies: of each item the place of the first one with the same picture; give it to ``split``
            as ``groups`` to keep copies in one part, and to ``shared_copies`` to count those that
            are not.
        faint: how many images have no value beyond an eighth of what their type holds, such as 12
            bits in files of 16.
        counts: how many files or images there are of each kind that a report should tell: "damaged
            files skipped", "files left out", "images that equal an earlier one", "images that equal
            one of another class", "faint images".
        summary: a line for each of these kinds of which there are any, with names and advice.

    Raises:
        InputError: the path does not exist or is neither a folder nor a zip file; there are no
            class folders, or only one; a class has no usable images, or has them in sub-folders, or
            a name that is no text; a class name is unknown or named twice; sizes differ while
            ``size`` is None; an option is out of its range.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: int | tuple[int, int] | None = None,
        channels: int = 3,
        class_names: Sequence[str] | None = None,
        memory_limit: int = MEMORY_LIMIT,
        progress: bool = True,
        window: Window = "full",
    ) -> None:
        check_window(window)
        self._size, self._channels, self._window = (
            _check_size(size),
            _check_channels(channels),
            window,
        )
        self._tree = FileTree(path)
        classes, left_out = find_classes(self._tree)
        self.left_out, self.ignored = dict(left_out), left_out.total()
        self.class_names = choose_classes(classes, class_names, self._tree)
        names = [name for label in self.class_names for name in classes[label]]
        self._names: list[PurePosixPath] = []
        self._kept: list[Pixels] | None = []
        self.damaged: dict[str, str] = {}
        self.faint = 0
        self.fingerprints = tuple(self._scan(names, memory_limit, progress))
        self.copies: Int[np.ndarray, " n"] = first_copies(self.fingerprints)
        self.paths = tuple(self._full(name) for name in self._names)
        self.labels = np.array(
            [self.class_names.index(name.parent.name) for name in self._names], np.int64
        )
        self._check_classes()
        again = np.flatnonzero(self.copies != np.arange(len(self)))
        crossing = again[self.labels[again] != self.labels[self.copies[again]]]
        self.counts = {
            "damaged files skipped": len(self.damaged),
            "files left out": self.ignored,
            _COPIES: again.size,
            _CROSSING: crossing.size,
            "faint images": self.faint,
        }
        self.summary = self._summary(crossing if crossing.size else again)
        for line in self.summary:
            warnings.warn(line, stacklevel=2)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels = self._decode_again(self._names[index]) if self._kept is None else self._kept[index]
        image = unit_range(pixels, window=self._window)
        return {"image": image, "label": int(self.labels[index]), "path": self.paths[index]}

    def _scan(
        self, names: Sequence[PurePosixPath], memory_limit: int, progress: bool
    ) -> list[bytes]:
        """Decodes every file once; keeps the pixels as long as they fit into the memory allowed.

        Returns:
            The fingerprint of each image.
        """
        tqdm = import_extra("tqdm", "progress bars").tqdm
        # None: hidden unless on a terminal.
        hidden = None if progress and len(names) >= _PROGRESS_FROM else True
        used, fingerprints, first_of_shape = 0, list[bytes](), dict[tuple[int, ...], str]()
        with quiet_opencv(), ThreadPoolExecutor(os.cpu_count()) as pool:
            results = tqdm(
                pool.map(self._read, names), "reading images", len(names), disable=hidden
            )
            for name, result in zip(names, results, strict=True):
                if isinstance(result, str):
                    self.damaged[self._full(name)] = result
                    continue
                self._names.append(name)
                fingerprints.append(result.fingerprint)
                self.faint += result.faint
                first_of_shape.setdefault(result.pixels.shape, self._full(name))
                used += result.pixels.nbytes
                if used > memory_limit:
                    self._kept = None
                if self._kept is not None:
                    self._kept.append(result.pixels)
        _check_one_shape(first_of_shape)
        return fingerprints

    def _read(self, name: PurePosixPath) -> _Read | str:
        """A file with what is counted of it, or what is wrong with it."""
        pixels = self._try_decode(name)
        return (
            pixels
            if isinstance(pixels, str)
            else _Read(pixels, fingerprint(pixels), is_faint(pixels))
        )

    def _try_decode(self, name: PurePosixPath) -> Pixels | str:
        """The pixels of a file, or what is wrong with it."""
        try:
            return decode_image(self._tree.read(name), channels=self._channels, size=self._size)
        except DamagedFile as error:
            return str(error)

    def _decode_again(self, name: PurePosixPath) -> Pixels:
        """The pixels of a file that could be decoded at the start."""
        result = self._try_decode(name)
        if isinstance(result, str):
            raise InputError(
                f"'{self._full(name)}' {result}, though it could be read at the start: restore the"
                " file"
            )
        return result

    def _full(self, name: PurePosixPath) -> str:
        return printable(str(self._tree.path / name))

    def _damage(self) -> str:
        """Names the first damaged files."""
        described = [f"'{path}' {problem}" for path, problem in self.damaged.items()]
        return "; ".join(described[:_NAMED]) + ("; ..." if len(described) > _NAMED else "")

    def _check_classes(self) -> None:
        """Stops where a class has lost all its images."""
        for label, name in enumerate(self.class_names):
            if label not in self.labels:
                raise InputError(
                    f"path: expected images of class '{name}', but none of its files can be used:"
                    f" {self._damage()}: repair them, or leave the class out by class_names"
                )

    def _summary(self, copied: Int[np.ndarray, " m"]) -> list[str]:
        """Counts what the files hold beside usable images.

        ``copied`` are places of images that occur before.
        """
        lines = []
        if self.damaged:
            total = len(self.damaged) + len(self)
            lines.append(
                f"{len(self.damaged)} of {total} image files are damaged and skipped:"
                f" {self._damage()}"
            )
        if self.left_out:
            lines.append(f"{self.ignored} files are left out: {describe(self.left_out)}")
        if copied.size:
            lines.append(
                f"{self.counts[_COPIES]} of {len(self)} images equal an earlier one,"
                f" {self.counts[_CROSSING]} of them one of another class, e.g."
                f" '{self.paths[copied[0]]}' and '{self.paths[self.copies[copied[0]]]}': remove"
                " them, or keep copies in one part of a split by groups=source.copies"
            )
        if self.faint:
            lines.append(
                f"{self.faint} of {len(self)} images are faint, with no value beyond an eighth of"
                " what their type holds: if they have, say, 12 bits in files of 16, give"
                " window='values' or window=(centre, width)"
            )
        return lines


def _check_one_shape(first_of_shape: dict[tuple[int, ...], str]) -> None:
    if len(first_of_shape) > 1:
        (one, path), (other, other_path) = list(first_of_shape.items())[:2]
        raise InputError(
            f"size: expected images of one size, got {one[0]}x{one[1]} ('{path}') and"
            f" {other[0]}x{other[1]} ('{other_path}'): give `size` to resize them"
        )


def _check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    pair = (size, size) if isinstance(size, int) else size
    if pair is not None and (len(pair) != 2 or min(pair) < 1):
        raise InputError(
            f"size: expected a side or (height, width) in pixels, 1 or more, got {size}: give e.g."
            " 224"
        )
    if pair is not None and 3 * pair[0] * pair[1] > unpack_limit():
        raise InputError(
            f"size: expected images that take less than {unpack_limit()} bytes, got {size}: give"
            " e.g. 224"
        )
    return pair


def _check_channels(channels: int) -> int:
    if channels not in (1, 3):
        raise InputError(f"channels: expected 1 (grey) or 3 (colour), got {channels}")
    return channels
