"""The figure of progressive explanations: each query, and an image for each desired probability.

Above each image stands the desired probability and the classifier's probability, so that a sweep
that does not obey its knob is seen as such. Images are drawn with their own values, never
stretched.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.checks import check_text
from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled
from cfx_jax.report.figures.grid import Cell, Grid, GridRow
from cfx_jax.report.figures.panels import draw_heat, draw_image, draw_outline
from cfx_jax.report.knob import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """The outlines of a part, such as the heart, in a query and its series, and their sizes.

    Singla et al. 2020, Figure 2.
    """

    query: Bool[np.ndarray, "h w"]
    """``(h, w)``: in the query."""
    images: Bool[np.ndarray, "k h w"]
    """``(k, h, w)``: in each image of the series."""
    query_size: float
    """The size in the query; NaN where it is not known."""
    sizes: Float[np.ndarray, " k"]
    """``(k,)``: the size in each image; NaN where it is not known."""


def sweep_grid(
    path: str | os.PathLike[str],
    sweeps: Sequence[Sweep],
    *,
    class_name: str,
    outlines: Sequence[Outlines] | None = None,
    outlined: str = "",
    title: str = "",
    panel_size: float = 0.95,
    note: str = "",
) -> Path:
    """Draws one row for each query: the query, its sweep, and where the two extremes differ.

    Args:
        path: the file, ending in ``.png``; written in one move.
        sweeps: one or more, of the same number of images.
        class_name: the name of class 1.
        outlines: what is outlined in each sweep, with its size in parentheses above the image; None
            for nothing.
        outlined: the name of what is outlined.
        title: above the figure.
        panel_size: width of a panel in inches.
        note: drawn below the figure, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: no sweep, sweeps of several lengths, outlines of another number or shape, a page
            that is too large, or a file that cannot be written.

    >>> import tempfile
    >>> sweep = Sweep(
    ...     images=np.linspace(0, 1, 32).reshape(2, 4, 4, 1),
    ...     original=np.zeros((4, 4, 1)),
    ...     probabilities=np.array([0.1, 0.8]),
    ...     desired=np.array([0.25, 0.75]),
    ...     source_bin=0,
    ...     probability=0.1,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sweep_grid(f"{folder}/sweeps.png", [sweep], class_name="smiling").name
    'sweeps.png'
    """
    check_filled(sweeps, "sweeps", Sweep)
    check_text(class_name, name="class_name")
    lengths = sorted({len(sweep.images) for sweep in sweeps})
    if len(lengths) > 1:
        raise InputError(
            f"the sweeps of a figure must have the same number of images, got {lengths}"
        )
    if outlines is not None:
        check_filled(outlines, "outlines", Outlines)
    drawn = [None] * len(sweeps) if outlines is None else list(outlines)
    if len(drawn) != len(sweeps):
        raise InputError(f"outlines: expected those of {len(sweeps)} sweeps, got {len(drawn)}")
    for sweep, outline in zip(sweeps, drawn, strict=True):
        _check_outlines(sweep, outline)
    grid = Grid(
        [_row(sweep, class_name, outline) for sweep, outline in zip(sweeps, drawn, strict=True)],
        [("", 1), ("", lengths[0]), ("", 1)],
        panel_size=panel_size,
        title=title,
        legend="Above each image: the probability asked for, and the one that the classifier gives;"
        " framed by [ ] the query's own bin. Right: magnitude of the difference of the two"
        " extremes, on its own scale."
        + ("" if outlines is None else f" Outlined, with its size in parentheses: {outlined}."),
        note=note,
    )
    return grid.draw().save(path, note=note)


def _check_outlines(sweep: Sweep, outlines: Outlines | None) -> None:
    if outlines is None:
        return
    expected, shape = np.shape(sweep.images)[:3], np.shape(outlines.images)
    if (
        shape != expected
        or np.shape(outlines.query) != expected[1:]
        or np.shape(outlines.sizes) != expected[:1]
    ):
        raise InputError(
            f"outlines: expected masks {expected} of a sweep and {expected[1:]} of its query with"
            f" {expected[0]} sizes, got {shape}, {np.shape(outlines.query)} and sizes of shape"
            f" {np.shape(outlines.sizes)}"
        )


def _row(sweep: Sweep, class_name: str, outlines: Outlines | None) -> GridRow:
    original = np.asarray(sweep.original)
    probability = (
        f"p = {sweep.probability:.2f}{'' if outlines is None else _size(outlines.query_size)}"
    )
    query = Cell(
        draw=partial(_draw, image=original, mask=None if outlines is None else outlines.query),
        titles=[(class_name, ""), ("", probability)],
    )
    extremes = np.abs(np.asarray(sweep.images[-1]) - np.asarray(sweep.images[0])).mean(axis=-1)
    change = Cell(draw=partial(draw_heat, values=extremes), titles=[("extremes", "")])
    return GridRow(
        cells=[
            query,
            *(_image(sweep, number, outlines) for number in range(len(sweep.images))),
            change,
        ],
        name=sweep.name,
        size=(original.shape[0], original.shape[1]),
    )


def _image(sweep: Sweep, number: int, outlines: Outlines | None) -> Cell:
    desired, achieved = float(sweep.desired[number]), f"{float(sweep.probabilities[number]):.2f}"
    asked = f"[{desired:.2f}]" if number == sweep.source_bin else f"{desired:.2f}"
    mask = None if outlines is None else outlines.images[number]
    if outlines is not None:
        achieved += _size(float(outlines.sizes[number]))
    draw = partial(_draw, image=np.asarray(sweep.images[number]), mask=mask)
    return Cell(draw=draw, titles=[("", asked), ("", achieved)])


def _size(size: float) -> str:
    return f" ({size:.2f})" if np.isfinite(size) else ""


def _draw(
    axes: "Axes", image: Float[np.ndarray, "h w c"], mask: Bool[np.ndarray, "h w"] | None
) -> None:
    draw_image(axes, image)
    if mask is not None:
        draw_outline(axes, mask, on_white=False)
