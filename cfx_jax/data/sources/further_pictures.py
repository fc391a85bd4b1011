"""Whether a picture file holds further pictures, behind the first one that is decoded."""

import struct
from collections.abc import Callable, Mapping

from cfx_jax.data.sources.tiff_layout import has_further_pages, has_next_page

_WEBP_ANIMATION = 0x02  # the bit of a WebP file's flags that announces an animation


def announces_further(start: bytes, kind: str) -> bool:
    """Whether a picture file may hold further pictures, by its first bytes.

    Args:
        start: the first bytes, or all.
        kind: one of ``picture_headers.DECODED``.
    """
    return _ask(_ANNOUNCE, start, kind)


def holds_further(content: bytes, kind: str) -> bool:
    """Whether a picture file holds further pictures than the first.

    Those are the pages of a TIFF file that are no smaller copies of its first, and the pictures of
    an animated PNG or WebP file.

    Args:
        content: the file's content.
        kind: one of ``picture_headers.DECODED``.
    """
    return _ask(_HOLD, content, kind)


def _ask(questions: Mapping[str, Callable[[bytes], bool]], data: bytes, kind: str) -> bool:
    """The answer to the question of a kind; False where there is none, or no sense in the bytes."""
    try:
        return kind in questions and questions[kind](data)
    except Exception:  # of nearly any kind, where what follows the first picture is damaged
        return False


def _is_animated_png(data: bytes) -> bool:
    """Whether a PNG file announces, before its pixels, an animation of several pictures."""
    before = data[: data.find(b"IDAT")]
    place = before.find(b"acTL")
    return place >= 0 and int(struct.unpack_from(">I", before, place + 4)[0]) > 1


def _may_be_animated_webp(data: bytes) -> bool:
    return data[12:16] == b"VP8X" and bool(data[20] & _WEBP_ANIMATION)


def _is_animated_webp(data: bytes) -> bool:
    """Whether a WebP file holds several chunks of an animation's pictures."""
    return _may_be_animated_webp(data) and data.count(b"ANMF") > 1


_ANNOUNCE = {"PNG": _is_animated_png, "TIFF": has_next_page, "WebP": _may_be_animated_webp}
_HOLD = {"PNG": _is_animated_png, "TIFF": has_further_pages, "WebP": _is_animated_webp}
