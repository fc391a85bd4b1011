"""The taking of a stack of slices: thick slices, blur, motion, streaks, noise."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, soften, unit_grid

_STREAKS = 7


class Scanner(NamedTuple):
    """The settings with which one stack was taken.

    Attributes:
        blur: standard deviation of the blur in unit coordinates.
        overlap: share of each neighbour that a slice shows, as slices are thick.
        offset: error of calibration, in brightness.
        noise: standard deviation of the noise.
        motion: distance in unit coordinates by which the patient moved during one slice; 0 for
            none.
        streaks: brightness of the streaks across one slice; 0 for none.
        disturbed: level of the slice with motion and streaks.
    """

    blur: float
    overlap: float
    offset: float
    noise: float
    motion: float
    streaks: float
    disturbed: float


def sample_scanner(rng: np.random.Generator, *, noise: tuple[float, float]) -> Scanner:
    """Draws how a stack is taken; ``noise`` is the range of the noise's deviation."""
    return Scanner(
        blur=rng.uniform(0.008, 0.022),
        overlap=rng.uniform(0.02, 0.16),
        offset=rng.normal(0, 0.012),
        noise=rng.uniform(*noise),
        motion=rng.uniform(0.02, 0.06) * (rng.random() < 0.3),
        streaks=rng.uniform(0.03, 0.10) * (rng.random() < 0.3),
        disturbed=rng.uniform(0, 1),
    )


def disturbances(
    rng: np.random.Generator, scanner: Scanner, frame: Frame, levels: Float[np.ndarray, " s"]
) -> Float[np.ndarray, "s h w"]:
    """Noise and streaks, shared by both members of a counterfactual pair."""
    total = scanner.noise * rng.standard_normal(
        (len(levels), frame.size, frame.size), dtype=np.float32
    )
    total[_find_disturbed(scanner, levels)] += np.float32(scanner.streaks) * _streaks(rng, frame)
    return total


def acquire(
    scene: Float[np.ndarray, "s h w"],
    scanner: Scanner,
    disturbances: Float[np.ndarray, "s h w"],
    frame: Frame,
    levels: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "s h w 1"]:
    """Takes the stack of slices of a body.

    Args:
        scene: brightness of the body.
        scanner: the settings by which it is taken.
        disturbances: as :func:`disturbances` draws them.
        frame: the picture's frame.
        levels: the levels of the slices.

    Returns:
        Brightness in [0, 1].
    """
    moved = scene.copy()
    number = _find_disturbed(scanner, levels)
    moved[number] = _add_motion(scene[number], scanner, frame)
    below, above = moved[[0, *range(len(levels) - 1)]], moved[[*range(1, len(levels)), -1]]
    thick = (1 - 2 * scanner.overlap) * moved + scanner.overlap * (below + above)
    # OpenCV blurs many channels at once.
    blurred = np.moveaxis(
        soften(np.ascontiguousarray(np.moveaxis(thick, 0, -1)), frame, scanner.blur), -1, 0
    )
    # Streaks and noise of the air around fall below the window.
    inside = np.clip(blurred / 0.1, 0, 1)
    return np.clip(blurred + inside * (disturbances + np.float32(scanner.offset)), 0, 1).astype(
        np.float32
    )[..., None]


def _find_disturbed(scanner: Scanner, levels: Float[np.ndarray, " s"]) -> int:
    """The number of the slice with motion and streaks."""
    return int(np.argmin(np.abs(levels - scanner.disturbed)))


def _add_motion(
    image: Float[np.ndarray, "h w"], scanner: Scanner, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Every contour once more at both sides."""
    step = round(scanner.motion * frame.radius * frame.size)
    return (2 * image + np.roll(image, step, 1) + np.roll(image, -step, 1)) / 4


def _streaks(rng: np.random.Generator, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Straight bands, bright and dark, across a slice."""
    x, y = unit_grid(frame)
    total = np.zeros((frame.size, frame.size), np.float32)
    for _ in range(_STREAKS):
        angle, distance = rng.uniform(0, np.pi), rng.normal(0, 0.4)
        from_band = np.cos(angle) * x + np.sin(angle) * y - distance
        total += rng.choice([-1, 1]) * np.exp(-((from_band / rng.uniform(0.03, 0.09)) ** 2))
    return total
