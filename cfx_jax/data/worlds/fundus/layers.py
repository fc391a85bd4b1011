"""Coloured layers on the retina: opacity of a set of spots, and blending by that opacity."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_dots
from cfx_jax.errors import import_extra

_FULL_LIGHT = 0.75  # red of a well-lit retina
_SOFTNESS = 0.03  # standard deviation of the blur of soft spots, in unit coordinates


class Spots(NamedTuple):
    """Discs that together draw the findings of one kind.

    Attributes:
        number: how many findings they form.
        centres: in unit coordinates.
        radii: in unit coordinates.
        strengths: opacity in [0, 1].
    """

    number: int
    centres: Float[np.ndarray, "n 2"]
    radii: Float[np.ndarray, " n"]
    strengths: Float[np.ndarray, " n"]


def opacity(frame: Frame, spots: Spots, *, soft: bool = False) -> Float[np.ndarray, "h w 1"]:
    """Opacity of each pixel; ``soft`` blurs the edges."""
    if not len(spots.centres):
        return np.zeros((frame.size, frame.size, 1), np.float32)
    canvas = blank(frame)
    draw_dots(canvas, frame, spots.centres, spots.radii, spots.strengths)
    covered = coverage(canvas)
    if soft:
        cv2 = import_extra("cv2", "drawing synthetic images")
        covered = cv2.GaussianBlur(covered, (0, 0), max(_SOFTNESS * frame.radius * frame.size, 0.3))
    return covered[..., None]


def dim(
    image: Float[np.ndarray, "h w 3"],
    covered: Float[np.ndarray, "h w 1"],
    tint: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "h w 3"]:
    """Lays a translucent layer on the image; it lets the share ``tint`` of each channel through."""
    return image * (1 - covered * (1 - tint))


def cover(
    image: Float[np.ndarray, "h w 3"],
    covered: Float[np.ndarray, "h w 1"],
    colour: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "h w 3"]:
    """Blends an opaque colour over the image, as bright as the light that falls there allows."""
    if not covered.any():
        return image
    light = np.clip(image[..., :1] / _FULL_LIGHT, 0.55, 1.05)
    return image + covered * (colour * light - image)
