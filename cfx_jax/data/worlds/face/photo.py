"""From the person to the photograph: background, light, camera."""

import colorsys
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, smooth_noise, soften, unit_grid
from cfx_jax.data.worlds.face.layers import Colour, Scene, planes

_MID_TONE = 0.5  # the light that contrast leaves as it is


class Photo(NamedTuple):
    """The place and the settings of one photograph.

    Attributes:
        backdrop: colour of the background.
        clothes: their colour.
        side_light: from -1, light from the picture's left, to 1, from its right.
        warmth: shift from blue to red.
        gain: exposure factor.
        contrast: factor on the distance from a mid tone.
        blur: standard deviation of the blur in unit coordinates.
        noise: standard deviation of the sensor noise.
    """

    backdrop: Colour
    clothes: Colour
    side_light: float
    warmth: float
    gain: float
    contrast: float
    blur: float
    noise: float


def sample_photo(rng: np.random.Generator) -> Photo:
    """Draws where and how a photograph is taken."""
    return Photo(
        backdrop=_colour(rng, 0.35, (0.12, 0.9)),
        clothes=_colour(rng, 0.6, (0.08, 0.85)),
        side_light=float(np.clip(rng.normal(0, 0.38), -0.9, 0.9)),
        warmth=float(rng.normal(0, 0.030)),
        gain=float(rng.uniform(0.86, 1.10)),
        contrast=float(rng.uniform(0.88, 1.15)),
        blur=float(rng.uniform(0.0, 0.022)),
        noise=float(rng.uniform(0.008, 0.024)),
    )


def background(rng: np.random.Generator, photo: Photo, frame: Frame) -> Scene:
    """The background of the person: one colour with soft patches, brighter towards the light."""
    x, y = unit_grid(frame)
    patches = 0.10 * smooth_noise(rng, frame.size, 4) + 0.04 * smooth_noise(rng, frame.size, 9)
    brightness = 1 + patches + 0.10 * photo.side_light * x - 0.08 * y
    tint = 0.03 * np.stack([smooth_noise(rng, frame.size, 4) for _ in range(3)])
    return np.clip(planes(photo.backdrop) * brightness + tint, 0, 1).astype(np.float32)


def camera_noise(
    rng: np.random.Generator, photo: Photo, frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """The noise of one photograph, shared by both members of a counterfactual pair."""
    return photo.noise * rng.standard_normal((frame.size, frame.size, 3), dtype=np.float32)


def photograph(
    scene: Scene, photo: Photo, noise: Float[np.ndarray, "h w 3"], frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """Takes the picture of a scene.

    Returns:
        float32 in [0, 1].
    """
    lasting = np.ascontiguousarray(np.moveaxis(scene, 0, -1))
    tinted = soften(lasting, frame, photo.blur) * np.array(
        [1 + photo.warmth, 1, 1 - photo.warmth], np.float32
    )
    exposed = _MID_TONE + photo.contrast * (photo.gain * tinted - _MID_TONE)
    return np.clip(exposed + noise, 0, 1).astype(np.float32)


def _colour(rng: np.random.Generator, saturation: float, values: tuple[float, float]) -> Colour:
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, saturation), rng.uniform(*values))
