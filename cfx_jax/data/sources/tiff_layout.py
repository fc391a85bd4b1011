"""The layout of the first page of a TIFF file (TIFF 6.0 and BigTIFF), as decoding needs it.

And whether there are further pages.
"""

import struct
from typing import NamedTuple

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COLOUR, _SAMPLES, _PLANES, _FORMAT = 256, 257, 258, 262, 277, 284, 339
_ORIENTATION = 274
_SUBFILE, _SMALLER = 254, 0x01  # the bit of a page that is a smaller copy of another
_MOST_PAGES = 20  # that are looked at; a picture with smaller copies of it has fewer
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
    order, entries, _ = _directory(data)

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


def has_next_page(data: bytes) -> bool:
    """Whether the first page's directory names a further one; the file's beginning may do.

    Raises:
        Exception: of nearly any kind, where the directory is damaged or lies further behind.
    """
    return bool(_directory(data)[2])


def has_further_pages(data: bytes) -> bool:
    """Whether a TIFF file has further pages, not counting smaller copies of the first.

    Args:
        data: the file's content.

    Raises:
        Exception: of nearly any kind, where a directory is damaged.
    """
    order, _, place = _directory(data)
    for _ in range(_MOST_PAGES):
        if not place:
            return False
        _, entries, place = _directory(data, place)
        kind = entries.get(_SUBFILE)
        if not (kind and struct.unpack_from(order + kind.code, data, kind.values)[0] & _SMALLER):
            return True
    return False


def split_planes(data: bytes, number: int) -> list[bytes]:
    """The first planes of a planar file, each as a grey file of its own, BlackIsZero.

    Args:
        data: the file's content.
        number: how many planes to give.

    Raises:
        Exception: of nearly any kind, where the file is damaged.
    """
    order, entries, _ = _directory(data)
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


def _directory(data: bytes, start: int | None = None) -> tuple[str, dict[int, _Entry], int]:
    """The byte order, a directory's entries of whole numbers by their tags, and the next directory.

    Args:
        data: the file's content.
        start: the directory's place; None for the first.
    """
    order, big = ("<" if data[:2] == b"II" else ">"), _is_big(data)
    long, size, field = ("Q", 20, 8) if big else ("I", 12, 4)
    if start is None:
        (start,) = struct.unpack_from(order + long, data, 8 if big else 4)
    (number,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    start += 8 if big else 2
    end = start + number * size
    entries = dict[int, _Entry]()
    for place in range(start, min(end, len(data) - size + 1), size):
        tag, kind, count = struct.unpack_from(f"{order}HH{long}", data, place)
        if kind in _CODES and count:
            values = place + 4 + field
            if count * struct.calcsize(_CODES[kind]) > field:
                (values,) = struct.unpack_from(order + long, data, values)
            entries.setdefault(tag, _Entry(place, _CODES[kind], count, values))
    is_there = end + field <= len(data)
    return order, entries, struct.unpack_from(order + long, data, end)[0] if is_there else 0


def _is_big(data: bytes) -> bool:
    """Whether the file is a BigTIFF, whose places have eight bytes."""
    return b"+" in data[2:4]
