"""A user's folder of images as an image set of two classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from cfx_jax.data import ImageFolder, load_arrays
from cfx_jax.errors import InputError
from experiments.shared.images import ImageSet, StoredImages
from trainers import digest

FOLDER_NOTE = (
    "Split by image: where several images show one person, accuracy on new persons is lower than"
    " printed."
)
"""The note beside figures on such images."""


class FolderImages(StoredImages):
    """The images of a folder, in memory.

    Args:
        folder: the folder, read.

    Attributes:
        counts: what the folder has beside usable images, see ``ImageFolder``.
        copies: for each image the place of the first that equals it, so that copies come into one
            part of a split; None where no image occurs twice.
    """

    def __init__(self, folder: ImageFolder) -> None:
        super().__init__(
            load_arrays(folder, np.arange(len(folder)), fields=("image", "label")),
            folder.class_names,
        )
        self.counts: Mapping[str, int] = folder.counts
        single = len(np.unique(folder.copies)) == len(folder)
        self.copies: Int[np.ndarray, " n"] | None = None if single else folder.copies


def load_folder(path: str, *, size: int, channels: int, classes: Sequence[str]) -> ImageSet:
    """Reads a folder with one sub-folder for each class, or a zip of such.

    Args:
        path: the folder or zip.
        size: side to which images are resized, in pixels.
        channels: 1 or 3.
        classes: sub-folders in the order of the labels; empty for all there are, by name.

    Returns:
        All images, in memory; the source is a ``FolderImages``.

    Raises:
        InputError: the folder cannot be used, or does not have two classes.
    """
    folder = ImageFolder(path, size=size, channels=channels, class_names=list(classes) or None)
    if len(folder.class_names) != 2:
        raise InputError(
            f"--data: expected two classes, found {len(folder.class_names)}"
            f" ({', '.join(folder.class_names)}): choose two, e.g. --classes"
            f" {folder.class_names[0]} {folder.class_names[1]}"
        )
    source = FolderImages(folder)
    fingerprints = np.frombuffer(b"".join(folder.fingerprints), np.uint8)
    return ImageSet.whole(source, [list(folder.class_names), digest([fingerprints, folder.labels])])


def folder_note(images: ImageSet) -> str:
    """The note beside figures on a folder's images: how they are split, and what was left out."""
    if not isinstance(images.source, FolderImages):
        return FOLDER_NOTE
    counts = [f"{count} {what}" for what, count in images.source.counts.items() if count]
    kept = " Images that are equal are in one part." if images.source.copies is not None else ""
    return f"{FOLDER_NOTE}{kept}{' In the folder: ' + ', '.join(counts) + '.' if counts else ''}"
