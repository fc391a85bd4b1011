"""Drawing for all synthetic worlds: anti-aliased shapes on fine canvases, and smooth noise.

A *canvas* is a uint8 image ``SUPERSAMPLE`` times finer than the picture; shapes are drawn on it by
OpenCV and :func:`coverage` averages it down to the share of each pixel that is covered. Colours are
never drawn: a world blends them in at image resolution, so a picture costs a few single-channel
canvases only.

Positions are in *unit coordinates*: (0, 0) is the centre of the object drawn, 1 its radius, x grows
to the right and y downwards. The same draws therefore give the same anatomy at every resolution.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Num, UInt8

from cfx_jax.errors import import_extra

SUPERSAMPLE = 4
_SMOOTHING = 0.55  # canvas pixels by which OpenCV's anti-aliased discs exceed their radius
_NARROWEST_BLUR = 0.15  # pixels
_SHIFT = 4  # OpenCV's fixed point: coordinates are given in 1/16 of a canvas pixel


class Frame(NamedTuple):
    """The place of the unit disc in the picture.

    Attributes:
        size: side of the square picture in pixels.
        centre: (x, y) of the disc's centre, as a share of the side.
        radius: the disc's radius, as a share of the side.
    """

    size: int
    centre: tuple[float, float]
    radius: float

    @property
    def canvas_radius(self) -> float:
        """The disc's radius in canvas pixels."""
        return self.radius * self.size * SUPERSAMPLE


def whole_picture(size: int) -> Frame:
    """The frame whose unit disc touches the picture's four sides."""
    return Frame(size, (0.5, 0.5), 0.5)


def unit_grid(frame: Frame) -> tuple[Float[np.ndarray, "1 w"], Float[np.ndarray, "h 1"]]:
    """The unit coordinates x (a row) and y (a column) of the pixel centres."""
    share = (np.arange(frame.size, dtype=np.float32) + 0.5) / frame.size
    x = (share - np.float32(frame.centre[0])) / np.float32(frame.radius)
    y = (share - np.float32(frame.centre[1])) / np.float32(frame.radius)
    return x[None, :], y[:, None]


def blank(frame: Frame) -> UInt8[np.ndarray, "H W"]:
    """An empty canvas for a frame."""
    side = frame.size * SUPERSAMPLE
    return np.zeros((side, side), np.uint8)


