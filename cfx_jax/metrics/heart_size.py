"""The size of the heart relative to the chest, from masks.

Singla et al. 2020 (section 4.2, cardiomegaly) give no formula of their "normalised heart size". The
two measures here are the heart's area over the area of the lungs' bounding box, and the
cardiothoracic ratio that radiologists measure. Neither depends on the image's scale.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics.checks import SPACE, as_mask, check_same_shape, ratio


class HeartSize(NamedTuple):
    """The size of the heart of each image; NaN without a lung, 0 without a heart."""

    area: Float[np.ndarray, "*batch"]
    """Pixels of the heart over the pixels of the bounding box of the lungs, the thorax."""
    cardiothoracic_ratio: Float[np.ndarray, "*batch"]
    """Width of the heart over the width of the thorax, each from its leftmost to its rightmost
    column; an adult's heart counts as enlarged above about 0.5.
    """


def heart_size(
    heart: Bool[np.ndarray, "*batch h w"], lungs: Bool[np.ndarray, "*batch h w"]
) -> HeartSize:
    """Measures the size of the heart in frontal radiographs, as shares of the thorax.

    Clear stray pixels of a segmentation away first: one of them widens a box.

    Args:
        heart: True on the heart.
        lungs: True on both lungs.

    Returns:
        Both measures of each image.

    Raises:
        InputError: there are fewer than two axes, no pixel, a value other than 0 and 1, or the
            shapes differ.

    >>> size = heart_size(np.array([[0, 1, 0, 0]]), np.array([[1, 0, 0, 1]]))
    >>> float(size.area), float(size.cardiothoracic_ratio)
    (0.25, 0.25)
    """
    heart, lungs = as_mask(heart, name="heart"), as_mask(lungs, name="lungs")
    check_same_shape(heart, lungs, names=("heart", "lungs"))
    height, width = _extent(lungs, axis=-2), _extent(lungs, axis=-1)
    return HeartSize(
        ratio(heart.sum(axis=SPACE), height * width), ratio(_extent(heart, axis=-1), width)
    )


def _extent(mask: Bool[np.ndarray, "*batch h w"], *, axis: int) -> Int[np.ndarray, "*batch"]:
    """Counts the rows or columns from the first to the last one that a mask touches; 0 for none.

    Axis -2 counts rows, axis -1 columns.
    """
    touched = np.asarray(mask.any(axis=-1 if axis == -2 else -2))
    first, behind_last = (
        touched.argmax(axis=-1),
        touched.shape[-1] - touched[..., ::-1].argmax(axis=-1),
    )
    return np.where(touched.any(axis=-1), behind_last - first, 0)
