"""From density to the picture: lettering, blur, exposure, contrast, uneven light, noise."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, soften, unit_grid, whole_picture
from cfx_jax.data.worlds.lettering import letters

_MID_TONE = 0.45  # the density that contrast leaves as it is
_SHOULDER, _ROOM = 0.65, 0.33  # brightness from which the film saturates, and what is left above it
_LETTERING = 0.92  # brightness of letters of lead
_AIR = 0.03  # brightness where nothing lies in the beam
TAG = "AP"
_TAG_PLACE, _TAG_HEIGHT = (-0.82, -0.86), 0.13


class Film(NamedTuple):
    """The settings with which one radiograph was taken.

    Attributes:
        blur: standard deviation of the blur in unit coordinates.
        gain: exposure factor.
        contrast: factor on the distance from a mid tone.
        slope: increase of brightness from left to right, over the unit radius.
        noise: standard deviation of the noise.
    """

    blur: float
    gain: float
    contrast: float
    slope: float
    noise: float


def sample_film(rng: np.random.Generator) -> Film:
    """Draws how a picture is taken."""
    return Film(
        blur=rng.uniform(0.0, 0.016),
        gain=rng.uniform(0.88, 1.14),
        contrast=rng.uniform(0.85, 1.25),
        slope=rng.normal(0, 0.025),
        noise=rng.uniform(0.012, 0.030),
    )


def film_noise(rng: np.random.Generator, film: Film, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The noise of one picture, shared by both members of a counterfactual pair."""
    return film.noise * rng.standard_normal((frame.size, frame.size), dtype=np.float32)


def expose(
    density: Float[np.ndarray, "h w"],
    film: Film,
    noise: Float[np.ndarray, "h w"],
    lettering: Float[np.ndarray, "h w"],
    frame: Frame,
) -> Float[np.ndarray, "h w 1"]:
    """Takes the picture: what is dense is bright.

    Args:
        density: the density of the chest, 0 where there is air only.
        film: the settings by which the picture is taken.
        noise: the noise of the film.
        lettering: opacity of the letters, in [0, 1].
        frame: the picture's frame.

    Returns:
        Brightness in [0, 1].
    """
    x, _ = unit_grid(frame)
    light = _AIR + soften(density, frame, film.blur) * (film.gain + film.slope * x)
    toned = _MID_TONE + film.contrast * (light - _MID_TONE)
    held = np.minimum(toned, _SHOULDER) + _ROOM * np.tanh(
        np.clip(toned - _SHOULDER, 0, None) / _ROOM
    )
    lettered = held + lettering * (_LETTERING - held)
    return np.clip(lettered + noise, 0, 1).astype(np.float32)[..., None]


def side_marker(rng: np.random.Generator, frame: Frame) -> Float[np.ndarray, "h w"]:
    """An R on the picture's left or an L on its right, at the height of the shoulders."""
    side, letter = (-1, "R") if rng.random() < 0.5 else (1, "L")
    place = (side * rng.uniform(0.72, 0.86), rng.uniform(-0.68, -0.52))
    return letters(frame, letter, place, rng.uniform(0.09, 0.13))


def tag(size: int) -> Float[np.ndarray, "h w"]:
    """The planted confounder: two letters in the upper left corner, above the shoulder."""
    return letters(whole_picture(size), TAG, _TAG_PLACE, _TAG_HEIGHT)
