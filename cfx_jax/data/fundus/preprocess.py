"""From a photograph of the eye to the image that a classifier sees.

The steps and their order follow Boreiko et al. (MICCAI 2022): CLAHE, a circle fitted to the edges,
a tight crop, 224 x 224 pixels. The circle is found in the photograph as it was, since CLAHE lifts
the noise of the dark ground.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from cfx_jax.data.fundus.circle import fit_circle
from cfx_jax.data.fundus.clahe import clahe as even_contrast
from cfx_jax.data.fundus.crop import crop_to_circle
from cfx_jax.data.fundus.pixels import Circle, UnusableImage, check_pixels
from cfx_jax.data.sources.resizing import resize
from cfx_jax.errors import InputError

_DARKEST_USED = 16  # grey level that at least a hundredth of the picture must reach
# Grey level, the mean of the channels; red alone saturates in good photographs too.
_SATURATED = 250
_LOOKED_AT = 64  # side of the thumbnails on which exposure is judged


class Prepared(NamedTuple):
    """A photograph as a classifier sees it.

    Attributes:
        image: uint8 (size, size, 3), 0 outside of the eye.
        eye_mask: bool (size, size).
        circle: the eye's, in the photograph.
    """

    image: UInt8[np.ndarray, "size size 3"]
    eye_mask: Bool[np.ndarray, "size size"]
    circle: Circle


def preprocess(
    image: UInt8[np.ndarray, "h w 3"],
    *,
    size: int = 224,
    clahe: bool = True,
    clip_limit: float = 2.0,
    tiles: int = 5,
) -> Prepared:
    """Prepares one photograph of the eye.

    Args:
        image: red, green, blue.
        size: side of the result in pixels.
        clahe: whether to even out the local contrast first.
        clip_limit: see :func:`clahe`.
        tiles: see :func:`clahe`.

    Returns:
        The cropped image, the mask of the eye in it, and the circle in the photograph.

    Raises:
        UnusableImage: the photograph is too small, too dark, over-exposed or shows no eye.
        InputError: the image is no uint8 colour image, or an option is out of its range.

    Example:
        >>> rows, columns = np.mgrid[:120, :160]
        >>> eye = np.hypot(columns - 80, rows - 60) < 50
        >>> prepared = preprocess(np.uint8(eye[..., None] * (180, 90, 40)), size=32)
        >>> prepared.image.shape, prepared.eye_mask.dtype
        ((32, 32, 3), dtype('bool'))
    """
    check_pixels(image)
    if size < 1:
        raise InputError(f"size: expected at least 1 pixel, got {size}: give e.g. 224")
    _check_light(image)
    circle = fit_circle(image)
    _check_saturation(image, circle)
    contrasted = even_contrast(image, clip_limit=clip_limit, tiles=tiles) if clahe else image
    return Prepared(*crop_to_circle(contrasted, circle, size=size), circle)


def _check_light(image: UInt8[np.ndarray, "h w 3"]) -> None:
    grey = resize(image, (_LOOKED_AT, _LOOKED_AT)).mean(-1)
    bright = np.quantile(grey, 0.99)
    if bright < _DARKEST_USED:
        raise UnusableImage(f"too dark: 99% of it is below grey level {bright:.0f} of 255")


def _check_saturation(image: UInt8[np.ndarray, "h w 3"], circle: Circle) -> None:
    small, inside = crop_to_circle(image, circle, size=_LOOKED_AT)
    white = float((small[inside].mean(-1) >= _SATURATED).mean())
    if white > 0.5:
        raise UnusableImage(f"over-exposed: {white:.0%} of the eye is white")
