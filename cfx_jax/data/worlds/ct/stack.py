"""Stacks of CT slices: the slices' heights, a painter of slices, smooth noise in space.

The height of a slice is its *level* in (0, 1), 0 at the lower and 1 at the upper end of the stack;
the first slice is the lowest, as in :mod:`cfx_jax.data.nifti`. Slices are seen from the feet: x
grows from the patient's right to the left.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cfx_jax.data.worlds.curves import rotate
from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_curves,
    draw_dots,
    fill_outline,
)
from cfx_jax.errors import import_extra

Points = Float[np.ndarray, "*n 2"]
LEAST_COVER = 0.25  # a voxel counts as part of a finding where this share of its tissue does
_TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], -1)


def levels_of(num_slices: int) -> Float[np.ndarray, " s"]:
    """The levels of the slices of one stack, evenly spread over (0, 1)."""
    return ((np.arange(num_slices) + 0.5) / num_slices).astype(np.float32)


class Stack(NamedTuple):
    """Slices on top of each other.

    Attributes:
        brightness: the brightness in the window that the slices are shown in, in [0, 1].
        organ: share of each voxel that is the tissue in which findings lie.
    """

    brightness: Float[np.ndarray, "s h w"]
    organ: Float[np.ndarray, "s h w"]

    @property
    def holds_organ(self) -> Bool[np.ndarray, "s h w"]:
        """The voxels at least half filled by the tissue in which findings lie."""
        return self.organ >= 0.5


class Painter:
    """Paints one slice: later shapes cover earlier ones.

    Args:
        frame: the picture's frame.
        place: brings the coordinates of the shapes into the frame's unit coordinates.
    """

    def __init__(self, frame: Frame, place: Callable[[Points], Points]) -> None:
        self._frame, self._place = frame, place
        self._brightness, self._organ = blank(frame), blank(frame)

    def fill(self, outline: Points, brightness: float, *, organ: bool | None = False) -> None:
        """Fills a closed outline.

        ``organ`` says whether it is of the tissue in which findings lie; None leaves that as it is
        below.
        """
        placed = self._place(outline)
        for canvas, strength in self._layers(brightness, organ):
            fill_outline(canvas, self._frame, placed, strength)

    def stroke(
        self,
        curves: Float[np.ndarray, "n points 2"],
        width: float,
        brightness: float,
        *,
        organ: bool | None = False,
    ) -> None:
        """Draws open curves of one width in unit coordinates, at least a canvas pixel."""
        placed, least = self._place(curves), 1 / self._frame.canvas_radius
        for canvas, strength in self._layers(brightness, organ):
            draw_curves(
                canvas, self._frame, placed, np.full(len(curves), max(width, least)), strength
            )

    def dots(
        self,
        centres: Points,
        radii: Float[np.ndarray, " n"],
        brightness: float,
        *,
        organ: bool | None = False,
    ) -> None:
        """Draws discs with radii in unit coordinates."""
        placed = self._place(centres)
        for canvas, strength in self._layers(brightness, organ):
            draw_dots(canvas, self._frame, placed, radii, np.full(len(radii), strength))

    def finish(self) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Brightness and organ of the slice, as of :class:`Stack`."""
        return coverage(self._brightness), coverage(self._organ)

    def _layers(
        self, brightness: float, organ: bool | None
    ) -> list[tuple[UInt8[np.ndarray, "H W"], float]]:
        layers = [(self._brightness, brightness)]
        return layers if organ is None else [*layers, (self._organ, float(organ))]


def ellipse(
    centre: tuple[float, float], half_axes: tuple[float, float], *, turn: float = 0.0
) -> Float[np.ndarray, "points 2"]:
    """The outline of an ellipse, turned by an angle in radians."""
    return rotate(_CIRCLE * half_axes, turn) + np.array(centre)


def stack_slices(slices: list[tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]]) -> Stack:
    """Puts painted slices on top of each other, the lowest first."""
    brightness, organ = zip(*slices, strict=True)
    return Stack(np.stack(brightness), np.stack(organ))


def solid_noise(
    rng: np.random.Generator, size: int, num_slices: int, *, cells: int
) -> Float[np.ndarray, "s h w"]:
    """Smooth noise in space of mean about 0 and deviation about 1 at the grid points.

    It is to space what :func:`smooth_noise` is to a plane.

    In the plane there is :func:`smooth_noise`.

    Args:
        rng: the source of randomness.
        size: side of the slices in pixels.
        num_slices: how many slices the same noise is cut into.
        cells: number of grid points along each axis; fewer means smoother.
    """
    cv2 = import_extra("cv2", "drawing synthetic images")
    coarse = rng.standard_normal((cells, cells * cells), dtype=np.float32)
    upright = cv2.resize(coarse, (cells * cells, num_slices), interpolation=cv2.INTER_CUBIC)
    # OpenCV takes the slices for channels and enlarges them all at once.
    slices = np.ascontiguousarray(upright.reshape(num_slices, cells, cells).transpose(1, 2, 0))
    fine = cv2.resize(slices, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.moveaxis(fine.reshape(size, size, num_slices), -1, 0)
