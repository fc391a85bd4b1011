"""The plan of one head in axial slices, nose upwards.

Parts are described in *head coordinates*: (0, 0) is the middle of the brain, x runs to the
patient's left (to the right in the picture), y to the back of the head, and 1 is half the length of
the head where it is longest.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, unit_grid

_LONGEST, _REACH = 0.35, 0.72  # level at which the head is longest, and half its height, in levels
_NARROW_FOREHEAD = 0.07
_TURN = np.linspace(0, 2 * np.pi, 72, endpoint=False)
_BRAIN_DEPTH = 0.145


class Head(NamedTuple):
    """One head and how it lies in the scanner.

    Attributes:
        centre: (x, y) of the head's middle, as a share of the picture's side.
        radius: the radius of the unit disc, as a share of the picture's side.
        aspect: width of the head by its length.
        tilt: rotation in radians.
        atrophy: in [0, 1]; widens furrows and ventricles.
        skull: thickness of scalp and skull, as a factor.
    """

    centre: tuple[float, float]
    radius: float
    aspect: float
    tilt: float
    atrophy: float
    skull: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)

    def place(self, points: Float[np.ndarray, "*n 2"], level: float) -> Float[np.ndarray, "*n 2"]:
        """Head coordinates -> unit coordinates of the slice at a level."""
        scale = scale_at(level)
        cosine, sine = scale * math.cos(self.tilt), scale * math.sin(self.tilt)
        return points @ np.array([(cosine, sine), (-sine, cosine)])

    def grid(
        self, frame: Frame, levels: Float[np.ndarray, " s"]
    ) -> tuple[Float[np.ndarray, "s h w"], Float[np.ndarray, "s h w"]]:
        """The head coordinates x and y of the voxels."""
        x, y = unit_grid(frame)
        cosine, sine = np.float32(math.cos(self.tilt)), np.float32(math.sin(self.tilt))
        scale = np.array([scale_at(level) for level in levels.tolist()], np.float32)[:, None, None]
        return (cosine * x + sine * y) / scale, (cosine * y - sine * x) / scale

    def ring(self, depth: float) -> Float[np.ndarray, "n 2"]:
        """Points all around the head at a depth below the skin, in head coordinates."""
        return self.at_depth(depth, _TURN)

    def at_depth(self, depth: float, angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
        """Points below the skin in the given directions.

        Directions are in radians, clockwise from the patient's left.
        """
        egg = np.stack(
            [(1 + _NARROW_FOREHEAD * np.sin(angles)) * np.cos(angles), np.sin(angles)], -1
        )
        return egg * (self.aspect - depth, 1 - depth)

    def skull_depth(self, share: float, level: float) -> float:
        """The depth of a place in head coordinates; ``share`` is 0 at the skin and 1 at the brain.

        Near the crown, slices cut the skull obliquely, and it looks thicker.
        """
        return share * _BRAIN_DEPTH * self.skull / scale_at(level) ** 1.5


def scale_at(level: float) -> float:
    """The head's length at a level as a share of the longest."""
    return math.sqrt(1 - ((level - _LONGEST) / _REACH) ** 2)


def sample_head(rng: np.random.Generator) -> Head:
    """Draws the shape of one head."""
    return Head(
        centre=(0.5 + rng.normal(0, 0.01), 0.5 + rng.normal(0, 0.01)),
        radius=rng.uniform(0.43, 0.475),
        aspect=rng.uniform(0.77, 0.87),
        tilt=rng.normal(0, 0.05),
        atrophy=rng.beta(2.0, 2.0),
        skull=rng.uniform(0.85, 1.15),
    )
