"""The build of one chest, and where its parts lie in a frontal radiograph.

Parts are described in *chest coordinates*: x runs from the midline to the patient's left (to the
right in the picture, as radiographs are shown) and y downwards; 1 is about half the width of the
film. :meth:`Anatomy.place` brings them into the unit coordinates of the picture: broader or
narrower, and slightly rotated.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, unit_grid


class Anatomy(NamedTuple):
    """One chest and how it lies on the film.

    Attributes:
        centre: (x, y) of the chest's middle, as a share of the picture's side.
        radius: the radius of the unit disc, as a share of the picture's side.
        width: factor on lateral distances.
        tilt: rotation in radians.
        inspiration: how far the diaphragm goes down, in chest coordinates; negative after a poor
            breath.
        heart: factor on the heart's width.
        stoutness: in [0, 1]; more soft tissue over the chest.
        breasts: in [0, 1]; strength of the shadows they cast, 0 for none.
    """

    centre: tuple[float, float]
    radius: float
    width: float
    tilt: float
    inspiration: float
    heart: float
    stoutness: float
    breasts: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)

    def place(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Chest coordinates -> unit coordinates of the picture."""
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        return points @ np.array([(self.width * cosine, self.width * sine), (-sine, cosine)])

    def grid(self, frame: Frame) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """The chest coordinates x and y of the pixel centres."""
        x, y = unit_grid(frame)
        cosine, sine = np.float32(math.cos(self.tilt)), np.float32(math.sin(self.tilt))
        return (cosine * x + sine * y) / np.float32(self.width), cosine * y - sine * x


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draws the anatomy of one chest."""
    return Anatomy(
        centre=(0.5 + rng.normal(0, 0.012), 0.5 + rng.normal(0, 0.015)),
        radius=rng.uniform(0.48, 0.54),
        width=rng.uniform(0.92, 1.08),
        tilt=rng.normal(0, 0.03),
        inspiration=rng.uniform(-0.10, 0.08),
        heart=rng.uniform(0.85, 1.2),
        stoutness=rng.uniform(0, 1),
        breasts=rng.uniform(0.4, 1) if rng.random() < 0.45 else 0.0,
    )
