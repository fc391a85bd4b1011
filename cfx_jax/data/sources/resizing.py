"""Resizing pictures, each axis by itself.

Where an axis shrinks, areas are averaged; where it grows, values are interpolated.
"""

import numpy as np
from jaxtyping import Shaped

from cfx_jax.errors import import_extra


def resize(
    image: Shaped[np.ndarray, "h w *c"], size: tuple[int, int]
) -> Shaped[np.ndarray, "H W *c"]:
    """Brings a picture to another size; its shape is not preserved.

    An axis that shrinks is averaged over the area that a new pixel covers, so that nothing of it is
    left out. One that grows is interpolated linearly between the centres of pixels; beyond the
    outermost centres it is constant. So what lies at a share of the picture's height or width stays
    there, and masks and boxes keep their places.

    Args:
        image: an image of unsigned integers of 8 or 16 bits, or of float32.
        size: the new height and width, above 0.

    Returns:
        The picture in its dtype, between the picture's smallest and largest value; whole numbers
        are rounded once for each axis that is treated by itself.
    """
    before, after, channels = image.shape[:2], tuple(size), image.shape[2:]
    if before == after:
        return image
    cv2 = import_extra("cv2", "resizing pictures")
    picture = image
    # OpenCV averages over areas only if no axis grows: those that shrink go first.
    smaller = (min(before[0], after[0]), min(before[1], after[1]))
    for (height, width), method in ((smaller, cv2.INTER_AREA), (after, cv2.INTER_LINEAR)):
        if (height, width) != picture.shape[:2]:
            picture = cv2.resize(picture, (width, height), interpolation=method)
    return between_values(picture.reshape(*after, *channels), image)


def between_values(
    means: Shaped[np.ndarray, "..."], image: Shaped[np.ndarray, "..."]
) -> Shaped[np.ndarray, "..."]:
    """Weighted means of an image's pixels, between its smallest and its largest value.

    Means do not lead out of the values, but by the rounding of floats they do; means in whole
    numbers stay as they are.

    Args:
        means: the means, in the dtype of the image.
        image: the image.
    """
    is_float = np.issubdtype(means.dtype, np.floating)
    return np.clip(means, image.min(), image.max()) if is_float else means
