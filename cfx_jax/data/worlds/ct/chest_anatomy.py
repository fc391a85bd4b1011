"""The plan of one chest in axial slices, the breast bone upwards.

Parts are described in *trunk coordinates*: (0, 0) is the middle of the body, x runs to the
patient's left (to the right in the picture), y to the back, and 1 is half the width of the body.
The arms are raised, as for every such scan.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, unit_grid


class Trunk(NamedTuple):
    """One chest and how it lies in the scanner.

    Attributes:
        centre: (x, y) of the body's middle, as a share of the picture's side.
        radius: the radius of the unit disc, as a share of the picture's side.
        depth: factor on distances from front to back.
        tilt: rotation in radians.
        inspiration: in [-1, 1]; how deep the breath was: after a poor one, the diaphragm is high
            and the lungs bright.
        heart: factor on the heart's width.
        stoutness: in [0, 1]; more fat around the chest.
    """

    centre: tuple[float, float]
    radius: float
    depth: float
    tilt: float
    inspiration: float
    heart: float
    stoutness: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)

    def place(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Trunk coordinates -> unit coordinates of the picture."""
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        return points @ np.array([(cosine, sine), (-self.depth * sine, self.depth * cosine)])

    def grid(self, frame: Frame) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """The trunk coordinates x and y of the pixels, the same in all slices."""
        x, y = unit_grid(frame)
        cosine, sine = np.float32(math.cos(self.tilt)), np.float32(math.sin(self.tilt))
        return cosine * x + sine * y, (cosine * y - sine * x) / np.float32(self.depth)


def sample_trunk(rng: np.random.Generator) -> Trunk:
    """Draws the shape of one chest."""
    return Trunk(
        centre=(0.5 + rng.normal(0, 0.012), 0.5 + rng.normal(0, 0.015)),
        radius=rng.uniform(0.42, 0.48),
        depth=rng.uniform(0.90, 1.10),
        tilt=rng.normal(0, 0.03),
        inspiration=rng.uniform(-1, 1),
        heart=rng.uniform(0.85, 1.2),
        stoutness=rng.uniform(0, 1),
    )
