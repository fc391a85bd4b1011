"""The pictures of a gallery: inside the page, or in files beside it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.errors import import_extra
from cfx_jax.files import replacing
from cfx_jax.report.colours import signed_colours
from cfx_jax.report.gallery.cards import Card, Figure, Strip
from cfx_jax.report.templates import png_uri

_THUMB = 96
"""Pixels of the longest side of a small picture."""

Place = Callable[[UInt8[np.ndarray, "h w c"], str], str]
"""Keeps a picture under a name and gives its address for ``src``."""


def inside(pixels: UInt8[np.ndarray, "h w c"], name: str) -> str:
    """Keeps a picture inside the page."""
    del name
    return png_uri(pixels)


def beside(folder: Path) -> Place:
    """Keeps pictures as files in a folder beside the page.

    Args:
        folder: whose name is the first part of the addresses.
    """

    def keep(pixels: UInt8[np.ndarray, "h w c"], name: str) -> str:
        with replacing(folder / f"{name}.png") as path:
            _picture(pixels).save(path, format="PNG")
        return f"{folder.name}/{name}.png"

    return keep


def card_data(card: Card, place: Place) -> dict[str, Any]:
    """The values that the template prints of a card.

    Args:
        card: the card.
        place: where its pictures go; one that is drawn several times is kept once.
    """
    kept: dict[bytes, str] = {}

    def keep(pixels: UInt8[np.ndarray, "h w c"], name: str) -> str:
        content = pixels.tobytes()
        if content not in kept:
            kept[content] = place(pixels, name)
        return kept[content]

    height, width = card.image.shape[:2]
    name = f"{card.number:06d}"
    return {
        "number": card.number,
        "name": card.name,
        "facts": card.facts,
        "prediction": card.prediction,
        "label": card.label,
        "target": card.target,
        "scores": {score: _json_number(value) for score, value in card.scores.items()},
        "width": width,
        "height": height,
        "image": keep(_bytes(card.image), name),
        "strips": [
            _strip_data(strip, f"{name}_{index}", keep) for index, strip in enumerate(card.strips)
        ],
    }


def thumb(card: Card, place: Place) -> str:
    """The address of a small picture of a card's image."""
    image = _picture(_bytes(card.image))
    image.thumbnail((_THUMB, _THUMB))
    pixels = np.asarray(image)
    return place(np.atleast_3d(pixels), f"{card.number:06d}_small")


def _strip_data(strip: Strip, name: str, keep: Place) -> dict[str, Any]:
    steps = [
        [_figure_data(figure, f"{name}_{step}_{column}", keep) for column, figure in enumerate(row)]
        for step, row in enumerate(strip.steps)
    ]
    return {
        "title": strip.title,
        "knob": strip.knob,
        "labels": strip.labels,
        "numbers": strip.numbers,
        "steps": steps,
    }


def _figure_data(figure: Figure, name: str, keep: Place) -> dict[str, str]:
    heat = "" if figure.heat is None else keep(_heat(figure), f"{name}_heat")
    image = keep(_bytes(figure.image), name)
    return {"caption": figure.caption, "alt": figure.alt, "image": image, "heat": heat}


def _heat(figure: Figure) -> UInt8[np.ndarray, "h w 4"]:
    """Red and blue, the more transparent the nearer the value is to 0."""
    values = np.nan_to_num(np.asarray(figure.heat, np.float32))
    colours = signed_colours(np.sign(values) * figure.scale * 0.75, scale=figure.scale)
    alpha = np.clip(np.abs(values) / figure.scale, 0, 1)[..., None]
    return _bytes(np.concatenate([colours, alpha], axis=-1))


def _bytes(image: Float[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w c"]:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _picture(pixels: UInt8[np.ndarray, "h w c"]) -> Any:
    library = import_extra("PIL.Image", "putting images into pages")
    return library.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _json_number(value: float) -> str:
    """A number as JSON, with null for NaN and a number beyond all others for infinity."""
    if math.isnan(value):
        return "null"
    return repr(float(value)) if math.isfinite(value) else ("1e999" if value > 0 else "-1e999")
