"""The pieces of a report page, ready for its template: strings to print and images as data."""

import base64
import dataclasses
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cfx_jax.errors import InputError, import_extra
from cfx_jax.report.checks import check_filled
from cfx_jax.report.claims import Claim
from cfx_jax.report.table_cells import Digits, format_cell, format_cells, numeric_columns

Kind = Literal["text", "table", "image", "claims", "config"]

_MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_STILL = ("PNG", "JPEG", "WEBP")
# Figures are drawn for print, with small type: on a screen they are shown this much larger than on
# paper.
_SCREEN_SCALE = 1.35
_CSS_DPI = 96


@dataclass(frozen=True)
class Block:
    """A piece of a page."""

    kind: Kind
    """The part of the template that prints the piece."""
    data: Mapping[str, Any]
    """The values that this part prints."""


@dataclass(frozen=True)
class Section:
    """A run of pieces with a heading."""

    title: str
    anchor: str
    blocks: list[Block]


def paragraphs(text: str) -> Block:
    """Makes a piece of plain text, as paragraphs and lists.

    Args:
        text: blank lines separate paragraphs; one whose lines all begin with ``- `` is a list.

    Returns:
        The piece.

    >>> paragraphs("- one").data["paragraphs"]
    [{'items': ['one'], 'text': ''}]
    """
    parts = [
        part.strip().splitlines()
        for part in text.replace("\r\n", "\n").split("\n\n")
        if part.strip()
    ]
    return Block("text", {"paragraphs": [_paragraph(lines) for lines in parts]})


def table_block(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], number: int, caption: str, digits: Digits
) -> Block:
    """Makes a piece of a numbered table.

    Args:
        columns: names of the columns, all different.
        rows: one cell per column in each.
        number: its number on the page.
        caption: the sentence below it.
        digits: decimals.

    Returns:
        The piece.

    Raises:
        InputError: rows and columns do not match, or a cell is of no known kind.
    """
    cells = format_cells(columns, rows, digits=digits)
    right = numeric_columns(columns, rows)
    data = {
        "columns": list(columns),
        "rows": cells,
        "right": right,
        "number": number,
        "caption": caption,
    }
    return Block("table", data)


def image_block(
    path: str | os.PathLike[str], number: int, caption: str, alt: str, *, moving: bool = False
) -> Block:
    """Makes a piece of a numbered image, embedded.

    Args:
        path: the file: PNG, JPEG or WebP, or GIF where ``moving``.
        number: its number on the page.
        caption: the sentence below it.
        alt: a description in words.
        moving: whether it is an animation; its first frame is embedded beside it.

    Returns:
        The piece.

    Raises:
        InputError: the file is missing or of another kind, or ``alt`` is empty.
    """
    if not alt.strip():
        raise InputError(
            f"the image '{path}' needs an alternative text: say in words what is to be seen"
        )
    content, image = _open_image(path)
    if image.format not in (("GIF",) if moving else _STILL):
        wanted = "GIF" if moving else "PNG, JPEG or WebP"
        raise InputError(f"'{path}' must be a {wanted} file, got {image.format}")
    data = {
        "source": _data_uri(content, image.format),
        "still": _first_frame(image) if moving else "",
    }
    return Block(
        "image", {**data, **_sizes(image), "number": number, "caption": caption, "alt": alt}
    )


def claims_block(claims: Sequence[Claim], number: int, digits: int) -> Block:
    """Makes a piece of the table of claims.

    Where all are targets of ours there is no column of a paper's figures.

    Args:
        claims: one or more, in reading order.
        number: the table's number on the page.
        digits: decimals.

    Returns:
        The piece.

    Raises:
        InputError: there are no claims.
    """
    check_filled(claims, "claims", Claim)
    of_paper = any(claim.kind != "target" or claim.paper for claim in claims)
    texts = [_claim_texts(claim, digits) for claim in claims]
    return Block("claims", {"claims": texts, "number": number, "of_paper": of_paper})


def config_block(config: Any, caption: str) -> Block:
    """Makes a piece of a configuration, as a list of dotted names and values.

    Args:
        config: a dataclass or a mapping, nested as deep as it likes.
        caption: its heading.

    Returns:
        The piece.

    Raises:
        InputError: ``config`` is neither.

    >>> config_block({"run": {"seed": 1}}, "Configuration").data["settings"]
    [('run.seed', '1')]
    """
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = dataclasses.asdict(config)
    if not isinstance(config, Mapping):
        raise InputError(
            f"a configuration is a dataclass or a mapping, got {type(config).__name__}"
        )
    return Block("config", {"settings": list(_flat(config, "")), "caption": caption})


def _paragraph(lines: Sequence[str]) -> dict[str, Any]:
    stripped = [line.strip() for line in lines]
    if all(line.startswith("- ") for line in stripped):
        return {"items": [line[2:] for line in stripped], "text": ""}
    return {"items": [], "text": " ".join(stripped)}


def _open_image(path: str | os.PathLike[str]) -> tuple[bytes, Any]:
    library = import_extra("PIL.Image", "putting images into reports")
    try:
        content = Path(path).read_bytes()
        return content, library.open(io.BytesIO(content))
    except OSError as error:
        # Pillow's "not an image" is an OSError without a reason of the system.
        raise InputError(
            f"cannot read the image '{path}': {error.strerror or 'it is no image'}"
        ) from error


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:{_MIME[kind]};base64,{base64.b64encode(content).decode('ascii')}"


def _first_frame(image: Any) -> str:
    image.seek(0)
    file = io.BytesIO()
    image.convert("RGB").save(file, format="PNG", optimize=True)
    return _data_uri(file.getvalue(), "PNG")


def _sizes(image: Any) -> dict[str, int]:
    """Computes the pixels of the file, and of the page where the image has its size in inches."""
    width, height = image.size
    dpi = float(image.info.get("dpi", (_CSS_DPI * _SCREEN_SCALE,))[0])
    scale = min(1.0, _CSS_DPI * _SCREEN_SCALE / dpi) if dpi > 0 else 1.0
    return {"pixels": width, "width": round(width * scale), "height": round(height * scale)}


def _claim_texts(claim: Claim, digits: int) -> dict[str, Any]:
    def named(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(name, format_cell(value, digits=digits)) for name, value in figures.items()]

    return {
        "id": claim.id,
        "text": claim.text,
        "source": "our target" if claim.kind == "target" else f"{claim.kind}, {claim.place}",
        "note": claim.note,
        "paper": named(claim.paper),
        "ours": named(claim.ours),
        "interval": format_cell(claim.interval, digits=digits),
        "statistic": claim.statistic,
        "verdict": claim.verdict,
    }


def _flat(config: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
