"""Curves that grow: Bezier curves, side shoots and tortuosity, all of ``POINTS`` points each.

Vessels, bronchi and the furrows of the brain are drawn from them.
"""

import itertools

import numpy as np
from jaxtyping import Float

POINTS = 13
_SHARE = np.linspace(0, 1, POINTS)[None, :, None]

Curves = Float[np.ndarray, "n points 2"]
Widths = Float[np.ndarray, " n"]


def bezier(corners: Float[np.ndarray, "n corners 2"]) -> Curves:
    """Bezier curves by de Casteljau's algorithm, all at once."""
    layers = [corners[:, i, None, :] for i in range(corners.shape[1])]
    while len(layers) > 1:
        layers = [a + _SHARE * (b - a) for a, b in itertools.pairwise(layers)]
    return layers[0]


def wiggle(rng: np.random.Generator, curves: Curves, amplitude: float) -> Curves:
    """Makes curves tortuous: moves the points by a random sine that vanishes at the start."""
    phase, waves = rng.uniform(0, 2 * np.pi, (2, len(curves), 1, 2))
    return curves + amplitude * np.sqrt(_SHARE) * np.sin((2 + 0.6 * waves) * np.pi * _SHARE + phase)


def shoots(
    rng: np.random.Generator, parents: Curves, *, per_parent: int, length: tuple[float, float]
) -> tuple[Curves, np.ndarray]:
    """Side branches: quadratic Bezier curves that leave a parent at an angle and bend along it.

    Args:
        rng: the source of randomness.
        parents: the curves they grow from.
        per_parent: how many each parent gets.
        length: smallest and largest reach, in unit coordinates.

    Returns:
        The curves and, for each, the number of its parent.
    """
    parent = np.repeat(np.arange(len(parents)), per_parent)
    at = rng.integers(POINTS // 6, POINTS - 2, len(parent))
    start = parents[parent, at]
    along = parents[parent, at + 1] - start
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    angle = np.radians(rng.uniform(28, 68, len(parent))) * rng.choice([-1, 1], len(parent))
    reach = rng.uniform(*length, len(parent))[:, None]
    bend = start + 0.45 * reach * rotate(along, angle)
    end = bend + 0.65 * reach * rotate(along, angle * rng.uniform(0.0, 1.2, len(parent)))
    return wiggle(rng, bezier(np.stack([start, bend, end], 1)), 0.008), parent


def rotate(
    vectors: Float[np.ndarray, "n 2"], angle: Float[np.ndarray, " n"] | float
) -> Float[np.ndarray, "n 2"]:
    """Rotates each vector by its angle in radians."""
    turn = (vectors[:, 0] + 1j * vectors[:, 1]) * np.exp(1j * angle)
    return np.stack([turn.real, turn.imag], -1)
