"""A user's folder of images as an image set of two classes."""

from collections.abc import Sequence

import numpy as np

from cfx_jax.data import ImageFolder, load_arrays
from cfx_jax.errors import InputError
from experiments.image_set import ImageSet, StoredImages
from trainers.identity import digest

FOLDER_NOTE = "Split by image: where several images show one person, accuracy on new persons is lower than printed."
"""What stands beside figures on such images."""


def load_folder(path: str, *, size: int, channels: int, classes: Sequence[str]) -> ImageSet:
    """Reads a folder with one sub-folder for each class, or a zip of such.

    Args:
        path: the folder or zip.
        size: side to which images are resized, in pixels.
        channels: 1 or 3.
        classes: sub-folders in the order of the labels; empty for all there are, by name.

    Returns:
        All images, in memory.

    Raises:
        InputError: the folder cannot be used, or does not have two classes.
    """
    folder = ImageFolder(path, size=size, channels=channels, class_names=list(classes) or None)
    if len(folder.class_names) != 2:
        raise InputError(
            f"--data: expected two classes, found {len(folder.class_names)} ({', '.join(folder.class_names)}): choose two,"
            f" e.g. --classes {folder.class_names[0]} {folder.class_names[1]}"
        )
    arrays = load_arrays(folder, np.arange(len(folder)), fields=("image", "label"))
    return ImageSet.whole(StoredImages(arrays, folder.class_names), [list(folder.class_names), digest(arrays)])
