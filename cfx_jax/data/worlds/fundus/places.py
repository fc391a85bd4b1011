"""Places of spots on the retina: random, in the field of view, clear of the optic disc."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.fundus.anatomy import Anatomy

# spots keep this distance from the centre at most, so that they are whole and inside the eye
FARTHEST = 0.86
_CANDIDATES_PER_PLACE = 6


def sample_places(
    rng: np.random.Generator, anatomy: Anatomy, number: int, *, spread: float
) -> Float[np.ndarray, "n 2"]:
    """Places around the fovea, normally distributed.

    Those off the field or on the optic disc are replaced.

    Args:
        rng: the source of randomness.
        anatomy: the eye.
        number: how many.
        spread: standard deviation of each coordinate, in unit coordinates.

    Returns:
        Unit coordinates; fewer than ``number`` only where that many free positions were not met.
    """
    places = anatomy.fovea + rng.normal(0, spread, (_CANDIDATES_PER_PLACE * number, 2))
    return places[is_free(anatomy, places)][:number]


def is_free(anatomy: Anatomy, places: Float[np.ndarray, "n 2"]) -> np.ndarray:
    """Whether each position is inside the field of view and off the optic disc."""
    off_disc = np.hypot(*(places - anatomy.disc).T) > anatomy.disc_radius + 0.07
    return off_disc & (np.hypot(*places.T) < FARTHEST)
