"""The relief of a face: how bright its parts are in the light that falls on them."""

import numpy as np

from cfx_jax.data.worlds.drawing import Frame
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import Cover, hill, hills

_AMBIENT, _DIRECT = 0.56, 0.50
_HALF_WIDTH, _HALF_HEIGHT = 0.57, 0.88  # of the ellipsoid whose slopes the head has


def relief(anatomy: Anatomy, side_light: float, smile: float, frame: Frame) -> Cover:
    """Brightness of the skin, about 1 where it faces the light.

    Args:
        anatomy: the head.
        side_light: from -1, light from the picture's left, to 1, from its right.
        smile: the smile's intensity; it lifts the cheeks.
        frame: the picture's frame.
    """
    x, y = anatomy.grid(frame)
    across, down = x / _HALF_WIDTH, y / _HALF_HEIGHT
    depth = np.sqrt(np.maximum(1 - across**2 - down**2, 0.04))
    direct = 0.55 * side_light * across - 0.20 * down + 0.82 * depth
    return np.clip(
        _AMBIENT + _DIRECT * direct + _features(anatomy, smile, frame), 0.05, 1.25
    ).astype(np.float32)


def _features(anatomy: Anatomy, smile: float, frame: Frame) -> Cover:
    """The brightness that nose, cheeks, eye sockets and chin add to the ellipsoid's brightness."""
    grid, nose = anatomy.grid(frame, 1.0), anatomy.grid(frame, 1.6)
    lift = 0.035 * smile
    return (
        0.07 * hill(grid, (0.0, -0.42), (0.28, 0.14))
        - 0.20 * hills(grid, (0.20, -0.105), (0.115, 0.070))
        + 0.10 * hill(nose, (0.0, 0.02), (0.045, 0.17))
        + 0.10 * hill(nose, (0.0, 0.165), (0.055, 0.045))
        - 0.12 * hills(nose, (0.085, 0.09), (0.032, 0.11))
        - 0.16 * hill(nose, (0.0, 0.255), (0.085, 0.028))
        + (0.06 + 0.10 * smile) * hills(grid, (0.285, 0.16 - lift), (0.11, 0.075))
        - 0.10 * smile * hills(grid, (0.30, 0.29), (0.06, 0.10))
        - 0.09 * hill(grid, (0.0, 0.555), (0.11, 0.030))
        + 0.08 * hill(grid, (0.0, 0.66 + anatomy.chin), (0.11, 0.065))
    )
