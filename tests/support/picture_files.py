"""Bytes of picture files whose headers are written by hand."""

import struct
import zlib


def tiff(
    values,
    width,
    height,
    *,
    bits,
    colour,
    samples=1,
    planar=False,
    sample_format=1,
    order="<",
    colour_map=(),
):
    """A TIFF file of one strip for each plane, not compressed; ``values`` are the packed bytes of
    each plane.
    """
    tags = {
        256: width,
        257: height,
        259: 1,
        262: colour,
        277: samples,
        278: height,
        284: 2 if planar else 1,
    }
    start, places = 8, []
    for plane in values:
        places.append(start)
        start += len(plane)
    lists = {258: ("H", [bits] * samples), 339: ("H", [sample_format] * samples)}
    lists |= {273: ("I", places), 279: ("I", [len(plane) for plane in values])}
    lists |= {tag: ("H", [value]) for tag, value in tags.items()}
    if colour_map:
        lists[320] = ("H", colour_map)
    directory, beyond = struct.pack(f"{order}H", len(lists)), b""
    after = start + 2 + 12 * len(lists) + 4
    for tag, (code, numbers) in sorted(lists.items()):
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        if len(packed) > 4:
            packed, beyond = struct.pack(f"{order}I", after + len(beyond)), beyond + packed
        directory += struct.pack(
            f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(numbers)
        ) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", start) + b"".join(values) + directory + bytes(4) + beyond


def png(width, height, *, bits=8, colour=0, rows=0):
    """A PNG file that announces a size and holds ``rows`` rows of zeros, compressed."""
    row = bytes(1 + width * bits * {0: 1, 2: 3}[colour] // 8)
    packer = zlib.compressobj(1)
    content = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
