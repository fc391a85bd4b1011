"""What a picture file says of itself before its pixels are decoded: its kind, its size, and where a JPEG ends."""

import re
import struct
from typing import NamedTuple

from cfx_jax.data.sources.tiff_layout import TIFF_STARTS, tiff_layout

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".bmp", ".dib", ".webp", ".tif", ".tiff",
)  # fmt: skip
START = 348  # bytes by which every kind can be told

_JPEG_START, _PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# Within a scan 0xff is followed by 0, by a restart, or by another 0xff that fills; anything else is a marker.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_SEQUENTIAL = {0xC0, 0xC1}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE, _END, _SCAN = {0x01, 0xD8}, 0xD9, 0xDA


class Jpeg(NamedTuple):
    """A JPEG file's first image.

    Attributes:
        height, width, channels: as its frame says; 0 where there is none.
        sequential: whether every block of pixels is coded by itself, which takes two bits at least.
        complete: whether its end was found.
    """

    height: int
    width: int
    channels: int
    sequential: bool
    complete: bool


def kind_of(start: bytes, *, name: str = "") -> str | None:
    """The kind of picture that a file's first bytes announce.

    Args:
        start: the first ``START`` bytes, or all.
        name: the file's name, by which compressed NIfTI files are known.

    Returns:
        "PNG", "JPEG", "TIFF", "BMP", "WebP", which can be decoded here; "DICOM" and "NIfTI", which have readers of their
        own; None for all others.
    """
    if start[128:132] == b"DICM":  # before TIFF: the 128 bytes may be those of one
        return "DICOM"
    if start.startswith(_PNG_START):
        return "PNG"
    if start.startswith(_JPEG_START):
        return "JPEG"
    if start.startswith(TIFF_STARTS):
        return "TIFF"
    if start.startswith(b"BM") and start[14:18] in _BMP_HEADERS:
        return "BMP"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    nifti = start[344:348] in (b"n+1\0", b"ni1\0") or name.lower().endswith((".nii", ".nii.gz"))
    return "NIfTI" if nifti else None


_BMP_HEADERS = {struct.pack("<I", size) for size in (12, 40, 52, 56, 64, 108, 124)}
DECODED = ("PNG", "JPEG", "TIFF", "BMP", "WebP")
READERS = {"DICOM": "cfx_jax.data.read_dicom", "NIfTI": "cfx_jax.data.read_nifti"}
"""Kinds of pictures that others read."""


def declared_bytes(data: bytes, kind: str) -> int:
    """How many bytes the pixels of a picture take once they are decoded, as its header says.

    Args:
        data: the file's content.
        kind: one of ``DECODED``.

    Returns:
        Height * width * channels * bytes of a value.

    Raises:
        Exception: of nearly any kind, where the header is damaged.
    """
    if kind == "PNG":
        width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
        return height * width * (1 if colour in (0, 4) else 3) * max(1, bits // 8)
    if kind == "JPEG":
        jpeg = walk_jpeg(data)
        return jpeg.height * jpeg.width * jpeg.channels
    if kind == "TIFF":
        layout = tiff_layout(data)
        return (
            layout.height * layout.width * max(layout.samples, 3 if layout.bits <= 8 else 1) * max(1, layout.bits // 8)
        )
    if kind == "BMP":
        core = data[14:18] == _struct_size(12)
        width, height = struct.unpack("<HH", data[18:22]) if core else struct.unpack("<ii", data[18:26])
        return abs(height) * abs(width) * 3
    return 3 * _webp_pixels(data)


def least_length(data: bytes, kind: str) -> int:
    """How many bytes a picture file must have to hold what its headers say, however well it is compressed.

    Args:
        data: the file's content.
        kind: one of ``DECODED``.

    Returns:
        The number; 0 where the kind has no such bound.

    Raises:
        Exception: of nearly any kind, where the header is damaged.
    """
    if kind == "PNG":
        width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
        return max(height * (1 + width * bits * _PNG_SAMPLES[colour] // 8) // _DEFLATED, _end_of_chunks(data))
    if kind == "JPEG":
        jpeg = walk_jpeg(data)
        return jpeg.height * jpeg.width // 64 // 4 if jpeg.sequential else 0
    return 0


_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEFLATED = 1032  # bytes to which one byte of a deflated stream unpacks at most


def walk_jpeg(data: bytes) -> Jpeg:
    """Follows the segments of a JPEG file's first image to its end.

    What lies behind the end (a phone's film, a second picture) does not count, nor do thumbnails within a segment.

    Args:
        data: the file's content.

    Returns:
        The image's size, and whether its end is there.
    """
    height = width = channels = 0
    scanned = sequential = False
    place = len(_JPEG_START) - 1
    while found := _MARKER.search(data, place):
        marker, place = found[1][0], found.end()
        if marker == _END:
            return Jpeg(height, width, channels, sequential, complete=scanned)
        if marker in _ALONE:
            continue
        if marker in _FRAMES and len(data) >= place + 8 and not height:
            height, width, channels = struct.unpack(">HHB", data[place + 3 : place + 8])
            sequential = marker in _SEQUENTIAL
        scanned |= marker == _SCAN
        place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return Jpeg(height, width, channels, sequential, complete=False)


def _end_of_chunks(data: bytes) -> int:
    """Where the chunks of a PNG file end, as far as they can be followed, by the lengths that they tell of themselves."""
    place = len(_PNG_START)
    while place + 12 <= len(data) and not data.startswith(b"IEND", place + 4):
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place


def _webp_pixels(data: bytes) -> int:
    """Width times height of a WebP file (RFC 9649)."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return (width & 0x3FFF) * (height & 0x3FFF)
    if chunk == b"VP8L":
        (packed,) = struct.unpack("<I", data[21:25])
        return ((packed & 0x3FFF) + 1) * ((packed >> 14 & 0x3FFF) + 1)
    sizes = data[24:30]
    return (int.from_bytes(sizes[:3], "little") + 1) * (int.from_bytes(sizes[3:6], "little") + 1)


def _struct_size(size: int) -> bytes:
    return struct.pack("<I", size)
