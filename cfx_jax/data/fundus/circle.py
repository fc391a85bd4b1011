"""The circle that the rim of the eye draws in a photograph, by iterative least squares on edges.

As Boreiko et al. (MICCAI 2022) and the cropping tool of the same laboratory: edges of the reduced
grey image, then a weighted algebraic circle fit whose weights, exp(-(distance - radius)^2 lam_t),
sharpen as lam_t ~ 1 / (steps left). Deviations, so that the fit holds for eyes off the centre,
small, or cut by the frame:

* it starts from the best of many circles through three edges (RANSAC), not from the middle of the
  picture;
* only edges that are brighter towards the centre take part, which leaves vessels and straight cuts
  out;
* the width of the weights is in shares of the radius (5 per cent at first, 0.5 at last, which is
  what lam means for a photograph of 3,000 pixels), so that size does not matter;
* a circle is returned only where enough of it is seen in the picture; the original keeps any.
"""

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.checks import check_num_steps
from cfx_jax.data.fundus.edges import Edges, find_edges
from cfx_jax.data.fundus.pixels import Circle, UnusableImage, check_pixels
from cfx_jax.data.fundus.rim import check_rim, faces, lies_on

SMALLEST_SIDE = 48  # pixels; below this an eye's circle is known to no better than one per cent
_FINAL_WIDTH = 0.005  # of the weights at the last step, as a share of the radius
_TRIALS = 3000  # circles through three random edges
_JUDGES = 700  # random edges that vote for them
_RADII = (0.15, 1.0)  # smallest and largest radius, in longer sides of the picture


def fit_circle(image: UInt8[np.ndarray, "h w 3"], *, num_steps: int = 100) -> Circle:
    """Finds the rim of the eye in a photograph.

    Args:
        image: red, green, blue; the eye on a dark ground, its centre in the picture; the frame or
            black bars may cut it.
        num_steps: rounds of weighting and fitting, at least 1.

    Returns:
        The circle, which may reach out of the picture. The same image gives the same circle.

    Raises:
        UnusableImage: the picture is too small, or shows no circle that is bright inside, along
            enough of its rim.
        InputError: the image is no uint8 colour image, or ``num_steps`` is below 1.

    Example:
        >>> image = np.zeros((120, 160, 3), np.uint8)
        >>> rows, columns = np.mgrid[:120, :160]
        >>> image[np.hypot(columns - 80, rows - 60) < 50] = (180, 90, 40)
        >>> [round(number) for number in fit_circle(image)]
        [80, 60, 50]
    """
    check_pixels(image)
    check_num_steps(num_steps)
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise UnusableImage(
            f"too small: {image.shape[0]} x {image.shape[1]} pixels, fewer than {SMALLEST_SIDE} a"
            " side"
        )
    edges = find_edges(image)
    circle = _start(edges, image.shape[:2])
    circle = _sharpen(edges.points[faces(edges, np.array(circle))], circle, num_steps)
    check_rim(edges, circle, image.shape[:2])
    return circle


def _start(edges: Edges, shape: tuple[int, int]) -> Circle:
    """The best of many circles through three edges drawn at random.

    The best is the one on which most edges lie; its centre is in the frame.
    """
    if len(edges.points) < 3:
        raise UnusableImage("no visible eye: the picture has no edges")
    rng = np.random.default_rng(0)
    triples = edges.points[rng.integers(len(edges.points), size=(_TRIALS, 3))]
    circles = _through(triples)
    smallest, largest = np.multiply(_RADII, max(shape))
    in_frame = ((circles[:, :2] > 0) & (circles[:, :2] < shape[::-1])).all(1)
    circles = circles[in_frame & (circles[:, 2] > smallest) & (circles[:, 2] < largest)]
    if not len(circles):
        raise UnusableImage("no visible eye: no edges on a circle of fitting size")
    judges = rng.integers(len(edges.points), size=_JUDGES)
    votes = lies_on(Edges(edges.points[judges], edges.uphill[judges]), circles).sum(1)
    return Circle(*circles[votes.argmax()].tolist())


def _through(triples: Float[np.ndarray, "n 3 2"]) -> Float[np.ndarray, "n 3"]:
    """The circles through three points each, as x, y, radius; points on a line are left out."""
    first = triples[:, 0]
    (ax, ay), (bx, by) = (triples[:, 1] - first).T, (triples[:, 2] - first).T
    twice = 2 * (ax * by - ay * bx)
    usable = np.abs(twice) > 1e-6
    a, b, twice = ax**2 + ay**2, bx**2 + by**2, np.where(usable, twice, 1)
    centre = np.stack([(by * a - ay * b) / twice, (ax * b - bx * a) / twice], -1)
    radius = np.linalg.norm(centre, axis=1)
    return np.column_stack([first + centre, radius])[usable]


def _sharpen(points: Float[np.ndarray, "n 2"], circle: Circle, num_steps: int) -> Circle:
    """Weighted fits in turn, the weights narrowing about the circle at hand."""
    for left in range(num_steps, 0, -1):
        lam = 1 / (2 * (_FINAL_WIDTH * circle.radius) ** 2 * left)
        distance = np.linalg.norm(points - circle[:2], axis=1)
        circle = fit_weighted(points, np.exp(-lam * (distance - circle.radius) ** 2))
    return circle


def fit_weighted(points: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]) -> Circle:
    """The circle whose equation the points fulfil best, by weighted algebraic least squares.

    Args:
        points: x, y of at least three points that lie on no line.
        weights: 0 or more, of any sum.

    Returns:
        The circle.

    Raises:
        UnusableImage: the points of weight lie on a line, or there are too few.
    """
    weights = weights / max(weights.sum(), 1e-300)
    mean = weights @ points
    u, v = (points - mean).T
    moments = np.array(
        [[weights @ (u * u), weights @ (u * v)], [weights @ (u * v), weights @ (v * v)]]
    )
    square = u * u + v * v
    if np.linalg.cond(moments) > 1e8:
        raise UnusableImage("no visible eye: its edges lie on no circle")
    centre = np.linalg.solve(moments, [weights @ (u * square) / 2, weights @ (v * square) / 2])
    radius = float(np.sqrt(centre @ centre + np.trace(moments)))
    return Circle(float(mean[0] + centre[0]), float(mean[1] + centre[1]), radius)
