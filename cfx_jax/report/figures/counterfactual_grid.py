"""The figure of counterfactuals: each image, its counterfactuals, and where they differ.

Two decisions keep it honest. Differences of the whole figure share one symmetric scale, printed
with its value, so a faint panel is a small change and not another choice of colours. Images are
drawn with their own values, never stretched.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_positive
from cfx_jax.report.checks import check_choice, check_filled
from cfx_jax.report.colours import overlay, signed_difference
from cfx_jax.report.figures.footer import SignedBar
from cfx_jax.report.figures.grid import Cell, Grid, GridRow
from cfx_jax.report.figures.grid_rows import CounterfactualPanel, CounterfactualRow
from cfx_jax.report.figures.panels import draw_image, draw_outline, draw_signed
from cfx_jax.report.text_fitting import HARD_SPACE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REDUCTIONS = {"mean": "mean over channels", "max_abs": "channel of largest change"}
# The smallest scale, one step of an 8-bit image: a figure of unchanged images would divide by zero.
_LEAST_SCALE = 1 / 255


def counterfactual_grid(
    path: str | os.PathLike[str],
    rows: Sequence[CounterfactualRow],
    *,
    title: str = "",
    reduce: str = "mean",
    scale: float | None = None,
    panel_size: float = 1.5,
    note: str = "",
) -> Path:
    """Draws originals, counterfactuals, signed differences and thresholded maps, one row per image.

    From left to right: the original with its true class and the classifier's probability; then for
    each counterfactual the image with "→ class: probability", its signed difference from the
    original, and, where one is given, the thresholded map over the grey image. The outline of the
    row's mask is drawn on differences and maps.

    Args:
        path: the file, ending in ``.png``; written in one move.
        rows: one or more; images may differ in size between rows, rows may differ in their number
            of panels.
        title: above the figure.
        reduce: how channels become one number: ``"mean"``, or ``"max_abs"`` for the channel that
            changed most.
        scale: the difference, above 0, of the strongest colour. Where None, the 99.9 % quantile of
            the figure's absolute differences, so that single pixels do not fade the rest; the
            colour bar's label gives the largest.
        panel_size: width of a panel in inches.
        note: drawn below the figure, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: no rows, options out of range, a page that is too large, or a file that cannot
            be written.

    >>> import tempfile
    >>> panel = CounterfactualPanel(image=np.ones((4, 4, 1)), target="ill", probability=0.9)
    >>> row = CounterfactualRow(
    ...     original=np.zeros((4, 4, 1)),
    ...     label="well",
    ...     predicted="well",
    ...     probability=0.8,
    ...     counterfactuals=[panel],
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counterfactual_grid(f"{folder}/grid.png", [row]).name
    'grid.png'
    """
    check_filled(rows, "rows", CounterfactualRow)
    check_choice(reduce, tuple(_REDUCTIONS), "channel reduction")
    largest, scale = _scales(rows, reduce, scale)
    columns = _columns(rows)
    grid = Grid(
        [_grid_row(row, columns, reduce, scale) for row in rows],
        [("", 1), *(("", 3 if has_map else 2) for has_map in columns)],
        panel_size=panel_size,
        title=title,
        bar=_bar(reduce, scale, largest),
        legend=_legend(rows),
        note=note,
    )
    return grid.draw().save(path, note=note)


def _columns(rows: Sequence[CounterfactualRow]) -> list[bool]:
    """Tells for each place of a counterfactual whether any row has a map there."""
    count = max(len(row.counterfactuals) for row in rows)
    return [any(_has_map(row, place) for row in rows) for place in range(count)]


def _has_map(row: CounterfactualRow, place: int) -> bool:
    return place < len(row.counterfactuals) and row.counterfactuals[place].saliency is not None


def _scales(
    rows: Sequence[CounterfactualRow], reduce: str, scale: float | None
) -> tuple[float, float]:
    """Computes the largest absolute difference of the figure, and the difference of the strongest
    colour."""
    if scale is not None:
        check_positive(scale, name="scale")
    differences = [
        _difference(row, panel, reduce).ravel() for row in rows for panel in row.counterfactuals
    ]
    values = np.abs(np.concatenate(differences))
    largest = float(values.max())
    # A change of few pixels leaves the quantile at 0: then the largest change sets the scale.
    return largest, scale or max(float(np.quantile(values, 0.999)) or largest, _LEAST_SCALE)


def _difference(
    row: CounterfactualRow, panel: CounterfactualPanel, reduce: str
) -> Float[np.ndarray, "h w"]:
    return signed_difference(np.asarray(panel.image), np.asarray(row.original), reduce=reduce)


def _grid_row(
    row: CounterfactualRow, columns: Sequence[bool], reduce: str, scale: float
) -> GridRow:
    cells: list[Cell | None] = [_original(row)]
    for place, has_map in enumerate(columns):
        width = 3 if has_map else 2
        filled = place < len(row.counterfactuals)
        made = (
            _counterfactual_cells(row, row.counterfactuals[place], reduce, scale) if filled else []
        )
        cells += [*made, *[None] * (width - len(made))]
    height, width = np.shape(row.original)[:2]
    return GridRow(cells=cells, name=row.name, size=(height, width))


def _original(row: CounterfactualRow) -> Cell:
    said = [(f"p({row.predicted}", f") = {row.probability:.2f}")]
    titles = [(f"true: {row.label}", ""), *said] if row.label else said
    return Cell(draw=partial(draw_image, image=np.asarray(row.original)), titles=titles)


def _counterfactual_cells(
    row: CounterfactualRow, panel: CounterfactualPanel, reduce: str, scale: float
) -> list[Cell]:
    made = [(f"→{HARD_SPACE}{panel.target}", f": {panel.probability:.2f}")]
    image = Cell(
        draw=partial(draw_image, image=np.asarray(panel.image)),
        titles=[(panel.name, ""), *made] if panel.name else made,
    )
    return [image, _difference_cell(row, panel, reduce, scale), *_map_cells(row, panel)]


def _difference_cell(
    row: CounterfactualRow, panel: CounterfactualPanel, reduce: str, scale: float
) -> Cell:
    change = _difference(row, panel, reduce)

    def draw(axes: "Axes") -> None:
        draw_signed(axes, change, scale)
        _outline(axes, row, on_white=True)

    return Cell(
        draw=draw, titles=[("difference", ""), ("largest", f" {np.abs(change).max():#.2g}")]
    )


def _map_cells(row: CounterfactualRow, panel: CounterfactualPanel) -> list[Cell]:
    if panel.saliency is None:
        return []
    shown = overlay(np.asarray(row.original), np.asarray(panel.saliency))

    def draw(axes: "Axes") -> None:
        draw_image(axes, shown)
        _outline(axes, row, on_white=False)

    titles = [("thresholded map", "")]
    return [
        Cell(
            draw=draw,
            titles=titles if panel.iou is None else [*titles, ("IoU", f" {panel.iou:.2f}")],
        )
    ]


def _outline(axes: "Axes", row: CounterfactualRow, *, on_white: bool) -> None:
    if row.mask is not None:
        draw_outline(axes, np.asarray(row.mask, bool), on_white=on_white)


def _bar(reduce: str, scale: float, largest: float) -> SignedBar:
    label = (
        f"counterfactual minus original ({_REDUCTIONS[reduce]}); one scale for all panels,"
        f" ±{scale:.3g}"
    )
    clipped = largest > scale
    if clipped:
        label += f"; larger differences, up to {largest:.3g}, share the end colours"
    return SignedBar(scale=scale, clipped=clipped, label=label)


def _legend(rows: Sequence[CounterfactualRow]) -> str:
    parts = []
    if any(row.mask is not None for row in rows):
        parts.append("Outlines: ground truth.")
    if any(_columns(rows)):
        parts.append(
            "Thresholded maps: kept pixels, from the lowest (red) to the highest (yellow) of each"
            " panel."
        )
    return " ".join(parts)
