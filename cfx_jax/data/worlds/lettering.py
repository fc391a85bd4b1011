"""Letters on a picture, such as side markers and tags, by strokes of our own.

OpenCV's fonts change with its version.
"""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_curves

# The strokes of each letter in a box of 1 by 1, y downwards.
_BOWL: list[tuple[float, float]] = [
    (0, 1),
    (0, 0),
    (0.75, 0),
    (0.95, 0.15),
    (0.95, 0.40),
    (0.75, 0.55),
    (0, 0.55),
]
_STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.65), (0.8, 0.65)]],
    "D": [[(0, 0), (0, 1), (0.6, 1), (0.95, 0.7), (0.95, 0.3), (0.6, 0), (0, 0)]],
    "G": [
        [
            (0.95, 0.15),
            (0.6, 0),
            (0, 0.3),
            (0, 0.7),
            (0.6, 1),
            (0.95, 0.85),
            (0.95, 0.55),
            (0.5, 0.55),
        ]
    ],
    "L": [[(0, 0), (0, 1), (0.85, 1)]],
    "P": [_BOWL],
    "R": [_BOWL, [(0.45, 0.55), (0.95, 1)]],
}
# Widths of a letter, of the gap between two and of a stroke, as shares of the height.
_WIDTH, _GAP, _STROKE = (0.62, 0.30, 0.16)


def letters(
    frame: Frame, text: str, centre: tuple[float, float], height: float
) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that lettering covers.

    Args:
        frame: the picture's frame.
        text: what is written, in the letters A, D, G, L, P and R.
        centre: (x, y) of its middle in unit coordinates.
        height: the height of a letter, in unit coordinates.
    """
    canvas = blank(frame)
    left = -0.5 * (len(text) * (_WIDTH + _GAP) - _GAP)
    for number, letter in enumerate(text):
        corner = np.array([left + number * (_WIDTH + _GAP), -0.5])
        for stroke in _STROKES[letter]:
            points = centre + height * (corner + np.array(stroke) * (_WIDTH, 1))
            draw_curves(canvas, frame, points[None], np.array([_STROKE * height]))
    return coverage(canvas)