def coverage(canvas: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
    """The canvas averaged over each pixel, in [0, 1]."""
    cv2 = _opencv()
    size = canvas.shape[0] // SUPERSAMPLE
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def draw_dots(
    canvas: UInt8[np.ndarray, "H W"],
    frame: Frame,
    centres: Float[np.ndarray, "n 2"],
    radii: Float[np.ndarray, " n"],
    strengths: Float[np.ndarray, " n"],
) -> None:
    """Draws filled discs in place.

    Args:
        canvas: what is drawn on; a later disc replaces an earlier one where they overlap.
        frame: the picture's frame.
        centres: unit coordinates.
        radii: the radius of each dot, in units of the frame's radius.
        strengths: opacity in [0, 1] of each disc.
    """
    cv2 = _opencv()
    points = _fixed_point(frame, centres)
    fixed_radii = np.maximum(
        np.rint((radii * frame.canvas_radius - _SMOOTHING) * 2**_SHIFT), 1
    ).astype(int)
    values = np.rint(255 * strengths).astype(int)
    for (x, y), radius, value in zip(
        points.tolist(), fixed_radii.tolist(), values.tolist(), strict=True
    ):
        cv2.circle(canvas, (x, y), radius, value, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def draw_curves(
    canvas: UInt8[np.ndarray, "H W"],
    frame: Frame,
    curves: Float[np.ndarray, "n points 2"],
    widths: Float[np.ndarray, " n"],
    strength: float = 1.0,
) -> None:
    """Draws open curves in place, the thin ones first so that a thick one covers their ends.

    Args:
        canvas: what is drawn on.
        frame: the picture's frame.
        curves: unit coordinates of the corners.
        widths: full width, in units of the frame's radius. What is thinner than a canvas pixel is
            drawn one pixel wide and fainter in proportion.
        strength: opacity in [0, 1].
    """
    cv2 = _opencv()
    in_pixels = widths * frame.canvas_radius
    thickness = np.maximum(np.rint(in_pixels), 1).astype(int)
    points = _fixed_point(frame, curves)
    for level in sorted(set(thickness.tolist())):
        chosen = thickness == level
        opacity = strength * min(1.0, float(in_pixels[chosen].mean()) / level)
        # OpenCV smooths the edges of wide lines ten times slower than the averaging of the canvas
        # does.
        edge = cv2.LINE_AA if level == 1 else cv2.LINE_8
        cv2.polylines(
            canvas, list(points[chosen]), False, round(255 * opacity), level, edge, _SHIFT
        )


def fill_outline(
    canvas: UInt8[np.ndarray, "H W"],
    frame: Frame,
    outline: Float[np.ndarray, "points 2"],
    strength: float = 1.0,
) -> None:
    """Fills a closed outline in place.

    Args:
        canvas: what is drawn on; what was there before is replaced.
        frame: the picture's frame.
        outline: unit coordinates of its corners.
        strength: opacity in [0, 1].
    """
    cv2 = _opencv()
    cv2.fillPoly(canvas, [_fixed_point(frame, outline)], round(255 * strength), cv2.LINE_8, _SHIFT)


def outline_cover(
    frame: Frame, *outlines: Float[np.ndarray, "points 2"]
) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that lies inside at least one outline, in unit coordinates."""
    canvas = blank(frame)
    for outline in outlines:
        fill_outline(canvas, frame, outline)
    return coverage(canvas)


def stroke_cover(
    frame: Frame, curves: Float[np.ndarray, "n points 2"], widths: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that curves cover; arguments as of :func:`draw_curves`."""
    canvas = blank(frame)
    draw_curves(canvas, frame, curves, widths)
    return coverage(canvas)


def smooth_outline(
    corners: Float[np.ndarray, "corners 2"], rounds: int = 3
) -> Float[np.ndarray, "points 2"]:
    """Rounds a closed polygon by Chaikin's corner cutting; each round doubles its points."""
    for _ in range(rounds):
        following = np.roll(corners, -1, axis=0)
        pair = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1)
        corners = pair.reshape(-1, 2)
    return corners


def soften(
    image: Float[np.ndarray, "h w *c"], frame: Frame, blur: float
) -> Float[np.ndarray, "h w *c"]:
    """Blurs by a Gaussian; one too narrow to matter is left out.

    Args:
        image: what is blurred.
        frame: the picture's frame.
        blur: standard deviation in unit coordinates.
    """
    cv2 = _opencv()
    in_pixels = blur * frame.radius * frame.size
    return cv2.GaussianBlur(image, (0, 0), in_pixels) if in_pixels > _NARROWEST_BLUR else image


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> Float[np.ndarray, "h w"]:
    """Smooth noise of mean about 0 and deviation about 1 at the grid points.

    Random values lie on a coarse grid, with cubic interpolation between them.

    Args:
        rng: the source of randomness.
        size: side of the picture in pixels.
        cells: number of grid points along each side; fewer means smoother.
    """
    cv2 = _opencv()
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


@functools.cache
def _opencv() -> Any:
    """OpenCV, looked up once: a picture asks for it dozens of times."""
    return import_extra("cv2", "drawing synthetic images")


def _fixed_point(frame: Frame, points: Num[np.ndarray, "... 2"]) -> Num[np.ndarray, "... 2"]:
    """Unit coordinates as OpenCV's fixed-point coordinates of the canvas.

    There whole numbers are pixel centres.
    """
    share = np.asarray(frame.centre) + points * frame.radius
    return np.rint((share * frame.size * SUPERSAMPLE - 0.5) * 2**_SHIFT).astype(np.int32)
