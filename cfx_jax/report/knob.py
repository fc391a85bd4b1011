"""The tuning knob: a self-contained page with a slider through a progressive explanation.

Beside the query stands the same image exaggerated to the probability that the slider asks for. The
classifier's answer to it is shown as a number, on a bar and as a point of the chart of expected
against achieved probability (Singla, Pollack, Chen, Batmanghelich, "Explanation by Progressive
Exaggeration", ICLR 2020, section 1 and Figure 3). The page holds all its images, fetches nothing
(its content policy forbids it), and works by mouse, touch and keyboard.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_flag, check_text
from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled, check_image, check_images, check_share
from cfx_jax.report.colours import signed_colours, signed_difference
from cfx_jax.report.templates import image_uri, write_page

# The smallest colour scale, one step of an 8-bit image: a sweep that changes nothing would divide
# by zero.
_LEAST_SCALE = 1 / 255


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A query and its progressive series, such as ``counterfactuals.progressive`` returns it."""

    images: Float[np.ndarray, "k h w c"]
    """``(k, h, w, c)`` in [0, 1], k >= 2, c = 1 or 3: the query exaggerated to each desired
    probability, in order.
    """
    original: Float[np.ndarray, "h w c"]
    """``(h, w, c)``: the query."""
    probabilities: Float[np.ndarray, " k"]
    """``(k,)`` in [0, 1]: the classifier's probability of class 1 for each image."""
    desired: Float[np.ndarray, " k"]
    """``(k,)`` in [0, 1], increasing: the probability asked for."""
    source_bin: int
    """The position, in [0, k), of the image whose desired probability is the query's own; the knob
    starts there."""
    probability: float
    """The classifier's probability of class 1 for the query, in [0, 1]."""
    name: str = ""
    """The name of the query on the page; "Query 1", "Query 2", ... where empty."""

    def __post_init__(self) -> None:
        images, original = (
            check_images(self.images, "a sweep's images"),
            check_image(self.original, "its original"),
        )
        if images.shape[1:] != original.shape or len(images) < 2:
            raise InputError(
                f"a sweep needs two images or more of its original's shape {original.shape}, got"
                f" {images.shape}"
            )
        for name in ("probabilities", "desired"):
            _check_shares(getattr(self, name), len(images), f"a sweep's {name}")
        if not (np.diff(self.desired) > 0).all():
            raise InputError(
                f"a sweep's desired probabilities must increase, got {np.asarray(self.desired)}"
            )
        if not 0 <= self.source_bin < len(images):
            raise InputError(f"source_bin must lie in 0..{len(images) - 1}, got {self.source_bin}")
        check_share(self.probability, "the query's probability")


def write_knob(
    path: str | os.PathLike[str],
    sweeps: Sequence[Sweep],
    *,
    title: str,
    class_names: tuple[str, str],
    note: str = "",
    smooth: bool = False,
) -> Path:
    """Writes the page of one or several sweeps; the reader picks a sweep by its thumbnail.

    The map of the change from the query is signed and averaged over the channels, and all maps of a
    sweep share one scale, so that they can be compared. Images are compressed without loss: a sweep
    takes at most about ``8 (k + 1)`` bytes per pixel of the query, 0.4 MB for ten steps at 64 px.

    Args:
        path: the file, usually ``knob.html``; written in one move.
        sweeps: one or more.
        title: the page's title.
        class_names: the names of classes 0 and 1, e.g. ``("not smiling", "smiling")``.
        note: set in a frame below the title, such as "synthetic data".
        smooth: enlarge the images by interpolation; otherwise pixels stay square.

    Returns:
        The path.

    Raises:
        InputError: no sweep, an empty title, class names that are not two, or a file that cannot be
            written.

    >>> import tempfile
    >>> sweep = Sweep(
    ...     images=np.linspace(0, 1, 32).reshape(2, 4, 4, 1),
    ...     original=np.zeros((4, 4, 1)),
    ...     probabilities=np.array([0.1, 0.8]),
    ...     desired=np.array([0.25, 0.75]),
    ...     source_bin=0,
    ...     probability=0.1,
    ... )
    >>> names = ("not smiling", "smiling")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_knob(f"{folder}/knob.html", [sweep], title="Smiles", class_names=names).name
    'knob.html'
    """
    check_filled(sweeps, "sweeps", Sweep)
    check_text(title, name="title")
    check_text(note, name="note")
    check_flag(smooth, name="smooth")
    if not title.strip():
        raise InputError("a knob page needs a title")
    is_list = isinstance(class_names, Sequence) and not isinstance(class_names, str)
    if not is_list or len(class_names) != 2:
        raise InputError(
            f"class_names must be two names, those of classes 0 and 1, got {class_names!r}"
        )
    contents = {"title": title, "note": note, "smooth": smooth, "class_names": list(class_names)}
    data = [_sweep_data(sweep, number) for number, sweep in enumerate(sweeps, start=1)]
    return write_page(path, "knob.html.jinja", {**contents, "sweeps": data})


def _check_shares(values: Any, count: int, name: str) -> None:
    if np.shape(values) != (count,):
        raise InputError(
            f"{name} must be {count} numbers, one per image, got shape {np.shape(values)}"
        )
    for value in np.asarray(values):
        check_share(value, name)


def _sweep_data(sweep: Sweep, number: int) -> dict[str, Any]:
    """Converts a sweep to JSON's own types, with images as data."""
    images, original = check_images(sweep.images, "images"), check_image(sweep.original, "original")
    changes = signed_difference(images, original)
    scale = max(float(np.abs(changes).max()), _LEAST_SCALE)
    return {
        "name": sweep.name or f"Query {number}",
        "original": image_uri(original),
        "images": [image_uri(image) for image in images],
        "changes": [image_uri(change) for change in signed_colours(changes, scale=scale)],
        "scale": scale,
        "width": original.shape[1],
        "height": original.shape[0],
        "probabilities": [float(value) for value in np.asarray(sweep.probabilities)],
        "desired": [float(value) for value in np.asarray(sweep.desired)],
        "source": int(sweep.source_bin),
        "probability": float(sweep.probability),
    }
