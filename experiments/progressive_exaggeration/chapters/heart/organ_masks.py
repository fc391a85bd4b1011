"""Masks of heart and lungs, and the sizes that are measured on them."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.errors import import_extra
from cfx_jax.metrics import HeartSize, heart_size
from experiments.shared import ImageSet

ORGANS = ("lungs", "heart")
"""The organs in the order of a pixel's classes, after the background; the heart hides the lungs."""

# A second lung is at least so large, as a share of the first; anything smaller is astray.
_LEAST = 0.25


def has_hearts(images: ImageSet) -> bool:
    """Whether the masks of heart and lungs are known."""
    return {"heart_mask", "lung_mask", "counterfactual_heart_mask"} <= set(
        images.source[int(images.indices[0])]
    )


def classes_of(
    arrays: Mapping[str, np.ndarray], *, heart: str = "heart_mask"
) -> Int[np.ndarray, "n h w"]:
    """The class of each pixel by the true masks: 0 background, 1 lungs, 2 the heart over them.

    Args:
        arrays: the arrays of an image set, by name.
        heart: name of the heart's mask, for the counterfactuals' another one.
    """
    return np.where(arrays[heart], 2, arrays["lung_mask"].astype(int))


def true_organs(images: ImageSet, *, heart: str = "heart_mask") -> Bool[np.ndarray, "n h w 2"]:
    """Lungs and heart by the true masks, arguments as ``classes_of``."""
    classes = classes_of(images.arrays, heart=heart)
    return np.stack([classes == 1 + organ for organ in range(len(ORGANS))], axis=-1)


def organs_of(classes: Int[np.ndarray, "n h w"]) -> Bool[np.ndarray, "n h w 2"]:
    """Lungs and heart of a segmentation without what is astray.

    Kept is one heart, and of the lungs what hangs together with it, or the two largest parts: a
    large heart cuts corners of the left lung off.
    """
    organs = [((map == 1) & largest(map > 0, 2), largest(map == 2, 1)) for map in classes]
    return np.moveaxis(np.asarray(organs), 1, -1)


def largest(mask: Bool[np.ndarray, "h w"], number: int) -> Bool[np.ndarray, "h w"]:
    """The largest connected parts of a mask, at most so many.

    Each of them is at least a quarter of the first.
    """
    parts, count = import_extra("scipy.ndimage", "clearing segmentations").label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(parts.ravel())[1:]
    first = np.argsort(-sizes, kind="stable")[:number]
    return np.isin(parts, 1 + first[sizes[first] >= _LEAST * sizes.max()])


def sizes_of(organs: Bool[np.ndarray, "*batch h w 2"]) -> HeartSize:
    """The area and the cardiothoracic ratio; the thorax is the box around lungs and heart.

    NaN stands where no lung is found.
    """
    has_lung = organs[..., 0].any(axis=(-2, -1), keepdims=True)
    return heart_size(organs[..., 1], np.logical_and(organs.any(axis=-1), has_lung))


def true_sizes(images: ImageSet, *, heart: str = "heart_mask") -> HeartSize:
    """The sizes of the hearts of the true masks."""
    return sizes_of(true_organs(images, heart=heart))
