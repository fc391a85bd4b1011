"""The layout of the first page of a TIFF file (TIFF 6.0 and BigTIFF), as decoding needs it."""

import struct
from typing import NamedTuple

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COLOUR, _SAMPLES, _PLANES, _FORMAT = 256, 257, 258, 262, 277, 284, 339
_ORIENTATION = 274
_PLACES = (273, 279, 324, 325)  # offsets and lengths of strips, and of tiles
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # kinds of whole numbers
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2


class TiffLayout(NamedTuple):
    """The layout of a TIFF file's first page.

    Attributes:
        height, width: the size in pixels.
        bits: the number of bits of each value.
        samples: values of a pixel, those beside its colour (transparency, say) included.
        colour: the number of the photometric interpretation, such as ``WHITE_IS_ZERO``; -1 where
            there is none.
        planar: whether each of several samples is stored as an image of its own.
        orientation: the number of a camera's orientation; 1 is upright.
    """

    height: int
    width: int
    bits: int
    samples: int
    colour: int
    planar: bool
    orientation: int


class _Entry(NamedTuple):
    """A tag's entry in the directory: its place, and the code, number and place of its values."""

    place: int
    code: str
    number: int
    values: int


def tiff_layout(data: bytes) -> TiffLayout:
    """Reads the layout of a TIFF file's first page.

    Args:
        data: the file's content.

    Raises:
        Exception: of nearly any kind, where the file is damaged.
    """
    order, entries = _directory(data)

    def first(tag: int, default: int) -> int:
        entry = entries.get(tag)
        return struct.unpack_from(order + entry.code, data, entry.values)[0] if entry else default

    samples = first(_SAMPLES, 1)
    planar = samples > 1 and first(_PLANES, 1) == 2
    return TiffLayout(
        first(_HEIGHT, 0),
        first(_WIDTH, 0),
        first(_BITS, 1),
        samples,
        first(_COLOUR, -1),
        planar,
        first(_ORIENTATION, 1),
    )


def split_planes(data: bytes, number: int) -> list[bytes]:
    """The first planes of a planar file, each as a grey file of its own, BlackIsZero.

    Args:
        data: the file's content.
        number: how many planes to give.

    Raises:
        Exception: of nearly any kind, where the file is damaged.
    """
    order, entries = _directory(data)
    samples = tiff_layout(data).samples
    return [_plane(data, order, entries, plane, samples) for plane in range(number)]


def _plane(data: bytes, order: str, entries: dict[int, _Entry], plane: int, samples: int) -> bytes:
    """The file with its directory changed to tell of one plane only."""
    content = bytearray(data)
    big = _is_big(data)
    for tag, entry in entries.items():
        size = struct.calcsize(entry.code)
        count, values = entry.number, content[entry.values : entry.values + entry.number * size]
        if tag in _PLACES:
            count //= samples
            values = values[plane * count * size : (plane + 1) * count * size]
        elif tag in (_BITS, _FORMAT):
            count, values = 1, values[:size]
        elif tag in (_SAMPLES, _PLANES, _COLOUR):
            values = bytearray(struct.pack(order + entry.code, 1))
        else:
            continue
        field = 8 if big else 4
        start = entry.place + 4 + field
        struct.pack_into(order + ("Q" if big else "I"), content, entry.place + 4, count)
        if len(values) <= field:
            content[start : start + field] = values.ljust(field, b"\0")
        else:  # values do not fit into the entry and stay where they are
            at = entry.values + plane * count * size
            struct.pack_into(order + ("Q" if big else "I"), content, start, at)
    return bytes(content)


def _directory(data: bytes) -> tuple[str, dict[int, _Entry]]:
    """The byte order, and the first directory's entries of whole numbers by their tags."""
    order, big = ("<" if data[:2] == b"II" else ">"), _is_big(data)
    long, size, field = ("Q", 20, 8) if big else ("I", 12, 4)
    (start,) = struct.unpack_from(order + long, data, 8 if big else 4)
    (number,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    start += 8 if big else 2
    entries = dict[int, _Entry]()
    for place in range(start, min(start + number * size, len(data) - size + 1), size):
        tag, kind, count = struct.unpack_from(f"{order}HH{long}", data, place)
        if kind in _CODES and count:
            values = place + 4 + field
            if count * struct.calcsize(_CODES[kind]) > field:
                (values,) = struct.unpack_from(order + long, data, values)
            entries.setdefault(tag, _Entry(place, _CODES[kind], count, values))
    return order, entries


def _is_big(data: bytes) -> bool:
    """Whether the file is a BigTIFF, whose places have eight bytes."""
    return b"+" in data[2:4]
