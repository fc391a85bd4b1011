"""The images that a file holds: one picture, the frames of a DICOM file, the slices of a volume.

A file is surveyed first, by its header alone where it has one that says enough; its images are
decoded when they are read.
"""

import io
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.data.dicom import read_dicom, survey_dicom
from cfx_jax.data.display_window import Window, scale_values
from cfx_jax.data.nifti_slices import read_slices
from cfx_jax.data.sources.decoding import decode_image, show_values, unit_range
from cfx_jax.data.sources.file_listing import StoredFile
from cfx_jax.data.sources.further_pictures import announces_further, holds_further
from cfx_jax.data.sources.picture_headers import (
    DECODED,
    START,
    SUFFIXES,
    Header,
    kind_of,
    read_header,
)
from cfx_jax.data.sources.resizing import resize
from cfx_jax.data.sources.tiff_layout import tiff_layout
from cfx_jax.data.user_files import DamagedFile, check_unpacked, damage
from cfx_jax.errors import import_extra

_HEADER = 2**16  # bytes in which most pictures tell their size
_TURNED = 5  # from this number on, a camera's orientation swaps height and width
_ORIENTATION = 0x112
_EXIF = {"JPEG": b"Exif", "PNG": b"eXIf", "WebP": b"EXIF"}
"""What stands before a camera's orientation, by the kind of picture."""
_WEBP_EXIF = 0x08  # the bit of a WebP file's flags that announces EXIF data
_DEPTHS = (10, 12, 14)
_LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601


@dataclass(frozen=True, slots=True)
class Contents:
    """The images of one file.

    Attributes:
        kind: "picture", "DICOM" or "NIfTI".
        height, width: the height and width of each image, in pixels.
        channels: 1 where the images are stored as grey, 3 as colour.
        numbers: the frames or slices that are images, from 0.
        bits: the number of bits of each value.
        num_empty: how many slices of a volume are empty.
        limits: the values of a volume that become 0 and 1, where no window is given.
        stacked: where a volume's slices follow each other to, in words.
        has_further: whether a file of pictures holds more than its first, which alone is read.
    """

    kind: str
    height: int
    width: int
    channels: int
    numbers: tuple[int, ...] = (0,)
    bits: int = 8
    num_empty: int = 0
    limits: tuple[float, float] | None = None
    stacked: str = ""
    has_further: bool = False


def survey(file: StoredFile, *, window: Window) -> Contents | str:
    """Finds out which images a file holds.

    Args:
        file: any file.
        window: see ``open_images``.

    Returns:
        Its images; or the kind of a file that is no image, in words.

    Raises:
        DamagedFile, InputError: it is an image by its name or its first bytes, and cannot be used.
    """
    start = file.start(_HEADER)
    kind = kind_of(start[:START], name=file.path.name)
    suffix = file.path.suffix.lower()
    if kind in DECODED:
        return _survey_picture(file, str(kind), start)
    if kind == "DICOM" or suffix in (".dcm", ".dicom"):
        with file.on_disk() as path:
            frames, height, width, channels = survey_dicom(path, window=window)
        return Contents("DICOM", height, width, channels, tuple(range(frames)))
    if kind == "NIfTI":
        return _survey_volume(file)
    if suffix in SUFFIXES:
        file.read()  # tells why where it cannot be read
        raise DamagedFile("cannot be decoded")
    return f"{suffix} files" if suffix else "files without a suffix"


def read_image(
    file: StoredFile,
    contents: Contents,
    number: int,
    *,
    size: tuple[int, int] | None = None,
    channels: int = 3,
    window: Window,
    depth: int | None = None,
) -> Float[np.ndarray, "h w c"]:
    """Decodes a picture, or one frame of a DICOM file.

    Args:
        file: the file.
        contents: its images, see ``survey``.
        number: the frame, from 0.
        size: height and width to resize to; None keeps the file's.
        channels: 1 or 3.
        window: see ``open_images``.
        depth: bits that pictures of 16 bits use; None for all.

    Returns:
        The image, in [0, 1].

    Raises:
        DamagedFile, InputError: it cannot be decoded, or has values beyond the range of ``depth``.
    """
    if contents.kind == "DICOM":
        with file.on_disk() as path:
            return bring_to(read_dicom(path, frame=number, window=window), size, channels)
    if window not in ("file", "full"):
        return show_values(file.read(), channels=channels, size=size, window=window)
    pixels = decode_image(file.read(), channels=channels, size=size)
    if window == "full" or depth is None or pixels.dtype != np.uint16:
        return unit_range(pixels)
    return _scale_depth(pixels, depth)


def read_volume(file: StoredFile) -> Float[np.ndarray, "s h w"]:
    """The slices of a volume, in the file's own values.

    Raises:
        DamagedFile, InputError: the file cannot be used.
    """
    with file.on_disk() as path:
        return read_slices(path).array


def show_slice(
    values: Float[np.ndarray, "h w"], contents: Contents, *, window: Window
) -> Float[np.ndarray, "h w 1"]:
    """A slice of a volume as float32 in [0, 1]: by the window, or the limits of the volume."""
    if window in ("file", "full"):
        assert contents.limits is not None
        low, high = contents.limits
        window = ((low + high) / 2, high - low)
    return scale_values(values, window)[..., None]


