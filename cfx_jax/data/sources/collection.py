"""A user's images as one collection: pictures, DICOM files, volumes; with what is known of each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.data.display_window import Window
from cfx_jax.data.nifti_slices import write_slices
from cfx_jax.data.slice_resizing import resize_labels
from cfx_jax.data.sources.collected_files import CollectedFile, Remarks
from cfx_jax.data.sources.decoding import quiet_opencv
from cfx_jax.data.sources.file_listing import StoredFile
from cfx_jax.data.sources.images_in_file import (
    Contents,
    bring_to,
    read_image,
    read_mask,
    read_volume,
    show_slice,
    window_width,
)
from cfx_jax.data.user_files import DamagedFile
from cfx_jax.errors import InputError

_KEPT_VOLUMES = 2


class ImageCollection:
    """A user's images, in any order, decoded as they are read.

    Made by :func:`cfx_jax.data.open_images`. ``collection[i]`` is a dict of ``image`` float32
    (h, w, c) in [0, 1], ``name``, and where they are known ``label`` and ``mask`` (h, w), whether
    a pixel is marked. An image that turns out damaged raises an ``InputError`` that names it.

    Attributes:
        names: a different text for each image: its path without the folders that all share, and
            the slice or frame.
        class_names: the classes in the order of the labels; none where none are known.
        labels: (n,) the class of each image, from 0; or None.
        groups: (n,) the name of each image's group, such as its patient; or None.
        splits: (n,) the part that a table puts each image into, as text; or None.
        shape: (h, w, c) of every image.
        skipped: a line for each file that is not used: its name and the reason.
        left_out: what else was found and is not used -> how many.
        notes: sentences on what was found, for the user.
        depth: bits that pictures of 16 bits use; None where they use all, or there are none.
        has_masks: whether items have a ``mask``.
    """

    def __init__(
        self,
        files: Sequence[CollectedFile],
        *,
        shape: tuple[int, int, int],
        size: tuple[int, int] | None,
        window: Window,
        depth: int | None,
        class_names: Sequence[str],
        has_masks: bool,
        remarks: Remarks,
    ) -> None:
        self._files = tuple(files)
        self._size, self._window, self.depth = size, window, depth
        self.shape, self.has_masks = shape, has_masks
        self.class_names = tuple(class_names)
        self.skipped, self.notes = tuple(remarks.skipped), tuple(remarks.notes)
        self.left_out: Mapping[str, int] = dict(remarks.left_out)
        counts = [len(file.contents.numbers) for file in self._files]
        self._file_of: Int[np.ndarray, " n"] = np.repeat(np.arange(len(counts)), counts)
        self._number_of = np.concatenate([file.contents.numbers for file in self._files])
        self.names = tuple(
            name for file in self._files for name in _image_names(file.name, file.contents)
        )
        self.labels: Int[np.ndarray, " n"] | None = self._of_images(
            [file.label for file in self._files], np.int64
        )

        self.groups: Shaped[np.ndarray, " n"] | None = self._of_images(
            [file.group for file in self._files], object
        )

        self.splits: Shaped[np.ndarray, " n"] | None = self._of_images(
            [file.entry.split for file in self._files], object
        )

        self._volumes = _VolumeCache()

    def __len__(self) -> int:
        return len(self._file_of)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected a place in 0..{len(self) - 1}, got {index}")
        place = index % len(self)
        item: dict[str, Any] = {"image": self._image(place), "name": self.names[place]}
        if self.labels is not None:
            item["label"] = int(self.labels[place])
        if self.has_masks:
            item["mask"] = self._mask(place)
        return item

    @property
    def file_groups(self) -> Int[np.ndarray, " n"]:
        """Groups by file, (n,): for each image the place of the first image of its file."""
        return np.searchsorted(self._file_of, self._file_of)

    @property
    def volumes(self) -> dict[str, Int[np.ndarray, " s"]]:
        """Name of each volume -> the places of its slices in the collection."""
        return {
            file.name: np.flatnonzero(self._file_of == number)
            for number, file in enumerate(self._files)
            if file.contents.kind == "NIfTI"
        }

    def write_volume(
        self,
        path: str | Path,
        slices: Mapping[int, Float[np.ndarray, "h w"]],
        *,
        add: bool = False,
    ) -> Path:
        """Writes maps or changes of slices as a NIfTI volume on the grid of the slices' volume.

        Args:
            path: the file to write, .nii or .nii.gz.
            slices: place in the collection -> a map of that slice; all of one volume.
            add: whether the slices are changes of images in [0, 1], which are added to the
                volume's values, scaled back by the window.

        Returns:
            The path. The file has the volume's shape and affine matrix; slices that are not given
            are 0, or stay as they are where changes are added.

        Raises:
            InputError: the places are not of one volume, or the file cannot be written.
        """
        places = list(slices)
        numbers = {int(self._file_of[place]) for place in places}
        file = self._files[numbers.pop()] if len(numbers) == 1 else None
        if file is None or file.contents.kind != "NIfTI":
            raise InputError("slices: expected places of slices of one volume, see `volumes`")
        scaled = {}
        for place, values in slices.items():
            number = int(self._number_of[place])
            width = 1.0
            if add:
                original = self._volumes.read(file.entry.file)[number]
                width = window_width(original, file.contents, window=self._window)
            scaled[number] = np.asarray(values) * np.float32(width)
        with file.entry.file.on_disk() as like:
            return write_slices(path, scaled, like=like, add=add)

    def _of_images(self, values: Sequence[Any], dtype: Any) -> np.ndarray | None:
        """For each image the value of its file, (n,); None if any file has none."""
        if any(value is None for value in values):
            return None
        return np.array(values, dtype)[self._file_of]

    def _image(self, place: int) -> Float[np.ndarray, "h w c"]:
        try:
            image = self._decode(place)
        except (DamagedFile, InputError) as error:
            raise InputError(f"{self.names[place]}: {error}") from error
        if image.shape != self.shape:
            raise InputError(
                f"{self.names[place]}: expected an image of {self.shape[0]} x {self.shape[1]}, got"
                f" {image.shape[0]} x {image.shape[1]}: give a size"
            )
        return image

    def _decode(self, place: int) -> Float[np.ndarray, "h w c"]:
        file, number = self._files[self._file_of[place]], int(self._number_of[place])
        if file.contents.kind == "NIfTI":
            values = self._volumes.read(file.entry.file)[number]
            image = show_slice(values, file.contents, window=self._window)
            return bring_to(image, self._size, self.shape[2])
        with quiet_opencv():
            return read_image(
                file.entry.file,
                file.contents,
                number,
                size=self._size,
                channels=self.shape[2],
                window=self._window,
                depth=self.depth,
            )

    def _mask(self, place: int) -> Shaped[np.ndarray, "h w"]:
        file, number = self._files[self._file_of[place]], int(self._number_of[place])
        if file.entry.mask is None or file.mask is None:
            return np.zeros(self.shape[:2], bool)
        try:
            mask = read_mask(file.entry.mask, file.mask, number)
        except (DamagedFile, InputError) as error:
            raise InputError(f"{self.names[place]}: its mask: {error}") from error
        return resize_labels(mask[None], (self.shape[0], self.shape[1]))[0]


class _VolumeCache:
    """The volumes that were read last, for threads that read slices one after the other."""

    def __init__(self) -> None:
        self._lock, self._kept = Lock(), dict[Path, Float[np.ndarray, "s h w"]]()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()  # a copy in another process starts empty

    def read(self, file: StoredFile) -> Float[np.ndarray, "s h w"]:
        with self._lock:
            if file.path not in self._kept:
                while len(self._kept) >= _KEPT_VOLUMES:
                    del self._kept[next(iter(self._kept))]
                self._kept[file.path] = read_volume(file)
            return self._kept[file.path]


def _image_names(name: str, contents: Contents) -> list[str]:
    if contents.kind == "NIfTI":
        return [f"{name} slice {number}" for number in contents.numbers]
    if len(contents.numbers) > 1:
        return [f"{name} frame {number}" for number in contents.numbers]
    return [name]
