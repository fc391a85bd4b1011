"""The size of the heart relative to the chest, from masks (Singla et al. 2020, section 4.2,
cardiomegaly).

The paper's "normalised heart size" has no formula. Given here are the heart's area over that of the
lungs' bounding box, and the cardiothoracic ratio that radiologists measure. Both are free of the
image's scale.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics.map_arrays import SPACE, as_mask
from cfx_jax.metrics.value_arrays import check_same_shape, ratio


class HeartSize(NamedTuple):
    """How large the heart of each image is; NaN where no lung is found, 0 where no heart is."""

    area: Float[np.ndarray, "*batch"]
    """Pixels of the heart over those of the bounding box of the lungs, the thorax."""
    cardiothoracic_ratio: Float[np.ndarray, "*batch"]
    """Width of the heart over that of the thorax, each from its leftmost to its rightmost column;
    above about 0.5 in an adult the heart is held for enlarged."""


def heart_size(
    heart: Bool[np.ndarray, "*batch h w"], lungs: Bool[np.ndarray, "*batch h w"]
) -> HeartSize:
    """The size of the heart in frontal radiographs.

    Clear stray pixels of a segmentation away first: one of them widens a box.

    Args:
        heart: True on the heart.
        lungs: True on both lungs.

    Returns:
        Both measures of each image.

    Raises:
        InputError: fewer than two axes, no pixel, values other than 0 and 1, or the shapes differ.
    """
    heart, lungs = as_mask(heart, name="heart"), as_mask(lungs, name="lungs")
    check_same_shape(heart, lungs, names=("heart", "lungs"))
    height, width = _extent(lungs, axis=-2), _extent(lungs, axis=-1)
    return HeartSize(
        ratio(heart.sum(axis=SPACE), height * width), ratio(_extent(heart, axis=-1), width)
    )


def _extent(mask: Bool[np.ndarray, "*batch h w"], *, axis: int) -> Int[np.ndarray, "*batch"]:
    """From the first to the last row (axis -2) or column (axis -1) that the mask touches, both
    counted; 0 for none.
    """
    touched = np.asarray(mask.any(axis=-1 if axis == -2 else -2))
    first, behind_last = (
        touched.argmax(axis=-1),
        touched.shape[-1] - touched[..., ::-1].argmax(axis=-1),
    )
    return np.where(touched.any(axis=-1), behind_last - first, 0)
