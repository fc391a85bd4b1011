"""The images of a collection in memory, and what is made of them written back to their volumes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.data import ImageCollection
from cfx_jax.errors import InputError


class LoadedImages(NamedTuple):
    """Images of a collection.

    Attributes:
        images: (m, h, w, c), in [0, 1].
        places: (m,) of each image in the collection.
        damaged: a line for each image that could not be decoded: its name and the reason.
    """

    images: Float[np.ndarray, "m h w c"]
    places: Int[np.ndarray, " m"]
    damaged: tuple[str, ...]


def load_images(collection: ImageCollection, *, most: int | None = None) -> LoadedImages:
    """Decodes images of a collection, without those that are damaged.

    Args:
        collection: the images.
        most: how many to decode, from the first on; None decodes all.

    Returns:
        The images.

    Raises:
        InputError: none can be decoded.
    """
    images, places, damaged = list[np.ndarray](), list[int](), list[str]()
    for place in range(len(collection)):
        if len(images) == most:
            break
        try:
            images.append(collection[place]["image"])
            places.append(place)
        except InputError as error:
            damaged.append(str(error))
    if not images:
        raise InputError(f"images: none of {len(damaged)} can be decoded; the first: {damaged[0]}")
    return LoadedImages(np.stack(images), np.array(places), tuple(damaged))


def write_volumes(
    folder: Path,
    collection: ImageCollection,
    method: str,
    picture_of: Callable[[int], Float[np.ndarray, "h w c"] | None],
    *,
    changes: bool = False,
) -> list[Path]:
    """Writes pictures of slices as NIfTI volumes, ``NAME_METHOD.nii.gz``, one volume at a time.

    Args:
        folder: where they are written.
        collection: the images.
        method: name of the method that made the pictures.
        picture_of: the place of a slice in the collection -> its map, or the change of its image;
            None for a slice without one.
        changes: whether they are changes, which are added to the volume.

    Returns:
        The files, each with the affine matrix and the shape of its volume. None for a volume of
        which no slice has a picture.

    Raises:
        InputError: a file cannot be written.
    """
    written = []
    for name, places in collection.volumes.items():
        stem = name.replace("/", "_").removesuffix(".gz").removesuffix(".nii")
        slices = dict[int, Float[np.ndarray, "h w"]]()
        for place in places.tolist():
            picture = picture_of(place)
            if picture is not None:
                slices[place] = _of_one_channel(picture, changes=changes)
        if slices:
            path = folder / f"{stem}_{method}.nii.gz"
            written.append(collection.write_volume(path, slices, add=changes))
    return written


def _of_one_channel(
    picture: Float[np.ndarray, "h w c"], *, changes: bool
) -> Float[np.ndarray, "h w"]:
    """Of a map the sum over channels; of a change its mean, since a slice is grey."""
    return picture.mean(2) if changes else picture.sum(2)
