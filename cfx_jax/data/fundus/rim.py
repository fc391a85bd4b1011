"""The rim of an eye: the edges that lie on a circle, and how much of it they cover."""

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.data.fundus.edges import Edges
from cfx_jax.data.fundus.pixels import Circle, UnusableImage

_FACING = 0.9  # cosine: up to 26 degrees between an edge's brighter side and the centre
_NEAR = 0.02  # an edge this share of the radius off a circle lies on it
_BINS = 180  # into which the rim is divided
# Enough of a rim: (share of the whole rim that shows as edges, share of the rim within the picture
# that does).
_ENOUGH = (0.4, 0.45)  # for a rim that is in the picture; black bars or a lid may hide some
_ENOUGH_CUT = (0.12, 0.85)  # for a rim that the frame leaves little of; that must show
# Edges off the circle for each on it: with more, the circle is a part of something else.
_STRAY = 0.5


def faces(edges: Edges, circles: Float[np.ndarray, "*m 3"]) -> Bool[np.ndarray, "*m n"]:
    """Whether each edge is brighter towards the centre of each circle (x, y, radius)."""
    distance, along = _inward(edges, circles)
    return along > _FACING * distance


def lies_on(edges: Edges, circles: Float[np.ndarray, "*m 3"]) -> Bool[np.ndarray, "*m n"]:
    """Tells of each edge and circle (x, y, radius) whether the edge is a piece of the circle.

    Such an edge is near to the circle, and brighter inside.
    """
    distance, along = _inward(edges, circles)
    radius = circles[..., 2, None]
    return (np.abs(distance - radius) < _NEAR * radius) & (along > _FACING * distance)


def _inward(edges: Edges, circles: Float[np.ndarray, "*m 3"]) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each circle's centre from each edge, and its part along the edge's slope."""
    x, y = circles[..., 0, None] - edges.points[:, 0], circles[..., 1, None] - edges.points[:, 1]
    return np.sqrt(x * x + y * y), x * edges.uphill[:, 0] + y * edges.uphill[:, 1]


def check_rim(edges: Edges, circle: Circle, shape: tuple[int, int]) -> None:
    """Checks that enough of a circle shows as edges, and that they belong to no other thing.

    The edges of something larger or flatter do not count.

    Args:
        edges: the edges of the photograph.
        circle: the circle.
        shape: height and width of the photograph.

    Raises:
        UnusableImage: the circle is no rim of an eye.
    """
    support = rim_support(edges, circle, shape)
    plain, cut = (all(np.greater_equal(support, least)) for least in (_ENOUGH, _ENOUGH_CUT))
    if not (plain or cut):
        raise UnusableImage(
            f"no visible eye: too little of a round rim ({support[0]:.0%} of the best circle)"
        )
    beyond = np.linalg.norm(edges.points - circle[:2], axis=1) / circle.radius - 1
    # Bars and lids draw edges inside of the circle, but where the frame hides most of the rim there
    # is no telling.
    stray = (beyond if plain else np.abs(beyond)) > 2 * _NEAR
    if stray.sum() > _STRAY * lies_on(edges, np.array(circle)).sum():
        raise UnusableImage(
            "no visible eye: the best circle is a part of something that is not round"
        )


def rim_support(edges: Edges, circle: Circle, shape: tuple[int, int]) -> tuple[float, float]:
    """Measures how much of a circle shows as edges.

    Args:
        edges: the edges of the photograph.
        circle: the circle.
        shape: height and width of the photograph.

    Returns:
        The share of the whole rim that shows as edges, and the same of the part of the rim inside
        the photograph.
    """
    x, y = (edges.points[lies_on(edges, np.array(circle))] - circle[:2]).T
    seen = np.zeros(_BINS, bool)
    seen[np.floor(np.arctan2(y, x) / (2 * np.pi) * _BINS).astype(int) % _BINS] = True
    angle = (np.arange(_BINS) + 0.5) * 2 * np.pi / _BINS
    rim = np.array(circle[:2]) + circle.radius * np.stack([np.cos(angle), np.sin(angle)], -1)
    # A rim nearer to the frame than this may lack its edge.
    margin = _NEAR * circle.radius
    inside = ((rim > margin) & (rim < np.array(shape[::-1]) - 1 - margin)).all(-1)
    return float(seen.mean()), float((seen & inside).sum() / max(inside.sum(), 1))
