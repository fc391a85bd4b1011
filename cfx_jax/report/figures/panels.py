"""The contents of a panel: an image, a signed difference, a map or an outline."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.report.colours import HEAT_MAP, SIGNED_MAP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colour and width in points of an outline, drawn one over the other: cyan stands out from grey, red
# and yellow, and its dark rim from bright pixels. On a white panel the rim would hide small areas.
_OUTLINE = (("#002b33", 1.1), ("#00d5e0", 0.6))
_OUTLINE_ON_WHITE = (("#00858c", 0.5),)


def draw_image(axes: "Axes", image: Float[np.ndarray, "h w c"]) -> None:
    """Draws an image as it is, without stretching of its values.

    Pixels stay square where the image is enlarged.

    Args:
        axes: the axes to draw on.
        image: ``(h, w, 1)`` or ``(h, w, 3)`` in [0, 1].
    """
    image = np.asarray(image, np.float32)
    image = image[..., 0] if image.shape[-1] == 1 else np.clip(image, 0, 1)
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="antialiased", aspect="equal")
    _frame(axes)


def draw_signed(axes: "Axes", values: Float[np.ndarray, "h w"], scale: float) -> None:
    """Draws signed values, white at 0.

    Args:
        axes: the axes to draw on.
        values: ``(h, w)``.
        scale: the value of the strongest red; its negative is the strongest blue.
    """
    axes.imshow(
        values,
        cmap=SIGNED_MAP,
        vmin=-scale,
        vmax=scale,
        interpolation="antialiased",
        aspect="equal",
    )
    _frame(axes)


def draw_heat(axes: "Axes", values: Float[np.ndarray, "h w"]) -> None:
    """Draws a raw map on its own scale.

    The map is white at 0 where it has both signs, dark at its minimum where it has one.

    Args:
        axes: the axes to draw on.
        values: ``(h, w)``.
    """
    values = np.asarray(values, np.float32)
    if values.min() < 0 < values.max():
        draw_signed(axes, values, float(np.abs(values).max()))
        return
    axes.imshow(values, cmap=HEAT_MAP, interpolation="antialiased", aspect="equal")
    _frame(axes)


def draw_outline(axes: "Axes", mask: Bool[np.ndarray, "h w"], *, on_white: bool) -> None:
    """Draws the border of a mask along the edges of its pixels.

    So a single pixel is outlined too.

    Args:
        axes: the axes to draw on, which hold the image already.
        mask: ``(h, w)``.
        on_white: whether the panel is white where nothing is drawn.
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    rows, columns = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    tops, lefts = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    for colour, width in _OUTLINE_ON_WHITE if on_white else _OUTLINE:
        axes.vlines(
            columns - 0.5,
            rows - 0.5,
            rows + 0.5,
            colors=colour,
            linewidths=width,
            capstyle="projecting",
        )
        axes.hlines(
            tops - 0.5,
            lefts - 0.5,
            lefts + 0.5,
            colors=colour,
            linewidths=width,
            capstyle="projecting",
        )


def _frame(axes: "Axes") -> None:
    """Draws a thin border: without it a white panel has no edge on white paper."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=0.5, color="#8c8c8c")
