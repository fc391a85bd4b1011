"""The pages of a gallery: one file of few cards, or an overview with further pages."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from cfx_jax.errors import InputError
from cfx_jax.files import as_path
from cfx_jax.report.gallery.cards import Card
from cfx_jax.report.gallery.pictures import beside, card_data, inside, thumb
from cfx_jax.report.templates import write_page

FEW = 24
"""Cards of a page that holds its pictures itself."""
PER_PAGE = 100
_TEMPLATE = "gallery/gallery.html.jinja"


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The words of a gallery.

    Attributes:
        title: the title of the pages.
        introduction: sentences below the title.
        cautions: warnings that stand in a frame before the pictures.
        words: terms of the page and what they mean.
        facts: facts about how the results were made, by name.
    """

    title: str
    introduction: Sequence[str] = ()
    cautions: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def write_gallery(
    path: str | os.PathLike[str], cards: Iterator[Card], *, count: int, texts: Texts
) -> Path:
    """Writes a gallery: its page, and for more than 24 cards further pages and pictures beside it.

    Cards are taken one by one, and the pages of many hold 100 each; the first page shows all cards
    small, and leads to them. Pages can be filtered by prediction, label and target, searched by
    name and sorted by a score; nothing on them is fetched from elsewhere.

    Args:
        path: the file, such as ``page.html``; the folder beside it is ``page_files``.
        cards: in reading order.
        count: how many cards there are, at least 1.
        texts: the words around them.

    Returns:
        The path.

    Raises:
        InputError: no cards, or a file that cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> card = Card(
        ...     number=0,
        ...     name="scan",
        ...     image=np.zeros((4, 4, 1)),
        ...     facts=[],
        ...     prediction="sick",
        ...     label="",
        ...     target="healthy",
        ...     scores={"probability": 0.9},
        ...     strips=[],
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     texts = Texts(title="Scans")
        ...     write_gallery(f"{folder}/page.html", iter([card]), count=1, texts=texts).name
        'page.html'
    """
    if count < 1:
        raise InputError("a gallery needs at least one card")
    path = as_path(path)
    if count <= FEW:
        data = [card_data(card, inside) for card in islice(cards, count)]
        contents = _contents(texts, data, {"home": "", "previous": "", "next": "", "range": ""})
        return write_page(path, _TEMPLATE, contents)
    entries = []
    for number, part in enumerate(_parts(count)):
        entries += _write_part(path, islice(cards, len(part)), number, count, texts)
    return write_page(path, _TEMPLATE, _contents(texts, entries, None))


def _parts(count: int) -> list[range]:
    return [range(first, min(first + PER_PAGE, count)) for first in range(0, count, PER_PAGE)]


def _write_part(
    path: Path, cards: Iterator[Card], number: int, count: int, texts: Texts
) -> list[dict[str, Any]]:
    """Writes one further page, and gives the entries of its cards on the first one."""
    folder = path.with_name(f"{path.stem}_files")
    place = beside(folder / f"{number + 1:04d}")
    data, entries = [], []
    for card in cards:
        data.append(card_data(card, place))
        entries.append(
            {name: data[-1][name] for name in _ENTRY}
            | {
                "image": f"{folder.name}/{thumb(card, place)}",
                "address": f"{folder.name}/{_page_name(number)}#image-{card.number}",
            }
        )
    parts = _parts(count)
    links = {
        "home": f"../{path.name}",
        "previous": _page_name(number - 1) if number else "",
        "next": _page_name(number + 1) if number + 1 < len(parts) else "",
        "range": f"{parts[number][0] + 1} to {parts[number][-1] + 1} of {count}",
    }
    write_page(folder / _page_name(number), _TEMPLATE, _contents(texts, data, links))
    return entries


_ENTRY = ("number", "name", "prediction", "label", "target", "scores", "width", "height")


def _page_name(number: int) -> str:
    return f"{number + 1:04d}.html"


def _contents(
    texts: Texts, entries: Sequence[Mapping[str, Any]], links: Mapping[str, str] | None
) -> dict[str, Any]:
    """The values that the template prints; without ``links`` they are of the overview."""
    choices = {
        name: sorted({entry[name] for entry in entries} - {""})
        for name in ("prediction", "label", "target")
    }
    return {"texts": texts, "entries": entries, "links": links, "choices": choices}
