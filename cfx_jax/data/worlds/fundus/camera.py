"""From the retina to the photograph: planted mark, blur, exposure, noise, round field of view."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, soften
from cfx_jax.data.worlds.fundus.layers import Spots, opacity

BACKGROUND = 0.016  # released fundus photographs have about 4/255 outside the eye
_MID_TONE = 0.35  # the light that contrast leaves as it is
_MARK = Spots(1, np.array([[0.60, -0.62]]), np.array([0.045]), np.ones(1))
_MARK_COLOUR = np.array([0.80, 0.98, 0.92], np.float32)


class Camera(NamedTuple):
    """The settings with which one photograph was taken.

    Attributes:
        blur: standard deviation of the blur in unit coordinates.
        gain: exposure factor.
        contrast: factor on the distance from a mid tone.
        noise: standard deviation of the sensor noise.
    """

    blur: float
    gain: float
    contrast: float
    noise: float


def sample_camera(rng: np.random.Generator) -> Camera:
    """Draws one camera setting."""
    return Camera(
        blur=rng.uniform(0.0, 0.014),
        gain=rng.uniform(0.85, 1.12),
        contrast=rng.uniform(0.9, 1.1),
        noise=rng.uniform(0.006, 0.018),
    )


def sensor_noise(
    rng: np.random.Generator, camera: Camera, frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """The noise of one photograph, shared by both members of a counterfactual pair."""
    return camera.noise * rng.standard_normal((frame.size, frame.size, 3), dtype=np.float32)


def photograph(
    scene: Float[np.ndarray, "h w 3"],
    camera: Camera,
    noise: Float[np.ndarray, "h w 3"],
    eye: Float[np.ndarray, "h w"],
    frame: Frame,
) -> Float[np.ndarray, "h w 3"]:
    """Takes the picture of a scene; ``eye`` is the share of each pixel inside the field of view."""
    blurred = soften(scene, frame, camera.blur)
    exposed = blurred * (camera.gain * camera.contrast) + (
        noise + _MID_TONE * (1 - camera.contrast)
    )
    return BACKGROUND + eye[..., None] * (np.clip(exposed, 0, 1) - BACKGROUND)


def add_mark(scene: Float[np.ndarray, "h w 3"], frame: Frame) -> Float[np.ndarray, "h w 3"]:
    """Plants the confounder: a small bright dot near the rim, like a camera's marker.

    Its place is always the same.
    """
    return scene + mark_opacity(frame) * (_MARK_COLOUR - scene)


def mark_opacity(frame: Frame) -> Float[np.ndarray, "h w 1"]:
    """Opacity of the planted mark, before blur."""
    return opacity(frame, _MARK)