def window_width(values: Float[np.ndarray, "h w"], contents: Contents, *, window: Window) -> float:
    """The difference of the values of a slice that become 0 and 1, see ``show_slice``."""
    if window == "values":
        return float(values.max() - values.min())
    if window in ("file", "full"):
        assert contents.limits is not None
        return contents.limits[1] - contents.limits[0]
    return float(window[1])


def bring_to(
    image: Float[np.ndarray, "h w c"], size: tuple[int, int] | None, channels: int
) -> Float[np.ndarray, "H W C"]:
    """An image with the wanted size and number of channels.

    Colour becomes grey by its luminance (ITU-R BT.601).
    """
    if channels == 1 and image.shape[2] == 3:
        image = np.clip(image @ _LUMINANCE, 0, 1)  # before it is resized: the smaller of the two
    if size is not None and image.shape[:2] != size:
        image = resize(image, size)
    return np.repeat(image, 3, axis=2) if channels == 3 and image.shape[2] == 1 else image


def depth_of(largest: int) -> int:
    """The number of bits that values use: the least of 10, 12, 14 and 16 that holds the largest.

    Example:
        >>> depth_of(4000), depth_of(60_000)
        (12, 16)
    """
    return next((bits for bits in _DEPTHS if largest < 2**bits), 16)


def largest_value(file: StoredFile) -> int:
    """The largest value of a picture, in the file's numbers; 0 where it cannot be decoded."""
    try:
        return int(decode_image(file.read(), channels=1).max())
    except DamagedFile:
        return 0


def read_mask(file: StoredFile, contents: Contents, number: int) -> Shaped[np.ndarray, "h w"]:
    """Tells for each pixel whether the mask marks it: whether its value is above 0."""
    if contents.kind == "NIfTI":
        return read_volume(file)[number] > 0
    return read_image(file, contents, number, window="full").max(2) > 0


def _survey_picture(file: StoredFile, kind: str, start: bytes) -> Contents:
    header = _header_of(start, kind) if len(start) == _HEADER else None
    content = start
    if header is None:
        content = file.read() if len(start) == _HEADER else start
        with damage(lambda reason: DamagedFile(f"cannot be decoded ({reason})")):
            header = read_header(content, kind)
            if not header.complete or len(content) < header.least:
                raise DamagedFile("is cut short")
            if not header.height or not header.width:
                raise DamagedFile("cannot be decoded")
    check_unpacked(header.unpacked)
    height, width = header.height, header.width
    may_have_further = announces_further(content, kind)
    if may_have_further or (kind == "WebP" and _has_exif_behind(start)):
        content = file.read()
    if _is_turned(content, kind):
        height, width = width, height
    has_further = may_have_further and holds_further(content, kind)
    picture = partial(Contents, "picture", height, width, header.channels)
    return picture(bits=header.bits, has_further=has_further)


def _header_of(start: bytes, kind: str) -> Header | None:
    """The header, where the first bytes of a file tell all of it."""
    try:
        header = read_header(start, kind)
    except Exception:  # of nearly any kind, where what is needed lies further behind
        return None
    return header if header.height and header.width else None


def _has_exif_behind(start: bytes) -> bool:
    """Whether a WebP file announces EXIF data, which lie behind its pixels."""
    return start[12:16] == b"VP8X" and bool(start[20] & _WEBP_EXIF)


def _is_turned(content: bytes, kind: str) -> bool:
    """Whether a camera's orientation swaps a picture's height and width.

    Args:
        content: the file's content, as far as its header.
        kind: see ``kind_of``.
    """
    if kind == "TIFF":
        return tiff_layout(content).orientation >= _TURNED
    if kind not in _EXIF or _EXIF[kind] not in content:
        return False
    pillow = import_extra("PIL.Image", "reading image files")
    try:
        with pillow.open(io.BytesIO(content)) as picture:
            return int(picture.getexif().get(_ORIENTATION, 1)) >= _TURNED
    except Exception:  # of nearly any kind, where the orientation is damaged
        return False


def _survey_volume(file: StoredFile) -> Contents:
    with file.on_disk() as path:
        volume = read_slices(path)
    low, high = volume.array.min((1, 2)), volume.array.max((1, 2))
    numbers = tuple(np.flatnonzero(high > low).tolist())
    height, width = volume.array.shape[1:]
    limits = volume.window or (float(low.min()), float(high.max()))
    count = len(volume.array) - len(numbers)
    kind = partial(Contents, "NIfTI", height, width, 1, numbers)
    return kind(num_empty=count, limits=limits, stacked=volume.direction)


def _scale_depth(pixels: Shaped[np.ndarray, "h w c"], depth: int) -> Float[np.ndarray, "h w c"]:
    top = 2**depth - 1
    if pixels.max() > top:
        raise DamagedFile(
            f"has values up to {pixels.max()}, where other files of 16 bits use {depth} only: give"
            " a window, or 'full'"
        )
    return pixels.astype(np.float32) / np.float32(top)
