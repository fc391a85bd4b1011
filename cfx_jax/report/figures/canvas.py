"""A Matplotlib figure measured in inches from its top left corner, without global state.

It does not use pyplot. Fonts, sizes and colours are given with every call, so the result does not
depend on the user's ``matplotlibrc``. Text is never read as TeX: a class name may hold a dollar
sign.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path, replacing
from cfx_jax.report.text_fitting import fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = "DejaVu Sans"
TEXT_SIZE = 7.0
"""Points, for titles of panels and everything below the panels."""
_WEIGHT = "normal"
HEADING_SIZE = 8.0
INK = "#1a1a1a"
FAINT = "#595959"
LINE_HEIGHT = 1.3
"""Distance of two lines of text, in font sizes."""

_LEAST_DPI = 100
_MOST_PIXELS = 40_000_000
_MOST_SIDE = 60_000


class Canvas:
    """A white page of a given size to put axes and text on."""

    def __init__(self, width: float, height: float, *, dpi: float) -> None:
        """Makes an empty page.

        Args:
            width: inches.
            height: inches.
            dpi: dots per inch wished for; fewer are used where the file would grow beyond 40
                million pixels.

        Raises:
            InputError: the page is too large to be drawn readably at all.
        """
        affordable = min((_MOST_PIXELS / (width * height)) ** 0.5, _MOST_SIDE / max(width, height))
        if affordable < _LEAST_DPI:
            raise InputError(
                f"a figure of {width:.0f} x {height:.0f} inches is too large: use several with"
                " fewer rows"
            )
        figure = import_extra("matplotlib.figure", "drawing figures")
        self.figure = figure.Figure(
            figsize=(width, height), dpi=min(dpi, affordable), facecolor="white"
        )
        import_extra("matplotlib.backends.backend_agg", "drawing figures").FigureCanvasAgg(
            self.figure
        )
        self._width, self._height = width, height

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """Adds axes at a place in inches.

        Args:
            left: inches from the page's left edge.
            top: inches from the page's top edge to the axes' upper edge.
            width: inches.
            height: inches.

        Returns:
            The axes.
        """
        bottom = self._height - top - height
        box = (
            left / self._width,
            bottom / self._height,
            width / self._width,
            height / self._height,
        )
        return self.figure.add_axes(box)

    def text(self, left: float, top: float, lines: Sequence[str], **style: Any) -> None:
        """Writes lines of text.

        Args:
            left: inches; where the text starts, or its centre with ``ha="center"``.
            top: inches from the page's top edge to the first line's upper edge.
            lines: the lines, already fitted.
            style: further properties of Matplotlib's ``Text``.
        """
        style = {"ha": "left", "va": "center", **text_style(), **style}
        step = line_height(style["fontsize"])
        for number, line in enumerate(lines):
            height = top + (number + 0.5) * step
            self.figure.text(left / self._width, 1 - height / self._height, line, **style)

    def save(self, path: str | os.PathLike[str], *, note: str = "") -> Path:
        """Writes the page as PNG, in one move.

        Args:
            path: the file, ending in ``.png``.
            note: also kept in the file's metadata.

        Returns:
            The path.

        Raises:
            InputError: another ending, or the file cannot be written.
        """
        if as_path(path).suffix.lower() != ".png":
            raise InputError(
                f"figures are written as PNG: give a path that ends in .png, got '{path}'"
            )
        with replacing(path) as temporary, open(temporary, "wb") as file:
            self.figure.canvas.print_png(file, metadata={"Comment": note} if note else None)
        return Path(path)


def text_style(
    *, size: float = TEXT_SIZE, weight: str = _WEIGHT, colour: str = INK
) -> dict[str, Any]:
    """Returns the properties of Matplotlib's ``Text`` that every piece of text in a figure gets.

    Args:
        size: points.
        weight: ``"normal"`` or ``"bold"``.
        colour: any Matplotlib colour.

    Returns:
        The properties as keyword arguments.
    """
    return {
        "fontfamily": FONT,
        "fontsize": size,
        "fontweight": weight,
        "color": colour,
        "parse_math": False,
    }


def line_height(size: float = TEXT_SIZE) -> float:
    """Computes the height of one line of text in inches.

    Args:
        size: points.

    Returns:
        Inches.
    """
    return size * LINE_HEIGHT / 72


def text_width(text: str, *, size: float = TEXT_SIZE, weight: str = _WEIGHT) -> float:
    """Computes the width of a line of text in inches.

    Args:
        text: the line.
        size: points.
        weight: ``"normal"`` or ``"bold"``.

    Returns:
        Inches, with a little room for the rounding of the drawn glyphs.
    """
    fonts = import_extra("matplotlib.font_manager", "drawing figures")
    paths = import_extra("matplotlib.textpath", "drawing figures")
    style = fonts.FontProperties(family=FONT, size=size, weight=weight)
    return paths.text_to_path.get_text_width_height_descent(text, style, False)[0] / 72 * 1.03


def fit_text(
    text: str, width: float, *, size: float = TEXT_SIZE, weight: str = _WEIGHT, **options: Any
) -> list[str]:
    """Breaks text into lines of a width in inches.

    Args:
        text: the text.
        width: inches.
        size: points.
        weight: ``"normal"`` or ``"bold"``.
        options: ``max_lines`` and ``tail`` of ``cfx_jax.report.text_fitting.fit``.

    Returns:
        The lines.
    """
    return fit(text, width, lambda line: text_width(line, size=size, weight=weight), **options)


def sensible_dpi(pixels: int, inches: float) -> float:
    """Computes dots per inch at which a panel shows every pixel, within what print can use.

    Args:
        pixels: the image's larger side.
        inches: the panel's size.

    Returns:
        Between 160 and 360.

    >>> sensible_dpi(400, 2.0)
    200.0
    """
    return min(max(160.0, pixels / inches), 360.0)
