"""The plan of one head in an axial slice, nose upwards.

Parts are described in *head coordinates*: (0, 0) is the middle of the brain, x runs to the right in
the picture, y downwards (to the back of the head), and 1 is half the length of the head.
:meth:`Anatomy.place` brings them into the unit coordinates of the picture: shrunk towards the top
of the head and rotated.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame

TOP_OF_VENTRICLES = 0.6  # level above which a slice shows none
_NARROW_FOREHEAD = 0.07


def _egg(angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """The unit circle with a narrower upper half."""
    return np.stack([(1 + _NARROW_FOREHEAD * np.sin(angles)) * np.cos(angles), np.sin(angles)], -1)


_EGG = _egg(np.linspace(0, 2 * np.pi, 72, endpoint=False))


class Anatomy(NamedTuple):
    """One head and the slice through it.

    Attributes:
        centre: (x, y) of the head's middle, as a share of the picture's side.
        radius: the radius of the unit disc, as a share of the picture's side.
        aspect: width of the head by its length.
        tilt: rotation in radians.
        level: height of the slice in [0, 1]: 0 runs through the thalamus, 1 near the top of the
            head.
        atrophy: in [0, 1]; widens furrows and ventricles.
        skull: thickness of scalp and skull, as a factor.
    """

    centre: tuple[float, float]
    radius: float
    aspect: float
    tilt: float
    level: float
    atrophy: float
    skull: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)

    def place(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Head coordinates -> unit coordinates of the picture."""
        scale = 1 - 0.22 * self.level**2
        cosine, sine = scale * math.cos(self.tilt), scale * math.sin(self.tilt)
        return points @ np.array([(cosine, sine), (-sine, cosine)])

    def ring(
        self, depth: float, angles: Float[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, "n 2"]:
        """Points at a depth below the skin, in head coordinates.

        Args:
            depth: distance from the skin.
            angles: directions in radians, 0 to the right and clockwise as pictures are shown; a
                full turn by default.
        """
        egg = _EGG if angles is None else _egg(angles)
        return egg * (self.aspect - depth, 1 - depth)


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draws the anatomy of one head."""
    return Anatomy(
        centre=(0.5 + rng.normal(0, 0.01), 0.5 + rng.normal(0, 0.01)),
        radius=rng.uniform(0.42, 0.465),
        aspect=rng.uniform(0.76, 0.86),
        tilt=rng.normal(0, 0.06),
        level=rng.uniform(0, 1),
        atrophy=rng.beta(1.5, 2.5),
        skull=rng.uniform(0.85, 1.2),
    )
