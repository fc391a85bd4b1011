"""Image files sorted into one folder per class, or a zip archive of such folders."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Shaped

from cfx_jax.data.sources.class_folders import choose_classes, find_classes
from cfx_jax.data.sources.decoding import DamagedImage, decode_image, quiet_opencv, unit_range
from cfx_jax.data.sources.file_tree import UNREADABLE, FileTree
from cfx_jax.errors import InputError, import_extra

MEMORY_LIMIT = 2 * 2**30  # bytes of decoded images that are kept; a larger set is decoded anew at every access
_PROGRESS_FROM = 2000  # images; decoding fewer takes a moment only
_NAMED = 5  # damaged files that a warning names

Pixels = Shaped[np.ndarray, "h w c"]


class ImageFolder:
    """Images in one sub-folder per class.

    ``path`` is the folder that holds the class folders, or a zip file of them, which is read in place; in
    either, the class folders may lie inside one common top folder. Hidden files, ``__MACOSX`` and files that
    are no PNG, JPEG or TIFF are left out. Every image is decoded once at the start; damaged ones are skipped,
    with a warning that names them.

    Items are dicts of ``image`` float32 (h, w, c) in [0, 1], ``label`` int and ``path`` str, ordered by
    class, then by name with numbers in numeric order.

    Args:
        path: a folder or a zip file.
        size: side in pixels, or (height, width), to which every image is resized (squeezed, not cropped);
            None keeps the files' size, which must then be one and the same.
        channels: 1 for grey or 3 for colour; files of the other kind are converted.
        class_names: the class folders in the order of the labels, e.g. ``("healthy", "DR")`` so that class 1
            is the finding. Folders not named are left out. None takes all, sorted by name.
        memory_limit: bytes of decoded images that are kept in memory; a set larger than this is decoded again
            at every access. An image takes height * width * channels bytes, twice that if it has 16 bits.
        progress: whether to show a progress bar while many files are decoded.

    Attributes:
        class_names: the classes' names in the order of the labels.
        labels: the label of each item.
        paths: the path of each item.
        damaged: path of each damaged file -> what is wrong with it.
        ignored: how many visible files were left out since they are no images or lie in no class folder.

    Raises:
        InputError: the path does not exist or is neither a folder nor a zip file; there are no class folders,
            or only one; a class has no usable images, or has them in sub-folders; a class name is unknown or
            named twice; sizes differ while ``size`` is None; an option is out of its range.
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
    ) -> None:
        self._size, self._channels = _check_size(size), _check_channels(channels)
        self._tree = FileTree(path)
        classes, self.ignored = find_classes(self._tree)
        self.class_names = choose_classes(classes, class_names, self._tree)
        names = [name for label in self.class_names for name in classes[label]]
        self._names: list[PurePosixPath] = []
        self._kept: list[Pixels] | None = []
        self.damaged: dict[str, str] = {}
        self._scan(names, memory_limit, progress)
        self.paths = tuple(self._full(name) for name in self._names)
        self.labels = np.array([self.class_names.index(name.parent.name) for name in self._names], np.int64)
        self._report_damage()

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels = self._decode_again(self._names[index]) if self._kept is None else self._kept[index]
        return {"image": unit_range(pixels), "label": int(self.labels[index]), "path": self.paths[index]}

    def _scan(self, names: Sequence[PurePosixPath], memory_limit: int, progress: bool) -> None:
        """Decodes every file once; keeps the pixels as long as they fit into the memory allowed."""
        tqdm = import_extra("tqdm", "progress bars").tqdm
        hidden = None if progress and len(names) >= _PROGRESS_FROM else True  # None: hidden unless on a terminal
        used, first_of_shape = 0, dict[tuple[int, ...], str]()
        with quiet_opencv(), ThreadPoolExecutor(os.cpu_count()) as pool:
            results = tqdm(pool.map(self._try_decode, names), "reading images", len(names), disable=hidden)
            for name, result in zip(names, results, strict=True):
                if isinstance(result, str):
                    self.damaged[self._full(name)] = result
                    continue
                self._names.append(name)
                first_of_shape.setdefault(result.shape, self._full(name))
                used += result.nbytes
                if used > memory_limit:
                    self._kept = None
                if self._kept is not None:
                    self._kept.append(result)
        _check_one_shape(first_of_shape)

    def _try_decode(self, name: PurePosixPath) -> Pixels | str:
        """The pixels of a file, or what is wrong with it."""
        try:
            return decode_image(self._tree.read(name), channels=self._channels, size=self._size)
        except DamagedImage as error:
            return str(error)
        except UNREADABLE as error:
            return f"cannot be read ({error})"

    def _decode_again(self, name: PurePosixPath) -> Pixels:
        """The pixels of a file that could be decoded at the start."""
        result = self._try_decode(name)
        if isinstance(result, str):
            raise InputError(f"'{self._full(name)}' {result}, though it could be read at the start: restore the file")
        return result

    def _full(self, name: PurePosixPath) -> str:
        return str(self._tree.path / name)

    def _report_damage(self) -> None:
        """Names the damaged files; stops where a class has lost all its images."""
        described = [f"'{path}' {problem}" for path, problem in self.damaged.items()]
        named = "; ".join(described[:_NAMED]) + ("; ..." if len(described) > _NAMED else "")
        for label, name in enumerate(self.class_names):
            if label not in self.labels:
                raise InputError(
                    f"path: expected images of class '{name}', but none of its files can be used: {named}: "
                    "repair them, or leave the class out by class_names"
                )
        if described:
            total = len(described) + len(self._names)
            message = f"{len(described)} of {total} image files are damaged and skipped: {named}"
            warnings.warn(message, stacklevel=3)


def _check_one_shape(first_of_shape: dict[tuple[int, ...], str]) -> None:
    if len(first_of_shape) > 1:
        (one, path), (other, other_path) = list(first_of_shape.items())[:2]
        raise InputError(
            f"size: expected images of one size, got {one[0]}x{one[1]} ('{path}') and {other[0]}x{other[1]} "
            f"('{other_path}'): give `size` to resize them"
        )


def _check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    pair = (size, size) if isinstance(size, int) else size
    if pair is not None and (len(pair) != 2 or min(pair) < 1):
        raise InputError(f"size: expected a side or (height, width) in pixels, 1 or more, got {size}: give e.g. 224")
    return pair


def _check_channels(channels: int) -> int:
    if channels not in (1, 3):
        raise InputError(f"channels: expected 1 (grey) or 3 (colour), got {channels}")
    return channels
