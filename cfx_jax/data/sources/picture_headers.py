"""The kinds of pictures that can be decoded, and what a picture's header says of its pixels."""

import struct
from typing import NamedTuple

import numpy as np

from cfx_jax.data.sources.tiff_layout import (
    BLACK_IS_ZERO,
    TIFF_STARTS,
    WHITE_IS_ZERO,
    tiff_layout,
)

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".pjpeg",
    ".pjp",
    ".bmp",
    ".dib",
    ".webp",
    ".tif",
    ".tiff",
)
START = 348  # bytes by which every kind can be told

_JPEG_START, _PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# Within a scan 0xff is followed by 0, by a restart, or by another 0xff that fills; anything else is
# a marker.
_IS_MARKER = ~np.isin(np.arange(256), [0x00, 0xFF, *range(0xD0, 0xD8)])
_SEQUENTIAL = {0xC0, 0xC1}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE, _END, _SCAN = {0x01, 0xD8}, 0xD9, 0xDA


class Header(NamedTuple):
    """The header of a picture file.

    Attributes:
        height, width: the size in pixels, as it is stored: a camera's orientation is not applied.
        channels: 1 where the pixels are stored as grey, 3 as colour.
        bits: the number of bits of each value.
        unpacked: bytes that its pixels take once they are decoded: height * width * channels *
            bytes of a value; more where a decoder keeps more of them.
        least: bytes that the file must have to hold them, however well it is compressed; 0 where
            nothing is known.
        complete: False if the file's end is missing, which the decoder would not notice.
    """

    height: int
    width: int
    channels: int
    bits: int
    unpacked: int
    least: int = 0
    complete: bool = True


def kind_of(start: bytes, *, name: str = "") -> str | None:
    """The kind of picture that a file's first bytes announce.

    Args:
        start: the first ``START`` bytes, or all.
        name: the file's name, by which compressed NIfTI files are known.

    Returns:
        "PNG", "JPEG", "TIFF", "BMP", "WebP", which can be decoded here; "DICOM" and "NIfTI", which
        have readers of their own; None for all others.
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
_BMP_CORE = struct.pack("<I", 12)
DECODED = ("PNG", "JPEG", "TIFF", "BMP", "WebP")
READERS = {"DICOM": "cfx_jax.data.read_dicom", "NIfTI": "cfx_jax.data.read_nifti"}
"""Kinds of pictures that others read."""


def read_header(data: bytes, kind: str) -> Header:
    """Reads what a picture file says of its size.

    Args:
        data: the file's content.
        kind: one of ``DECODED``.

    Raises:
        Exception: of nearly any kind, where the header is damaged.
    """
    return _HEADERS[kind](data)


def _png(data: bytes) -> Header:
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    packed = height * (1 + width * bits * _PNG_SAMPLES[colour] // 8) // _DEFLATED
    channels = 1 if colour in (0, 4) else 3
    unpacked = height * width * channels * max(1, bits // 8)
    least = max(packed, _end_of_chunks(data))
    return Header(height, width, channels, bits, unpacked, least)


def _jpeg(data: bytes) -> Header:
    """Follows the segments of a JPEG file's first image to its end.

    What lies behind the end (a phone's film, a second picture) does not count, nor do thumbnails
    within a segment.
    """
    content = np.frombuffer(data, np.uint8)
    filled = np.flatnonzero(content[:-1] == 0xFF)
    markers = filled[_IS_MARKER[content[filled + 1]]]
    height = width = channels = least = place = 0
    scanned = ended = False
    while (number := np.searchsorted(markers, place)) < len(markers):
        place = int(markers[number]) + 2
        marker = data[place - 1]
        if marker == _END:
            ended = True
            break
        if marker in _ALONE:
            continue
        if marker in _FRAMES and not height:
            height, width, channels = struct.unpack(">HHB", data[place + 3 : place + 8])
            # Each block of 8 x 8 takes two bits at least where blocks are coded one by one.
            least = height * width // 64 // 4 if marker in _SEQUENTIAL else 0
        scanned |= marker == _SCAN
        place += max(2, int.from_bytes(data[place : place + 2], "big"))
    unpacked, complete = height * width * channels, ended and scanned
    return Header(height, width, 1 if channels == 1 else 3, 8, unpacked, least, complete)


def _tiff(data: bytes) -> Header:
    layout = tiff_layout(data)
    height, width, bits = layout.height, layout.width, layout.bits
    samples = max(layout.samples, 3 if bits <= 8 else 1)
    channels = 1 if layout.colour in (WHITE_IS_ZERO, BLACK_IS_ZERO) else 3
    return Header(height, width, channels, bits, height * width * samples * max(1, bits // 8))


def _bmp(data: bytes) -> Header:
    core = data[14:18] == _BMP_CORE
    width, height = struct.unpack("<HH", data[18:22]) if core else struct.unpack("<ii", data[18:26])
    return _colour(abs(height), abs(width))


def _webp(data: bytes) -> Header:
    """The header of a WebP file (RFC 9649)."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return _colour(height & 0x3FFF, width & 0x3FFF)
    if chunk == b"VP8L":
        (packed,) = struct.unpack("<I", data[21:25])
        return _colour((packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1)
    sizes = data[24:30]
    width, height = (int.from_bytes(side, "little") + 1 for side in (sizes[:3], sizes[3:6]))
    return _colour(height, width)


def _colour(height: int, width: int) -> Header:
    """The header of a picture whose values of 8 bits are red, green and blue."""
    return Header(height, width, 3, 8, 3 * height * width)


_HEADERS = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "BMP": _bmp, "WebP": _webp}
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEFLATED = 1032  # bytes to which one byte of a deflated stream unpacks at most


def _end_of_chunks(data: bytes) -> int:
    """The place where the chunks of a PNG file end, by the lengths that they tell.

    Where they cannot be followed, it is the place up to which they can.
    """
    place = len(_PNG_START)
    while place + 12 <= len(data) and not data.startswith(b"IEND", place + 4):
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place
