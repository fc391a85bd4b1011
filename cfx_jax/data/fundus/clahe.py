"""Contrast limited adaptive histogram equalisation (CLAHE) of photographs of the eye, by OpenCV.

As Boreiko et al. (MICCAI 2022) prepare their images: on the lightness of the CIELAB space only, so
that colours stay. Deviation: the code released for this hands red, green, blue to a conversion that
expects blue, green, red; here the order is right, which changes the lightness a little.

K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
"""

import numpy as np
from jaxtyping import UInt8

from cfx_jax.checks import check_positive
from cfx_jax.data.fundus.pixels import check_pixels
from cfx_jax.errors import InputError, import_extra


def clahe(
    image: UInt8[np.ndarray, "h w 3"], *, clip_limit: float = 2.0, tiles: int = 5
) -> UInt8[np.ndarray, "h w 3"]:
    """Evens out the local contrast of a colour photograph.

    Args:
        image: red, green, blue.
        clip_limit: above 0; how many times the mean count a bin of a tile's histogram may hold.
        tiles: the image is divided into tiles x tiles parts with a histogram each; at least 1.

    Returns:
        An image of the same shape; a new array.

    Raises:
        InputError: the image is no uint8 colour image, or an option is out of its range.

    Example:
        >>> clahe(np.zeros((50, 50, 3), np.uint8)).shape
        (50, 50, 3)
    """
    check_pixels(image)
    check_positive(clip_limit, name="clip_limit")
    if tiles < 1:
        raise InputError(f"tiles: expected at least 1 tile a side, got {tiles}: give e.g. 5")
    cv2 = import_extra("cv2", "preparing photographs of the eye")
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(
        np.ascontiguousarray(lab[..., 0])
    )
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
