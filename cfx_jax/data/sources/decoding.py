"""From the bytes of an image file to an array, by OpenCV.

PNG, JPEG and TIFF (the first page), grey, colour or palette. The camera's orientation is applied and
transparency dropped, though OpenCV has by then laid a transparent 8-bit TIFF on black. Integer pixels are
scaled by their type's maximum, so 12-bit data in a 16-bit file come out dark; float pixels must lie in [0, 1]
already.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.errors import import_extra

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


class DamagedImage(Exception):
    """The bytes are no image that can be used; the message says why."""


def decode_image(data: bytes, *, channels: int, size: tuple[int, int] | None = None) -> Shaped[np.ndarray, "h w c"]:
    """Decodes an image file.

    Args:
        data: the file's content.
        channels: 1 converts to grey, 3 to red, green, blue.
        size: (height, width) to resize to, by area averaging where that shrinks the image and linearly where
            it enlarges it; the shape is not preserved. None keeps the file's.

    Returns:
        The pixels as uint8, uint16 or float32; see :func:`unit_range`.

    Raises:
        DamagedImage: the content cannot be decoded, is cut short, or has pixels of another kind.
    """
    cv2 = import_extra("cv2", "reading image files")
    _check_complete(data)
    # Unlike IMREAD_UNCHANGED these flags drop transparency and apply the EXIF orientation.
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DamagedImage("cannot be decoded") from error
    if image is None:
        raise DamagedImage("cannot be decoded")
    _check_pixels(image)
    image = _with_channels(image, channels)
    return _resized(image, size or image.shape[:2]).reshape(*(size or image.shape[:2]), channels)


def unit_range(pixels: Shaped[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """Decoded pixels as float32 in [0, 1]."""
    if pixels.dtype == np.float32:
        return pixels
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from printing about damaged files, which are reported otherwise."""
    logging = import_extra("cv2", "reading image files").utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _check_complete(data: bytes) -> None:
    """Finds a JPEG that is cut short: OpenCV fills its rest with grey. PNG and TIFF fail by themselves."""
    # Scan data cannot contain the end marker: it must follow the last scan's start (a thumbnail has its own).
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise DamagedImage("is cut short")


def _check_pixels(image: np.ndarray) -> None:
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise DamagedImage(f"has pixels of type {image.dtype}, not 8 or 16 bit unsigned or float")
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):  # NaN fails both
        raise DamagedImage(f"has float pixels in [{image.min():g}, {image.max():g}], not in [0, 1]")


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(h, w) or blue-green-red (h, w, 3) -> (h, w) or red-green-blue (h, w, 3)."""
    cv2 = import_extra("cv2", "reading image files")
    if image.ndim == 2:
        return image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    cv2 = import_extra("cv2", "reading image files")
    height, width = size
    if (height, width) == image.shape[:2]:
        return image
    shrinks = height < image.shape[0] or width < image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
