"""The images of a run: an array, or a source that reads an image when it is needed."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_images, check_texts
from cfx_jax.data.sources.decoding import DamagedImage
from cfx_jax.errors import InputError
from cfx_jax.explain.name_cleaning import clean_name


class Images(NamedTuple):
    """The images of a run.

    Attributes:
        read: number -> image (h, w, c) in [0, 1]; raises ``InputError`` or ``DamagedImage`` for a
            damaged file. It is called from several threads.
        names: of the images.
        labels: names of the true classes, empty where unknown; none at all where no source knows.
        skipped: a line for each file that is no image of the run.
    """

    read: Callable[[int], Float[np.ndarray, "h w c"]]
    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def image_or_reason(
        self, number: int, shape: tuple[int, ...] | None
    ) -> Float[np.ndarray, "h w c"] | str:
        """An image, or why there is none.

        Args:
            number: of the image.
            shape: that it must have; None takes any.
        """
        try:
            image = self.read(number)
        except (InputError, DamagedImage, OSError) as error:
            return str(error).removeprefix(f"{self.names[number]}: ")
        if shape is not None and image.shape != shape:
            return f"expected the shape {shape} of the first image, got {image.shape}: give a size"
        return image

    def first_readable(self, most: int) -> tuple[dict[int, Float[np.ndarray, "h w c"]], list[str]]:
        """Reads the first images that can be read.

        Args:
            most: how many, at least 1.

        Returns:
            The images by number, and for each image before the last of them that cannot be read its
            name and the reason.
        """
        read: dict[int, Float[np.ndarray, "h w c"]] = {}
        reasons = []
        for number, name in enumerate(self.names):
            image = self.image_or_reason(number, None)
            if isinstance(image, str):
                reasons.append(f"{name}: {image}")
                continue
            read[number] = image
            if len(read) == most:
                break
        return read, reasons


def images_of(images: Any, names: Sequence[str] | None) -> Images:
    """The images that a user gave, in one form.

    Args:
        images: an array (n, h, w, c), or a source: ``len``, ``source[i]["image"]``,
            ``class_names``, and if it has them ``names``, ``labels`` and ``skipped``.
        names: of the images; None takes the source's, or numbers them.

    Raises:
        InputError: no images, or names that are not one for each.
    """
    if not hasattr(images, "class_names"):
        array = np.asarray(images)
        check_images(array)
        return Images(array.__getitem__, _names(names, len(array)))
    if not len(images):
        raise InputError("images: expected at least one, got none")
    names = getattr(images, "names", None) if names is None else names
    return Images(
        lambda number: np.asarray(images[number]["image"], np.float32),
        _names(names, len(images)),
        _labels(images),
        tuple(map(clean_name, getattr(images, "skipped", ()))),
    )


def _labels(source: Any) -> tuple[str, ...]:
    labels, classes = getattr(source, "labels", None), tuple(source.class_names)
    if labels is None or not classes:
        return ()
    return tuple(
        clean_name(classes[label]) if 0 <= label < len(classes) else ""
        for label in map(int, labels)
    )


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"image {number}" for number in range(count))
    check_texts(names, name="names")
    if len(names) != count:
        raise InputError(f"names: expected {count}, one for each image, got {len(names)}")
    return tuple(map(clean_name, names))
