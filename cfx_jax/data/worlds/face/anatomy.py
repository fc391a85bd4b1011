"""The build of one head, and how it lies in a frontal portrait.

Parts are described in *face coordinates*: x runs from the midline to the right of the picture, y
downwards; the face is about 1 wide, the eyes lie near y = -0.08, the mouth near 0.42, the chin near
0.75. :meth:`Anatomy.place` brings them into the unit coordinates of the picture, tilted and made
narrower or broader.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, smooth_outline, unit_grid
from cfx_jax.data.worlds.face.layers import Grid, symmetric


class Anatomy(NamedTuple):
    """One head and how it lies in the picture.

    Attributes:
        centre: (x, y) of the face's middle, as a share of the picture's side.
        radius: the radius of the unit disc, as a share of the picture's side.
        width: factor on lateral distances.
        tilt: rotation in radians.
        turn: how far the features lie beside the midline because the head is turned.
        jaw: from -1, narrow, to 1, square.
        chin: how much longer the chin is.
    """

    centre: tuple[float, float]
    radius: float
    width: float
    tilt: float
    turn: float
    jaw: float
    chin: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)

    def place(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Face coordinates -> unit coordinates of the picture."""
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        return points @ np.array([(self.width * cosine, self.width * sine), (-sine, cosine)])

    def feature(
        self, points: Float[np.ndarray, "... 2"], depth: float = 1.0
    ) -> Float[np.ndarray, "... 2"]:
        """The place of something that moves sideways as the head turns; else as :meth:`place`.

        It moves the more the further it sticks out.
        """
        return self.place(points + np.array([depth * self.turn, 0.0]))

    def grid(self, frame: Frame, depth: float = 0.0) -> Grid:
        """The face coordinates x and y of the pixel centres.

        ``depth`` says how far a thing sticks out, from which x is counted.
        """
        x, y = unit_grid(frame)
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        return (cosine * x + sine * y) / self.width - depth * self.turn, cosine * y - sine * x

    def outline(self) -> Float[np.ndarray, "points 2"]:
        """The border of skull and face, in face coordinates."""
        jaw, chin = self.jaw, self.chin
        half = np.array(
            [
                (0.02, -0.80),
                (0.28, -0.78),
                (0.46, -0.58),
                (0.515, -0.28),
                (0.515, 0.02),
                (0.485 + 0.01 * jaw, 0.26),
                (0.415 + 0.035 * jaw, 0.50 + 0.5 * chin),
                (0.26 + 0.05 * jaw, 0.71 + chin),
                (0.11 + 0.045 * jaw, 0.79 + chin),
            ]
        )
        return smooth_outline(symmetric(half))


def sample_anatomy(rng: np.random.Generator, *, male: int) -> Anatomy:
    """Draws one head; a man's has a squarer jaw and a longer chin."""
    build = rng.normal(0, 0.30)
    return Anatomy(
        centre=(float(0.5 + rng.normal(0, 0.012)), float(0.485 + rng.normal(0, 0.012))),
        radius=float(rng.uniform(0.50, 0.55)),
        width=float(rng.uniform(0.93, 1.08)),
        tilt=float(rng.normal(0, 0.045)),
        turn=float(np.clip(rng.normal(0, 0.022), -0.05, 0.05)),
        jaw=float(np.clip(build + (0.45 if male else -0.45), -1, 1)),
        chin=float(rng.normal(0, 0.018) + (0.012 if male else -0.012)),
    )
