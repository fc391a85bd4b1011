"""The figure of progressive explanations: each query, and the images drawn for one desired probability after the other.

Above each image stands the probability that was asked for and the one that the classifier gives, so that a sweep that does
not obey its knob is seen as such. Images are drawn with their own values, never stretched.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from cfx_jax.errors import InputError
from cfx_jax.report.figures.grid import Cell, Grid, GridRow
from cfx_jax.report.figures.panels import draw_heat, draw_image
from cfx_jax.report.inputs import check_filled
from cfx_jax.report.knob import Sweep


def sweep_grid(
    path: str | os.PathLike[str],
    sweeps: Sequence[Sweep],
    *,
    class_name: str,
    title: str = "",
    panel_size: float = 0.95,
    note: str = "",
) -> Path:
    """Draws one row for each query: the query, its sweep, and where the two extremes differ.

    Args:
        path: the file, ending in ``.png``; written in one move.
        sweeps: one or more, of the same number of images.
        class_name: what class 1 is called.
        title: above the figure.
        panel_size: width of a panel in inches.
        note: drawn below the figure, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: no sweep, sweeps of several lengths, a page that is too large, or a file that cannot be written.
    """
    check_filled(sweeps, "sweeps")
    lengths = sorted({len(each.images) for each in sweeps})
    if len(lengths) > 1:
        raise InputError(f"the sweeps of a figure must have the same number of images, got {lengths}")
    grid = Grid(
        [_row(each, class_name) for each in sweeps],
        [("", 1), ("", lengths[0]), ("", 1)],
        panel_size=panel_size,
        title=title,
        legend="Above each image: the probability asked for, and the one that the classifier gives; framed by [ ] the"
        " query's own bin. Right: magnitude of the difference of the two extremes, on its own scale.",
        note=note,
    )
    return grid.draw().save(path, note=note)


def _row(sweep: Sweep, class_name: str) -> GridRow:
    original = np.asarray(sweep.original)
    query = Cell(
        draw=partial(draw_image, image=original), titles=[(class_name, ""), ("", f"p = {sweep.probability:.2f}")]
    )
    extremes = np.abs(np.asarray(sweep.images[-1]) - np.asarray(sweep.images[0])).mean(axis=-1)
    change = Cell(draw=partial(draw_heat, values=extremes), titles=[("extremes", "")])
    return GridRow(
        cells=[query, *(_image(sweep, number) for number in range(len(sweep.images))), change],
        name=sweep.name,
        size=(original.shape[0], original.shape[1]),
    )


def _image(sweep: Sweep, number: int) -> Cell:
    desired, achieved = float(sweep.desired[number]), float(sweep.probabilities[number])
    asked = f"[{desired:.2f}]" if number == sweep.source_bin else f"{desired:.2f}"
    return Cell(
        draw=partial(draw_image, image=np.asarray(sweep.images[number])), titles=[("", asked), ("", f"{achieved:.2f}")]
    )
