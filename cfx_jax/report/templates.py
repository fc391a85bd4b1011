"""The environment of the page templates, and images as data inside pages."""

import base64
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.errors import import_extra
from cfx_jax.files import write_text


def write_page(path: str | os.PathLike[str], template: str, contents: Mapping[str, Any]) -> Path:
    """Fills a template of this package and writes the page, in one move.

    Args:
        path: the file to write.
        template: its file name, e.g. ``"knob.html.jinja"``; every value in it is escaped.
        contents: the values that it names.

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written.
    """
    jinja = import_extra("jinja2", "writing pages")
    environment = jinja.Environment(
        loader=jinja.PackageLoader("cfx_jax", "report"),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return write_text(path, environment.get_template(template).render(contents))


def image_uri(image: Float[np.ndarray, "h w c"]) -> str:
    """Encodes an image as a ``data:`` address, for the ``src`` of an ``img``.

    It holds a PNG file of 8 bits per channel.

    Args:
        image: ``(h, w, 1)`` or ``(h, w, 3)`` in [0, 1].

    Returns:
        The address.

    >>> image_uri(np.zeros((2, 2, 1)))[:22]
    'data:image/png;base64,'
    """
    return png_uri(np.rint(image * 255).astype(np.uint8))


def png_uri(pixels: UInt8[np.ndarray, "h w c"]) -> str:
    """Encodes the pixels of an image as a ``data:`` address, for the ``src`` of an ``img``.

    Args:
        pixels: ``(h, w, c)``: grey, colour, or colour with a fourth channel of opacity.

    Returns:
        The address.

    >>> png_uri(np.zeros((2, 2, 4), np.uint8))[:22]
    'data:image/png;base64,'
    """
    file = io.BytesIO()
    picture = import_extra("PIL.Image", "putting images into pages").fromarray(
        pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    )
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
