"""From the bytes of an image file to an array, by OpenCV.

PNG, JPEG, TIFF (the first page), BMP and WebP; grey, colour or palette. The camera's orientation is
applied and transparency dropped, though OpenCV has by then laid a transparent 8-bit TIFF on black.
TIFF files may hold 1 to 16 bits or floats, black or white as 0, and colours in planes. Integer
pixels keep their type, so 12-bit data in a 16-bit file are dark until a window is chosen, see
:func:`unit_range`; float pixels must lie in [0, 1] already. By a window (:func:`show_values`) the
values may be any integers or floats.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.data.display_window import Window, scale_values
from cfx_jax.data.sources.picture_headers import DECODED, READERS, START, kind_of, read_header
from cfx_jax.data.sources.picture_headers import SUFFIXES as SUFFIXES
from cfx_jax.data.sources.resizing import between_values, resize
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
_GIVE_WINDOW = "give a window: centre and width, or 'values'"

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
        image, is_negative = _decode(data)
        _check_pixels(image)
        if is_negative:
            top = 1.0 if image.dtype == np.float32 else np.iinfo(image.dtype).max
            image = (image.dtype.type(top) - image).astype(image.dtype)
    return _brought_to(image, channels, size)


def show_values(
    data: bytes, *, channels: int, size: tuple[int, int] | None = None, window: Window
) -> Float[np.ndarray, "h w c"]:
    """Decodes an image file whose values, of any type, a window turns into [0, 1].

    Args:
        data: the file's content.
        channels: 1 or 3.
        size: (height, width) to resize to, after the window; None keeps the file's.
        window: "values", from the image's smallest to its largest value; or (centre, width), in the
            file's numbers.

    Raises:
        DamagedImage: as ``decode_image``; or a value is not finite.
    """
    import_extra("cv2", _PURPOSE)
    with damage(lambda reason: DamagedImage(f"cannot be decoded ({reason})")):
        image, is_negative = _decode(data)
        if not np.isfinite(image).all():
            raise DamagedImage("has pixels that are NaN or infinite")
        shown = scale_values(image, window)
    return _brought_to(1 - shown if is_negative else shown, channels, size)


def _brought_to(
    image: Shaped[np.ndarray, "h w *bgr"], channels: int, size: tuple[int, int] | None
) -> Shaped[np.ndarray, "h w c"]:
    if channels == 1:  # before it is resized, and colour after: the smaller of the two
        image = _with_channels(image, channels)
    image = resize(image, size or (image.shape[0], image.shape[1]))
    return _with_channels(image, channels).reshape(*image.shape[:2], channels)


def unit_range(pixels: Shaped[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """Decoded pixels as float32 in [0, 1], the range of their type; floats stay as they are.

    Args:
        pixels: uint8, uint16, or float32 in [0, 1].
    """
    if pixels.dtype == np.float32:
        return pixels
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps OpenCV from printing about damaged files, which are reported otherwise."""
    logging = import_extra("cv2", _PURPOSE).utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _decode(data: bytes) -> tuple[Shaped[np.ndarray, "h w *bgr"], bool]:
    """The pixels, blue first, and whether white is their smallest value."""
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
    return _tiff(data) if kind == "TIFF" else (_by_opencv(data), False)


def _tiff(data: bytes) -> tuple[Shaped[np.ndarray, "h w *bgr"], bool]:
    """Sees to the layouts that OpenCV passes over where values have more than 8 bits, or 2 or 4."""
    layout = tiff_layout(data)
    if layout.bits in (2, 4):
        return _by_pillow(data), False
    if layout.planar and layout.bits > 8:
        if layout.colour == RGB and layout.samples >= 3:
            planes = [_by_opencv(plane) for plane in reversed(split_planes(data, 3))]
            return np.stack(planes, -1), False
        if layout.colour not in (WHITE_IS_ZERO, BLACK_IS_ZERO):
            raise DamagedImage(
                f"has {layout.bits} bits in planes of photometric interpretation {layout.colour}"
            )
    image = _by_opencv(data)
    if image.dtype == np.uint8:  # libtiff has made red, green, blue of whatever it was
        return image, False
    if layout.colour not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        raise DamagedImage(
            f"has {layout.bits} bits of photometric interpretation {layout.colour}, which is not"
            " known here"
        )
    return image, layout.colour == WHITE_IS_ZERO


def _by_opencv(data: bytes) -> Shaped[np.ndarray, "h w *bgr"]:
    cv2 = import_extra("cv2", _PURPOSE)
    # Unlike IMREAD_UNCHANGED these flags drop transparency and apply the EXIF orientation.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if image is None:
        raise DamagedImage("cannot be decoded")
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
        raise DamagedImage(
            f"has pixels of type {image.dtype}, not 8 or 16 bit unsigned or float: {_GIVE_WINDOW}"
        )
    if image.dtype == np.float32 and not (image.min() >= 0 and image.max() <= 1):  # NaN fails both
        raise DamagedImage(
            f"has float pixels in [{image.min():g}, {image.max():g}], not in [0, 1]: {_GIVE_WINDOW}"
        )


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(h, w) or blue-green-red (h, w, 3) -> (h, w) or red-green-blue (h, w, 3)."""
    cv2 = import_extra("cv2", _PURPOSE)
    if image.ndim == 2:
        return image if channels == 1 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    if channels == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return between_values(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), image)
