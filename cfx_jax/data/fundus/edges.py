"""Edges of a photograph between the dark ground and something brighter.

Canny's edges of the reduced, smoothed grey image. Grey is compressed by a logarithm first, as the
rim of an eye in the dark is weaker than vessels and the optic disc in plain grey, and stronger in
shares. Edges whose far side is as bright as an eye, such as the edges of vessels, are left out.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from cfx_jax.data.sources.resizing import resize
from cfx_jax.errors import import_extra

# Pixels of the longer side; a pixel is then well below one per cent of an eye's radius.
WORKING_SIDE = 512
_SMOOTHING = 4.0  # standard deviation in working pixels: the rim stays, vessels and noise fade
_DARK = 30.0  # grey level added before the logarithm, above the noise of a black ground
_BEYOND = 10.0  # working pixels from an edge to where its far side is looked at
# of the way from the darkest place to the bright ones, in logarithms: what still is dark ground
_GROUND = 0.4
_SHARES = (0.80, 0.92)  # quantiles of gradient strength for Canny's two thresholds


class Edges(NamedTuple):
    """Places of edges in a photograph.

    Attributes:
        points: (n, 2) as x, y in pixels of the photograph.
        uphill: (n, 2), unit vectors towards the brighter side.
    """

    points: Float[np.ndarray, "n 2"]
    uphill: Float[np.ndarray, "n 2"]


def find_edges(image: UInt8[np.ndarray, "h w 3"]) -> Edges:
    """Finds the edges of what stands before the dark ground.

    They are looked for in a copy of 512 pixels on the longer side.

    Args:
        image: red, green, blue.

    Returns:
        Places in pixel-centre coordinates of the image given, and directions.
    """
    cv2 = import_extra("cv2", "preparing photographs of the eye")
    height, width = image.shape[:2]
    scale = max(height, width) / WORKING_SIDE
    shape = (max(1, round(width / scale)), max(1, round(height / scale)))
    small = resize(image, shape[::-1])
    light = np.log(small.mean(axis=2, dtype=np.float32) + _DARK)
    smooth = cv2.GaussianBlur(light, (0, 0), _SMOOTHING, borderType=cv2.BORDER_REPLICATE)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    rows, columns = np.nonzero(_canny(across, down))
    slope = np.stack([across, down], -1)[rows, columns].astype(float)
    edges = Edges(
        np.stack([columns, rows], -1), slope / np.linalg.norm(slope, axis=1, keepdims=True)
    )
    dark = _from_dark(edges, smooth)
    points = (edges.points[dark] + 0.5) * (width / shape[0], height / shape[1]) - 0.5
    return Edges(points, edges.uphill[dark])


def _from_dark(edges: Edges, smooth: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, " n"]:
    """Tells of each edge whether the dark ground is on its far side."""
    darkest, bright = smooth.min(), np.quantile(smooth, 0.9)
    x, y = np.round(edges.points - _BEYOND * edges.uphill).astype(int).T
    beyond = smooth[y.clip(0, smooth.shape[0] - 1), x.clip(0, smooth.shape[1] - 1)]
    return beyond < darkest + _GROUND * (bright - darkest)


def _canny(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Canny's thinning and hysteresis, with thresholds that are shares of the pixels."""
    cv2 = import_extra("cv2", "preparing photographs of the eye")
    strength = np.hypot(across, down)
    unit = 30000 / max(float(strength.max()), 1e-6)  # OpenCV takes 16-bit integers
    low, high = np.quantile(strength, _SHARES) * unit
    return cv2.Canny(
        (across * unit).astype(np.int16), (down * unit).astype(np.int16), low, high, L2gradient=True
    )
