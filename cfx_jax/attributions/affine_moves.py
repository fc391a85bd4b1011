"""Geometric moves of an image as matrices: rotation, shift, zoom about the centre, then flips.

The convention is Keras' image generator's, except that every move can be undone exactly.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, PRNGKeyArray

from cfx_jax.errors import InputError


@dataclass(frozen=True)
class AugmentationRanges:
    """How far images are moved; the defaults come from Charachon et al. 2020, for 224 x 224.

    Attributes:
        rotation: the angle is uniform in [-rotation, rotation] degrees.
        height_shift: the shift along rows is uniform in [-height_shift, height_shift] pixels.
        width_shift: the shift along columns, in the same units.
        zoom: the range of the zoom, drawn for rows and for columns apart; below 1 magnifies.
        horizontal_flip: whether left and right are swapped in half of the draws. The model should
            have seen it in training.
        vertical_flip: whether images are also mirrored up and down.

    Raises:
        InputError: a range below 0, or a zoom that is not ascending from above 0.
    """

    rotation: float = 5.0
    height_shift: float = 10.0
    width_shift: float = 10.0
    zoom: tuple[float, float] = (0.9, 1.0)
    horizontal_flip: bool = True
    vertical_flip: bool = True

    def __post_init__(self) -> None:
        for name in ("rotation", "height_shift", "width_shift"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(
                    f"{name}: expected the half-width of a range, at least 0, got"
                    f" {getattr(self, name)}"
                )
        low, high = self.zoom
        if not 0 < low <= high < math.inf:
            raise InputError(
                f"zoom: expected an ascending range of factors above 0, got {self.zoom}"
            )


class Move(NamedTuple):
    """A geometric move: each pixel of the moved image is read at another place of the image.

    Attributes:
        matrix: the place is ``matrix @ (row, column) + shift``, from the centre of the image.
        shift: the shift in pixels, rows first.
    """

    matrix: Float[Array, "2 2"]
    shift: Float[Array, " 2"]


def draw_move(
    key: PRNGKeyArray, ranges: AugmentationRanges, *, dtype: DTypeLike = jnp.float32
) -> Move:
    """Draws one move, ``rotation @ shift``, then ``rotation @ zoom @ flip``, as Keras does.

    Args:
        key: source of randomness.
        ranges: the ranges of the moves.
        dtype: of the numbers that are drawn; each draws its own.
    """
    angle_key, shift_key, zoom_key, flip_key = jax.random.split(key, 4)
    # The image's own: the default of JAX's x64 mode would draw other moves for a float32 image.
    draw = partial(jax.random.uniform, dtype=dtype)
    angle = jnp.deg2rad(jnp.asarray(ranges.rotation, dtype)) * draw(angle_key, minval=-1, maxval=1)
    largest_shift = jnp.asarray([ranges.height_shift, ranges.width_shift], dtype)
    shift = largest_shift * draw(shift_key, (2,), minval=-1, maxval=1)
    low, high = ranges.zoom
    zoom = low + (high - low) * draw(zoom_key, (2,))
    may_flip = jnp.asarray([ranges.vertical_flip, ranges.horizontal_flip])
    flip = jnp.where(may_flip & (draw(flip_key, (2,)) < 0.5), -1, 1)
    rotation = jnp.asarray([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    return Move(rotation * (zoom * flip), (rotation * shift).sum(axis=1))


def invert(move: Move) -> Move:
    """The inverse move, which brings every pixel back."""
    (a, b), (c, d) = move.matrix
    matrix = jnp.asarray([[d, -b], [-c, a]]) / (a * d - b * c)
    return Move(matrix, -(matrix * move.shift).sum(axis=1))


def _places(move: Move, shape: tuple[int, ...]) -> Float[Array, "2 h w"]:
    """The row and column, from the centre, at which each pixel is read."""
    rows, columns = (jnp.arange(size) - (size - 1) / 2 for size in shape[:2])
    matrix, shift = move
    # (2, 1, 1) coefficients times (h, 1) rows and (w,) columns: (2, h, w) places.
    return (
        matrix[:, :1, None] * rows[:, None] + matrix[:, 1:, None] * columns + shift[:, None, None]
    )


def apply_move(image: Float[Array, "h w *c"], move: Move) -> Float[Array, "h w *c"]:
    """The moved image or map, interpolated bilinearly; beyond the frame the border is repeated."""
    center = (jnp.asarray(image.shape[:2]) - 1) / 2
    coordinates = _places(move, image.shape) + center[:, None, None]
    channels = image.reshape(*image.shape[:2], -1)
    interpolated = jax.vmap(
        lambda channel: map_coordinates(channel, [*coordinates], 1, mode="nearest"), -1, -1
    )(channels)
    return interpolated.reshape(image.shape)


def is_read_inside(move: Move, shape: tuple[int, ...]) -> Bool[Array, "h w"]:
    """Whether each pixel is read from inside of the frame.

    The frame's edge is half a pixel beyond the outermost centres.
    """
    half = jnp.asarray(shape[:2])[:, None, None] / 2
    return (jnp.abs(_places(move, shape)) <= half).all(axis=0)
