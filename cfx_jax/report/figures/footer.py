"""The title above the panels of a figure, and the colour bar, legend and note below them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfx_jax.checks import check_text
from cfx_jax.report.colours import SIGNED_MAP
from cfx_jax.report.figures.canvas import FAINT, FONT, Canvas, fit_text, line_height, text_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 0.12
"""Inches left free at every edge of a page."""

MINUS = "\u2212"
"""The sign as long as a plus, as Matplotlib prints it on axes."""

_TITLE_SIZE = 10.0
_GAP = 0.05
_BAR_WIDTH, _BAR_HEIGHT = 2.2, 0.09
_BAR_WITH_TICKS = 0.3


@dataclass(frozen=True, kw_only=True)
class SignedBar:
    """The key to signed colours."""

    scale: float
    """The value of the strongest colours."""
    clipped: bool
    """Whether larger values occur; the bar's ends are pointed then."""
    label: str
    """The quantity that the colours show."""


class Title:
    """A figure's title, fitted to the width of the page."""

    def __init__(self, title: str, width: float) -> None:
        check_text(title, name="title")
        self._lines = (
            fit_text(title, width, max_lines=3, size=_TITLE_SIZE, weight="bold") if title else []
        )
        self.height = len(self._lines) * line_height(_TITLE_SIZE) + 0.06 if title else 0.0

    def draw(self, canvas: Canvas) -> None:
        """Writes the title into the page's top left corner."""
        canvas.text(MARGIN, MARGIN, self._lines, **text_style(size=_TITLE_SIZE, weight="bold"))


class Footer:
    """The colour bar, legend and note, one under another, fitted to the width of the page."""

    def __init__(
        self, width: float, *, bar: SignedBar | None = None, legend: str = "", note: str = ""
    ) -> None:
        check_text(note, name="note")
        self._bar = bar
        self._bar_width = min(_BAR_WIDTH, 0.4 * width)
        self._label_left = self._bar_width + 0.4
        self._label = fit_text(bar.label, width - self._label_left, max_lines=6) if bar else []
        self._legend = fit_text(legend, width, max_lines=6) if legend else []
        self._note = fit_text(note, width, max_lines=4, weight="bold") if note else []
        self.height = sum(self._heights())

    def draw(self, canvas: Canvas, top: float) -> None:
        """Draws colour bar, legend and note.

        Args:
            canvas: the page.
            top: inches from the page's top edge.
        """
        bar, legend, _ = self._heights()
        if self._bar is not None:
            _draw_bar(
                canvas,
                canvas.axes(MARGIN + 0.1, top + _GAP, self._bar_width, _BAR_HEIGHT),
                self._bar,
            )
            canvas.text(MARGIN + self._label_left, top + 0.02, self._label)
        canvas.text(MARGIN, top + bar, self._legend, **text_style(colour=FAINT))
        canvas.text(MARGIN, top + bar + legend, self._note, **text_style(weight="bold"))

    def _heights(self) -> tuple[float, float, float]:
        bar = max(_BAR_WITH_TICKS, len(self._label) * line_height()) + _GAP if self._bar else 0.0
        legend = len(self._legend) * line_height() + _GAP if self._legend else 0.0
        return bar, legend, len(self._note) * line_height()


def _draw_bar(canvas: Canvas, axes: "Axes", bar: SignedBar) -> None:
    scale = bar.scale
    colours = axes.imshow(
        [[-scale, scale]], cmap=SIGNED_MAP, vmin=-scale, vmax=scale, aspect="auto"
    )
    colours.set_visible(False)
    ends: Any = "both" if bar.clipped else "neither"
    drawn = canvas.figure.colorbar(colours, cax=axes, orientation="horizontal", extend=ends)
    drawn.set_ticks([-scale, 0.0, scale], labels=[f"{MINUS}{scale:.3g}", "0", f"+{scale:.3g}"])
    drawn.outline.set_linewidth(0.5)
    axes.tick_params(labelsize=6.5, labelfontfamily=FONT, length=2, width=0.5, pad=1.5)
