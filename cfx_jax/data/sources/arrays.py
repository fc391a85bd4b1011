"""Images and labels that are in memory already."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from cfx_jax.errors import InputError


class ArraySource:
    """A source of images that the caller holds as arrays; nothing is copied.

    Args:
        images: (n, h, w, c), or volumes (n, s, h, w, c), float32 in [0, 1], or uint8, which is
            divided by 255 as it is read.
        labels: (n,) integer classes, 0 to k - 1.
        class_names: the k classes' names.

    Raises:
        InputError: shape, dtype or values are not as described.

    Example:
        >>> images, labels = np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1])
        >>> source = ArraySource(images, labels, ("healthy", "DR"))
        >>> len(source), source[1]["label"], source[1]["image"].dtype
        (2, 1, dtype('float32'))
    """

    def __init__(
        self,
        images: Float[np.ndarray, "n *s h w c"] | UInt8[np.ndarray, "n *s h w c"],
        labels: Int[np.ndarray, " n"],
        class_names: Sequence[str],
    ) -> None:
        self.images = np.asarray(images)
        self.labels = np.asarray(labels)
        if isinstance(class_names, str) or not isinstance(class_names, Iterable):
            raise InputError(f"class_names: expected names in a list, got {class_names!r}")
        self.class_names = tuple(class_names)
        _check_images(self.images)
        _check_labels(self.labels, len(self.images), self.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = self.images[index]
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / 255
        return {"image": image, "label": int(self.labels[index])}


def _check_images(images: np.ndarray) -> None:
    if images.ndim not in (4, 5) or not images.size:
        hint = (
            ": add a channel axis with images[..., None]"
            if images.ndim == 3
            else ": stack images of one size"
        )
        raise InputError(
            f"images: expected a non-empty array (n, h, w, c), got shape {images.shape}{hint}"
        )
    if images.dtype not in (np.uint8, np.float32):
        raise InputError(
            f"images: expected float32 in [0, 1] or uint8, got {images.dtype}: scale to [0, 1] and"
            " cast to float32"
        )
    low, high = images.min(), images.max()
    if images.dtype == np.float32 and not (low >= 0 and high <= 1):  # NaN fails both
        raise InputError(
            f"images: expected finite values in [0, 1], got [{low:g}, {high:g}]: rescale, and"
            " repair what is not finite"
        )


def _check_labels(labels: np.ndarray, number: int, class_names: Sequence[str]) -> None:
    if labels.shape != (number,) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"labels: expected {number} integers, one for each image, got shape {labels.shape} of"
            f" {labels.dtype}: give one class number for each image"
        )
    if len(class_names) < 2 or labels.min() < 0 or labels.max() >= len(class_names):
        raise InputError(
            f"labels: expected classes in 0..{len(class_names) - 1} and at least two class names,"
            f" got labels in {labels.min()}..{labels.max()} and {len(class_names)} names: correct"
            " the labels or class_names"
        )
