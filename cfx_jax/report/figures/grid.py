"""Rows of panels with titles above them, on a page whose size follows from its contents.

Every distance is computed before anything is drawn, from the measured widths of the titles: nothing
can overlap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from cfx_jax.report.checks import check_panel_size
from cfx_jax.report.figures.canvas import (
    FAINT,
    HEADING_SIZE,
    Canvas,
    fit_text,
    line_height,
    sensible_dpi,
    text_style,
)
from cfx_jax.report.figures.footer import MARGIN, Footer, SignedBar, Title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 0.06
_GROUP_GAP = 0.2
_NAME_WIDTH = 0.2
_BELOW_TITLES = 0.03
_BELOW_PANELS = 0.1


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A panel of a grid."""

    draw: Callable[["Axes"], None]
    """Draws the panel's contents."""
    titles: Sequence[tuple[str, str]]
    """Lines above it, each as the part that may be cut and the tail that may not."""


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """A row of panels."""

    cells: Sequence[Cell | None]
    """One for each column; None leaves the place empty."""
    name: str
    """Name of the row at its left, turned by 90 degrees."""
    size: tuple[int, int]
    """``(h, w)`` of its images in pixels."""


class Grid:
    """A page of panels, laid out in inches from its top left corner."""

    def __init__(
        self,
        rows: Sequence[GridRow],
        groups: Sequence[tuple[str, int]],
        *,
        panel_size: float,
        title: str = "",
        bar: SignedBar | None = None,
        legend: str = "",
        note: str = "",
    ) -> None:
        """Computes all sizes and places.

        Args:
            rows: the rows from top to bottom.
            groups: heading and number of columns of each group, from left to right; a wider gap
                lies between groups.
            panel_size: width of a panel in inches.
            title: above everything.
            bar: the key to signed colours.
            legend: how to read the panels.
            note: the user's note.

        Raises:
            InputError: ``panel_size`` is out of range.
        """
        check_panel_size(panel_size, most=10)
        self._rows, self._groups, self._size = rows, groups, panel_size
        self._lefts = _column_lefts(groups, panel_size, named=any(row.name for row in rows))
        width = self._lefts[-1] + panel_size - MARGIN
        self._title = Title(title, width)
        self._footer = Footer(width, bar=bar, legend=legend, note=note)
        self._headings = [self._heading(i) for i in range(len(groups))]
        self._titles = [[_cell_titles(cell, panel_size) for cell in row.cells] for row in rows]
        self._heights = [
            panel_size * min(max(row.size[0] / row.size[1], 0.25), 4.0) for row in rows
        ]

    def draw(self) -> Canvas:
        """Draws all rows, the title and the footer.

        Returns:
            The page, to be saved.

        Raises:
            InputError: it is too large.
        """
        largest = max(max(row.size) for row in self._rows)
        canvas = Canvas(
            self._lefts[-1] + self._size + MARGIN,
            self._height(),
            dpi=sensible_dpi(largest, self._size),
        )
        self._title.draw(canvas)
        self._draw_headings(canvas, MARGIN + self._title.height)
        top = MARGIN + self._title.height + self._headings_height()
        for number in range(len(self._rows)):
            self._draw_row(canvas, top, number)
            top += self._row_height(number)
        self._footer.draw(canvas, top)
        return canvas

    def _heading(self, number: int) -> list[str]:
        left, right = self._group_span(number)
        name = self._groups[number][0]
        return (
            fit_text(name, right - left, size=HEADING_SIZE, weight="bold", max_lines=3)
            if name
            else []
        )

    def _group_span(self, number: int) -> tuple[float, float]:
        first = sum(count for _, count in self._groups[:number])
        last = first + self._groups[number][1] - 1
        return self._lefts[first], self._lefts[last] + self._size

    def _headings_height(self) -> float:
        lines = max(map(len, self._headings))
        return lines * line_height(HEADING_SIZE) + 0.1 if lines else 0.0

    def _titles_height(self, number: int) -> float:
        return max(map(len, self._titles[number])) * line_height() + _BELOW_TITLES

    def _row_height(self, number: int) -> float:
        return self._titles_height(number) + self._heights[number] + _BELOW_PANELS

    def _height(self) -> float:
        rows = sum(self._row_height(number) for number in range(len(self._rows)))
        return (
            2 * MARGIN + self._title.height + self._headings_height() + rows + self._footer.height
        )

    def _draw_headings(self, canvas: Canvas, top: float) -> None:
        style = text_style(size=HEADING_SIZE, weight="bold")
        for number, lines in enumerate(self._headings):
            if lines:
                left, right = self._group_span(number)
                first = top + self._headings_height() - 0.1 - len(lines) * line_height(HEADING_SIZE)
                canvas.text((left + right) / 2, first, lines, ha="center", **style)
                rule = canvas.axes(left, top + self._headings_height() - 0.07, right - left, 0.01)
                rule.set_axis_off()
                rule.axhline(0.5, color=FAINT, linewidth=0.7)

    def _draw_row(self, canvas: Canvas, top: float, number: int) -> None:
        row, height = self._rows[number], self._heights[number]
        panels = top + self._titles_height(number)
        for left, cell, lines in zip(self._lefts, row.cells, self._titles[number], strict=True):
            if cell is not None:
                # Titles stand on their panel: a short one must not float far above it.
                first = panels - _BELOW_TITLES - len(lines) * line_height()
                canvas.text(left + self._size / 2, first, lines, ha="center")
                cell.draw(canvas.axes(left, panels, self._size, height))
        if row.name:
            _draw_name(canvas, panels, height, row.name)


def _column_lefts(
    groups: Sequence[tuple[str, int]], panel_size: float, *, named: bool
) -> list[float]:
    steps = [MARGIN + (_NAME_WIDTH if named else 0.0)]
    for _, count in groups:
        steps += [panel_size + _GAP] * (count - 1) + [panel_size + _GROUP_GAP]
    return list(accumulate(steps))[:-1]


def _cell_titles(cell: Cell | None, width: float) -> list[str]:
    if cell is None:
        return []
    return [line for text, tail in cell.titles for line in fit_text(text, width, tail=tail)]


def _draw_name(canvas: Canvas, top: float, height: float, name: str) -> None:
    lines = fit_text(name, height, weight="bold", max_lines=1)
    middle = top + (height - line_height()) / 2
    canvas.text(MARGIN + 0.06, middle, lines, rotation=90, ha="center", **text_style(weight="bold"))
