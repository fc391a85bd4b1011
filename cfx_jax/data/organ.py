"""The organ in a scan, such as the brain in a slice of a head, found by brightness alone.

It is for checks of what a classifier looks at, not for measuring organs: look at the masks before
you use them.
"""

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_between_0_and_1, check_image
from cfx_jax.errors import import_extra

_THINNEST = 0.1  # of the tissue's size: what is thinner is a skull, a scalp or a bridge to them


def find_organ(
    image: Float[AnyArray, "h w c"], *, thinnest: float = _THINNEST
) -> Bool[np.ndarray, "h w"]:
    """Finds the largest thick bright region of an image, with its holes.

    1. Pixels brighter than Otsu's threshold of the image are tissue.
    2. What is thinner than a share of the tissue's size is taken off by erosion, and with it
       bridges between regions. The size is the root of the area of the tissue with its holes.
    3. The largest connected region that is left is the core of the organ; it is dilated as far as
       it was eroded, within the tissue.
    4. Dark holes within it, such as ventricles, belong to it.

    Args:
        image: values in [0, 1], brighter than its background; channels are averaged.
        thinnest: the share of the tissue's size, in (0, 1), that is too thin to be the organ.

    Returns:
        True on the organ; nowhere on an image without a thick bright region.

    Raises:
        InputError: no valid image, or a share out of range.

    Source of the threshold: Otsu 1979, "A threshold selection method from gray-level histograms".

    Example:
        >>> rows, columns = np.mgrid[:64, :64]
        >>> radius = np.hypot(rows - 32, columns - 32)
        >>> head = 0.4 * (radius < 20) + 0.9 * ((radius > 25) & (radius < 28))
        >>> bool((find_organ(head[..., None].astype(np.float32)) == (radius < 20)).mean() > 0.99)
        True
    """
    check_image(image)
    check_between_0_and_1(thinnest, name="thinnest")
    cv2 = import_extra("cv2", "finding organs")
    ndimage = import_extra("scipy.ndimage", "finding organs")
    grey = np.round(255 * np.asarray(image, np.float32).mean(axis=-1)).astype(np.uint8)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    tissue = grey > threshold
    size = np.sqrt(ndimage.binary_fill_holes(tissue).sum())
    disk = _disk(max(1, round(thinnest * size / 2)))
    regions, count = ndimage.label(ndimage.binary_erosion(tissue, disk))
    if not count:
        return np.zeros(grey.shape, bool)
    core = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    return ndimage.binary_fill_holes(ndimage.binary_dilation(core, disk) & tissue)


def _disk(radius: int) -> Bool[np.ndarray, "d d"]:
    """The pixels within a distance of the middle pixel."""
    grid = np.arange(-radius, radius + 1)
    return np.hypot(grid[:, None], grid) <= radius
