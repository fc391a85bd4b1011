"""The figure of attribution maps: images against models and methods, with overlaps."""

import os
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_choice, check_filled, check_map
from cfx_jax.report.colours import overlay
from cfx_jax.report.figures.grid import Cell, Grid, GridRow
from cfx_jax.report.figures.grid_rows import MapColumn, SaliencyMap, SaliencyRow
from cfx_jax.report.figures.panels import draw_heat, draw_image, draw_outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEGENDS = {
    "overlay": "Maps: kept pixels, from the lowest (red) to the highest (yellow) of each panel.",
    "heat": "Maps: each on its own scale; red and blue around 0 where signed, dark to bright where"
    " not.",
}


def saliency_grid(
    path: str | os.PathLike[str],
    rows: Sequence[SaliencyRow],
    columns: Sequence[MapColumn],
    *,
    title: str = "",
    style: str = "overlay",
    panel_size: float = 1.3,
    note: str = "",
) -> Path:
    """Draws, for each image, the original, the ground truth and one map per model and method.

    Args:
        path: the file, ending in ``.png``; written in one move.
        rows: one or more images.
        columns: model and method of each map, from left to right; put a model's methods side by
            side.
        title: above the figure.
        style: ``"overlay"`` draws thresholded maps over the grey image, with the outline of the
            mask; ``"heat"`` draws raw maps in colours.
        panel_size: width of a panel in inches.
        note: drawn below the figure, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: no rows or columns, a row without one map per column, a negative value in an
            overlay, an unknown style, a page that is too large, or a file that cannot be written.

    >>> import tempfile
    >>> row = SaliencyRow(original=np.zeros((4, 4, 1)), maps=[SaliencyMap(values=np.eye(4))])
    >>> column = MapColumn(model="robust", method="gradient")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saliency_grid(f"{folder}/maps.png", [row], [column]).name
    'maps.png'
    """
    check_filled(rows, "rows", SaliencyRow)
    check_filled(columns, "columns", MapColumn)
    check_choice(style, tuple(_LEGENDS), "style")
    masked = any(row.mask is not None for row in rows)
    grid = Grid(
        [_grid_row(row, columns, style, masked=masked) for row in rows],
        [("", 2 if masked else 1), *_model_groups(columns)],
        panel_size=panel_size,
        title=title,
        legend=_legend(style, masked=masked),
        note=note,
    )
    return grid.draw().save(path, note=note)


def _model_groups(columns: Sequence[MapColumn]) -> list[tuple[str, int]]:
    return [
        (model, len(list(members))) for model, members in groupby(columns, key=lambda c: c.model)
    ]


def _legend(style: str, *, masked: bool) -> str:
    outline = " Outlines: ground truth." if masked and style == "overlay" else ""
    return _LEGENDS[style] + outline


def _grid_row(
    row: SaliencyRow, columns: Sequence[MapColumn], style: str, *, masked: bool
) -> GridRow:
    if len(row.maps) != len(columns):
        raise InputError(
            f"a row needs one map for each of the {len(columns)} columns, got {len(row.maps)}"
        )
    original = partial(draw_image, image=np.asarray(row.original))
    cells: list[Cell | None] = [Cell(draw=original, titles=[(row.label or "original", "")])]
    cells += [_mask_cell(row)] if masked else []
    cells += [
        _map_cell(row, saliency, column, style)
        for saliency, column in zip(row.maps, columns, strict=True)
    ]
    height, width = np.shape(row.original)[:2]
    return GridRow(cells=cells, name=row.name, size=(height, width))


def _mask_cell(row: SaliencyRow) -> Cell | None:
    if row.mask is None:
        return None
    shown = np.asarray(row.mask, np.float32)[..., None]
    return Cell(draw=partial(draw_image, image=shown), titles=[("ground truth", "")])


def _map_cell(row: SaliencyRow, saliency: SaliencyMap, column: MapColumn, style: str) -> Cell:
    draw = (
        _overlay_drawer(row, saliency)
        if style == "overlay"
        else partial(draw_heat, values=saliency.values)
    )
    titles = [(column.method, "")]
    return Cell(
        draw=draw,
        titles=titles if saliency.iou is None else [*titles, ("IoU", f" {saliency.iou:.2f}")],
    )


def _overlay_drawer(row: SaliencyRow, saliency: SaliencyMap) -> "partial[None]":
    size = np.shape(row.original)[:2]
    kept = check_map(saliency.values, size, "a thresholded map (style 'overlay')", signed=False)
    return partial(_draw_overlay, shown=overlay(np.asarray(row.original), kept), mask=row.mask)


def _draw_overlay(axes: "Axes", shown: np.ndarray, mask: np.ndarray | None) -> None:
    draw_image(axes, shown)
    if mask is not None:
        draw_outline(axes, np.asarray(mask, bool), on_white=False)
