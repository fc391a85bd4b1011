"""Layers of colour: how one thing is painted over another, and soft hills of light.

A scene holds its channels first, (3, h, w): painting is several times faster so. The photograph has
them last.
"""

import numpy as np
from jaxtyping import Float

Colour = tuple[float, float, float]
Scene = Float[np.ndarray, "3 h w"]
Cover = Float[np.ndarray, "h w"]
Grid = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]


def paint(scene: Scene, cover: Cover, colour: Colour | Scene) -> Scene:
    """Lays a colour, or one colour for each pixel, over a scene.

    Args:
        scene: what is painted over.
        cover: opacity in [0, 1].
        colour: red, green and blue in [0, 1].

    Returns:
        The new scene; the old one stays as it is.
    """
    return scene + cover * (planes(colour) - scene)


def planes(colour: Colour | Scene) -> Float[np.ndarray, "3 1 1"] | Scene:
    """A colour as three planes that multiply or add to each pixel's; a scene stays as it is."""
    values = np.asarray(colour, np.float32)
    return values[:, None, None] if values.ndim == 1 else values


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour at ``share`` in [0, 1] of the way from the first to the second."""
    red, green, blue = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    return red, green, blue


def hill(grid: Grid, centre: tuple[float, float], size: tuple[float, float]) -> Cover:
    """A Gaussian hill of height 1 at ``centre``; ``size`` is half its width and height at 1 / e."""
    x, y = grid
    return np.exp(-(((x - centre[0]) / size[0]) ** 2) - ((y - centre[1]) / size[1]) ** 2)


def hills(grid: Grid, centre: tuple[float, float], size: tuple[float, float]) -> Cover:
    """Two hills, one on each side of the face."""
    return hill((np.abs(grid[0]), grid[1]), centre, size)


def on_both_sides(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "2 points 2"]:
    """A curve and its mirror image."""
    return np.stack([points, points * (-1, 1)])


def symmetric(half: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "both 2"]:
    """A closed outline from its right half, which is given from top to bottom."""
    return np.concatenate([half, half[::-1] * (-1, 1)])
