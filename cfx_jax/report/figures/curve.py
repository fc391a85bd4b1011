"""Small line plots with bands: confidence against radius, overlap against threshold."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cfx_jax.checks import check_count, check_text
from cfx_jax.errors import InputError
from cfx_jax.report.checks import check_filled, check_panel_size
from cfx_jax.report.colours import LINE_COLOURS
from cfx_jax.report.figures.canvas import (
    FAINT,
    FONT,
    HEADING_SIZE,
    TEXT_SIZE,
    Canvas,
    fit_text,
    line_height,
    text_style,
    text_width,
)
from cfx_jax.report.figures.curve_lines import CurvePanel, Line
from cfx_jax.report.figures.footer import MARGIN, Footer, Title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Shapes beside colours: lines stay apart in grey print and for colour-blind readers.
_MARKERS = "os^Dv*P"
_DASHES = ("-", "--", ":")
_TICKS = 0.34  # inches for the numbers beside the axes
_LEGEND_HANDLE = 0.5
_LEGEND_LINE = 0.13
_DPI = 200
_LEGEND: dict[str, Any] = {
    "frameon": False,
    "prop": {"family": FONT, "size": TEXT_SIZE},
    "handlelength": 2.4,
    "columnspacing": 1.2,
    "borderaxespad": 0,
    "labelspacing": 0.3,
}


def curve(
    path: str | os.PathLike[str],
    panels: Sequence[CurvePanel],
    *,
    columns: int = 3,
    title: str = "",
    band: str = "",
    panel_size: tuple[float, float] = (2.3, 1.6),
    note: str = "",
) -> Path:
    """Draws one or more small plots with a common legend.

    Args:
        path: the file, ending in ``.png``; written in one move.
        panels: one or more plots, filled in row by row.
        columns: the most plots side by side.
        title: above the figure.
        band: what the bands are, e.g. "95 % bootstrap interval over 41 images"; printed below the
            legend.
        panel_size: width and height of a plot's axes in inches.
        note: drawn below the figure, such as "synthetic data".

    Returns:
        The path.

    Raises:
        InputError: no panels, ``columns`` below 1, a page that is too large, or a file that cannot
            be written.

    >>> import tempfile
    >>> line = Line(name="robust", x=[0, 1, 2], y=[0.9, 0.8, 0.7])
    >>> panel = CurvePanel(lines=[line], x_label="radius", y_label="accuracy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     curve(f"{folder}/curve.png", [panel]).name
    'curve.png'
    """
    check_filled(panels, "panels", CurvePanel)
    check_count(columns, name="columns")
    check_text(band, name="band")
    if not isinstance(panel_size, Sequence) or len(panel_size) != 2:
        raise InputError(f"panel_size: expected width and height in inches, got {panel_size!r}")
    for side in panel_size:
        check_panel_size(side, most=20)
    page = _Page(panels, min(columns, len(panels)), panel_size, title)
    footer = Footer(page.inner, legend=f"Bands: {band}." if band else "", note=note)
    return page.draw(footer).save(path, note=note)


@dataclass(frozen=True)
class _Look:
    """The colour, marker and dash of the lines of one name, in every panel."""

    colour: str
    marker: str
    dash: str

    def of_line(self) -> dict[str, Any]:
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dash,
            "linewidth": 1.3,
            "markersize": 3.5,
        }


class _Page:
    """The layout of a page of plots, in inches from the top left corner."""

    def __init__(
        self, panels: Sequence[CurvePanel], columns: int, size: tuple[float, float], title: str
    ) -> None:
        self.panels, self.columns, self.size = panels, columns, size
        self.x_labels = [fit_text(panel.x_label, size[0]) for panel in panels]
        self.y_labels = [fit_text(panel.y_label, size[1]) for panel in panels]
        self.left = _TICKS + 0.1 + max(map(len, self.y_labels)) * line_height()
        self.bottom = _TICKS - 0.08 + max(map(len, self.x_labels)) * line_height()
        self.inner = columns * (self.left + size[0]) + 0.05
        self.rows = ceil(len(panels) / columns)
        self.looks = _looks(panels)
        self.title = Title(title, self.inner)
        self.titles = [_panel_title(panel, size[0]) for panel in panels]
        self.legend_columns = self._legend_columns()

    def draw(self, footer: Footer) -> Canvas:
        plots = MARGIN + self.title.height
        legend = plots + self.rows * self._row_height()
        below = legend + self._legend_height()
        canvas = Canvas(self.inner + 2 * MARGIN, below + footer.height + MARGIN, dpi=_DPI)
        self.title.draw(canvas)
        for number in range(len(self.panels)):
            row, column = divmod(number, self.columns)
            left = MARGIN + column * (self.left + self.size[0]) + self.left
            self._draw_panel(canvas, number, left, plots + row * self._row_height())
        self._draw_legend(canvas, legend)
        footer.draw(canvas, below)
        return canvas

    def _titles_height(self) -> float:
        return max(map(len, self.titles)) * line_height(HEADING_SIZE) + 0.06

    def _row_height(self) -> float:
        return self._titles_height() + self.size[1] + self.bottom

    def _legend_columns(self) -> int:
        widest = max(text_width(name) for name in self.looks) + _LEGEND_HANDLE
        return min(max(1, int(self.inner // widest)), len(self.looks))

    def _legend_height(self) -> float:
        return ceil(len(self.looks) / self.legend_columns) * _LEGEND_LINE + 0.12

    def _draw_panel(self, canvas: Canvas, number: int, left: float, top: float) -> None:
        lines = self.titles[number]
        axes_top = top + self._titles_height()
        first = axes_top - 0.04 - len(lines) * line_height(HEADING_SIZE)
        style = text_style(size=HEADING_SIZE, weight="bold")
        canvas.text(left + self.size[0] / 2, first, lines, ha="center", **style)
        axes = canvas.axes(left, axes_top, *self.size)
        axes.set_xlabel("\n".join(self.x_labels[number]), labelpad=2, **text_style())
        axes.set_ylabel("\n".join(self.y_labels[number]), labelpad=2, **text_style())
        _plot(axes, self.panels[number], self.looks)

    def _draw_legend(self, canvas: Canvas, top: float) -> None:
        axes = canvas.axes(MARGIN, top, self.inner, self._legend_height())
        axes.set_axis_off()
        for name, look in self.looks.items():
            label = fit_text(name, self.inner - _LEGEND_HANDLE, max_lines=1)[0]
            axes.plot([], [], label=label, **look.of_line())
        legend = axes.legend(loc="center", ncols=self.legend_columns, **_LEGEND)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _looks(panels: Sequence[CurvePanel]) -> dict[str, _Look]:
    names = dict.fromkeys(line.name for panel in panels for line in panel.lines)
    count = len(LINE_COLOURS)
    return {
        name: _Look(
            LINE_COLOURS[i % count], _MARKERS[i % count], _DASHES[i // count % len(_DASHES)]
        )
        for i, name in enumerate(names)
    }


def _panel_title(panel: CurvePanel, width: float) -> list[str]:
    return (
        fit_text(panel.title, width, size=HEADING_SIZE, weight="bold", max_lines=3)
        if panel.title
        else []
    )


def _plot(axes: "Axes", panel: CurvePanel, looks: dict[str, _Look]) -> None:
    for line in panel.lines:
        _draw_line(axes, line, looks[line.name])
    if panel.y_range is not None:
        axes.set_ylim(*_with_room(panel.y_range))
    axes.tick_params(labelsize=6.5, labelfontfamily=FONT, length=2.5, width=0.6, direction="out")
    axes.grid(color="#d9d9d9", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(linewidth=0.6, color=FAINT)


def _draw_line(axes: "Axes", line: Line, look: _Look) -> None:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    axes.plot(x, y, **look.of_line())
    if line.low is not None:
        low, high = np.asarray(line.low, float), np.asarray(line.high, float)
        axes.fill_between(x, low, high, color=look.colour, alpha=0.18, linewidth=0)


def _with_room(y_range: tuple[float, float]) -> tuple[float, float]:
    """Widens a range a little, so that markers on its ends are not cut in half."""
    room = 0.03 * (y_range[1] - y_range[0])
    return y_range[0] - room, y_range[1] + room
