"""Circles in photographs, the check of a photograph's pixels, and the error of unusable ones."""

from typing import NamedTuple

import numpy as np

from cfx_jax.errors import InputError


class Circle(NamedTuple):
    """A circle in pixels: ``x`` to the right, ``y`` down, and ``radius``.

    The centre of the first pixel is (0, 0).
    """

    x: float
    y: float
    radius: float


class UnusableImage(Exception):
    """A photograph that cannot be prepared; the message says why in a few words."""


def check_pixels(image: np.ndarray) -> None:
    """Checks for one colour image of 8 bits.

    Raises:
        InputError: naming the shape or the dtype that came.
    """
    if getattr(image, "ndim", None) != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise InputError(f"image: expected one colour image (h, w, 3), got shape {np.shape(image)}")
    if image.dtype != np.uint8:
        raise InputError(
            f"image: expected uint8 pixels in 0..255, got {image.dtype}: convert them before the"
            " call"
        )
