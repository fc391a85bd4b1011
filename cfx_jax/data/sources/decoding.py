"""From the bytes of an image file to an array, by OpenCV.

PNG, JPEG, TIFF (the first page), BMP and WebP; grey, colour or palette. The camera's orientation is
applied and transparency dropped, though OpenCV has by then laid a transparent 8-bit TIFF on black.
TIFF files may hold 1 to 16 bits or floats, black or white as 0, and colours in planes. Integer
pixels keep their type, so 12-bit data in a 16-bit file are dark until a window is chosen, see
:func:`unit_range`; float pixels must lie in [0, 1] already.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.data.display_window import Window, scale_values
from cfx_jax.data.sources.picture_headers import DECODED, READERS, START, kind_of, read_header
from cfx_jax.data.sources.picture_headers import SUFFIXES as SUFFIXES
from cfx_jax.data.sources.resizing import resize
from cfx_jax.data.sources.tiff_layout import (
    BLACK_IS_ZERO,
    RGB,
    WHITE_IS_ZERO,
    split_planes,
    tiff_layout,
)
from cfx_jax.data.user_files import DamagedFile, check_unpacked, damage
from cfx_jax.errors import import_extra

_PURPOSE = "reading image files"
_FAINT = 1 / 8  # of a type's range: values of 12 bits in 16 stay below it

DamagedImage = DamagedFile


def decode_image(
    data: bytes, *, channels: int, size: tuple[int, int] | None = None
) -> Shaped[np.ndarray, "h w c"]:
    """Decodes an image file.

    Args:
        data: the file's content.
        channels: 1 converts to grey, 3 to red, green, blue.
        size: (height, width) to resize to: each axis by itself, by area averaging where it shrinks
            and linearly where it grows; the shape is not preserved. None keeps the file's.

    Returns:
        The pixels as uint8, uint16 or float32; see :func:`unit_range`.

    Raises:
        DamagedImage: the content cannot be decoded, is cut short, has pixels of another kind, or
            would be larger than allowed (see ``user_files``).
    """
    import_extra("cv2", _PURPOSE)
    with damage(lambda reason: DamagedImage(f"cannot be decoded ({reason})")):
        image = _decode(data)
    if (
        channels == 1
        # colour becomes grey before it is resized, grey becomes colour after: the smaller of the
        # two
    ):
        image = _with_channels(image, channels)
    image = resize(image, size or (image.shape[0], image.shape[1]))
    return _with_channels(image, channels).reshape(*image.shape[:2], channels)


def unit_range(
    pixels: Shaped[np.ndarray, "h w c"], *, window: Window = "full"
) -> Float[np.ndarray, "h w c"]:
    """Decoded pixels as float32 in [0, 1].

    Args:
        pixels: uint8, uint16, or float32 in [0, 1].
        window: which values become 0 and 1. "full": those of the pixels' type (floats stay as they
            are). "values": the image's smallest and largest. (centre, width): centre - width / 2
            and centre + width / 2, in the file's numbers; (2047.5, 4095) shows 12 bits. "file", for
            files that tell their window, is "full" here.
    """
    if window == "values" or isinstance(window, tuple | list):
        return scale_values(pixels, window)
    if pixels.dtype == np.float32:
        return pixels
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def is_faint(pixels: Shaped[np.ndarray, "h w c"]) -> bool:
    """Tells whether an image uses only an eighth of its type's values, as 12 bits in 16 do."""
    top = 1.0 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    return float(pixels.max()) < _FAINT * top


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from printing about damaged files, which are reported otherwise."""
    logging = import_extra("cv2", _PURPOSE).utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _decode(data: bytes) -> Shaped[np.ndarray, "h w *bgr"]:
    """The pixels, blue first; checked, and black as 0."""
    kind = kind_of(data[:START])
    if kind not in DECODED:
        raise DamagedImage(
            f"is {kind}: read it by {READERS[kind]}" if kind in READERS else "cannot be decoded"
        )
    header = read_header(data, kind)
    check_unpacked(header.unpacked)
    # OpenCV fills the rest of a JPEG that is cut short with grey. Others fail by themselves, but
    # may take memory first.
    if not header.complete or len(data) < header.least:
        raise DamagedImage("is cut short")
    return _tiff(data) if kind == "TIFF" else _by_opencv(data)


def _tiff(data: bytes) -> Shaped[np.ndarray, "h w *bgr"]:
    """Sees to the layouts that OpenCV passes over where values have more than 8 bits, or 2 or 4."""
    layout = tiff_layout(data)
    if layout.bits in (2, 4):
        return _by_pillow(data)
    if layout.planar and layout.bits > 8:
        if layout.colour == RGB and layout.samples >= 3:
            return np.stack([_by_opencv(plane) for plane in reversed(split_planes(data, 3))], -1)
        if layout.colour not in (WHITE_IS_ZERO, BLACK_IS_ZERO):
            raise DamagedImage(
                f"has {layout.bits} bits in planes of photometric interpretation {layout.colour}"
            )
    image = _by_opencv(data)
    if image.dtype == np.uint8:  # libtiff has made red, green, blue of whatever it was
        return image
    if layout.colour not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        raise DamagedImage(
            f"has {layout.bits} bits of photometric interpretation {layout.colour}, which is not"
            " known here"
        )
    if layout.colour != WHITE_IS_ZERO:
        return image
    top = 1.0 if image.dtype == np.float32 else np.iinfo(image.dtype).max
    return (image.dtype.type(top) - image).astype(image.dtype)


def _by_opencv(data: bytes) -> Shaped[np.ndarray, "h w *bgr"]:
    cv2 = import_extra("cv2", _PURPOSE)
    # Unlike IMREAD_UNCHANGED these flags drop transparency and apply the EXIF orientation.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if image is None:
        raise DamagedImage("cannot be decoded")
    _check_pixels(image)
    return image


def _by_pillow(data: bytes) -> Shaped[np.ndarray, "h w *bgr"]:
    pillow = import_extra("PIL.Image", _PURPOSE)
    with pillow.open(io.BytesIO(data)) as picture:
        upright = import_extra("PIL.ImageOps", _PURPOSE).exif_transpose(picture)
        grey = upright.mode in ("1", "L")
        pixels = np.asarray(upright.convert("L" if grey else "RGB"))
        return pixels if grey else np.ascontiguousarray(pixels[..., ::-1])


def _check_pixels(image: np.ndarray) -> None:
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise DamagedImage(f"has pixels of type {image.dtype}, not 8 or 16 bit unsigned or float")
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):  # NaN fails both
        raise DamagedImage(f"has float pixels in [{image.min():g}, {image.max():g}], not in [0, 1]")


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(h, w) or blue-green-red (h, w, 3) -> (h, w) or red-green-blue (h, w, 3)."""
    cv2 = import_extra("cv2", _PURPOSE)
    if image.ndim == 2:
        return image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB)
