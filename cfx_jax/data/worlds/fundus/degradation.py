"""Faults of photographs of an eye: displaced field, eyelid, haze, defocus, wrong exposure.

The kinds are those that graders of photographs name (Fleming et al. 2006, "Automated Assessment of
Diabetic Retinal Image Quality Based on Clarity and Field Definition"). Each has a strength in [0,
1]. A picture can be graded where the strengths add up to a half at most; where it cannot, one alone
is above a half. Displacement is drawn with the retina, the others are laid over the scene before
the sensor's noise comes in.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, unit_grid
from cfx_jax.errors import import_extra

_LIMIT = 0.5  # strength above which a fault makes a picture ungradable
_MILD_SHARE = 0.3  # how often each of the other faults occurs
# What a fault does at strength 1.
_WIDEST_BLUR = 0.11
_BRIGHTEST, _DARKEST = 4.0, 0.1
_THICKEST_HAZE = 0.9
_LOWEST_LID, _UPPER_SHARE = 0.8, 0.75
_FARTHEST_SHIFT = 0.9
_HAZE = np.array([0.78, 0.70, 0.58], np.float32)
_LID = np.array([0.10, 0.05, 0.035], np.float32)
_LID_BEND, _LID_SOFTNESS = 0.25, 0.10  # in unit coordinates


class Faults(NamedTuple):
    """The faults of one photograph; by default it has none.

    Attributes:
        defocus: standard deviation of the blur in unit coordinates.
        exposure: factor of the light.
        haze: opacity of the veil.
        lid: share of the field's height that the upper eyelid covers; negative for the lower one.
        shift_x: displacement of the retina in the field, to the right, in unit coordinates.
        shift_y: the shift of the field downwards.
    """

    defocus: float = 0.0
    exposure: float = 1.0
    haze: float = 0.0
    lid: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0


def sample_faults(rng: np.random.Generator, *, gradable: bool) -> Faults:
    """Draws the faults of one photograph.

    Each occurs at times and mildly; where the photograph cannot be graded, one of them is strong.
    """
    occurs = rng.random(5) < _MILD_SHARE
    strengths = occurs * rng.uniform(0, _LIMIT, 5)
    strengths *= _LIMIT / max(_LIMIT, strengths.sum())
    if not gradable:
        strengths[rng.integers(5)] = rng.uniform(_LIMIT, 1)
    defocus, exposure, haze, lid, shift = strengths.tolist()
    extreme = _BRIGHTEST if rng.random() < 0.5 else _DARKEST
    angle = rng.uniform(0, 2 * np.pi)
    return Faults(
        defocus=_WIDEST_BLUR * defocus,
        exposure=extreme**exposure,
        haze=_THICKEST_HAZE * haze,
        lid=_LOWEST_LID * lid * (1 if rng.random() < _UPPER_SHARE else -1),
        shift_x=float(_FARTHEST_SHIFT * shift * np.cos(angle)),
        shift_y=float(_FARTHEST_SHIFT * shift * np.sin(angle)),
    )


def displace(frame: Frame, faults: Faults) -> Frame:
    """The frame in which the retina is drawn, beside the frame of the field of view."""
    x, y = frame.centre
    return frame._replace(
        centre=(x + faults.shift_x * frame.radius, y + faults.shift_y * frame.radius)
    )


def spoil(
    scene: Float[np.ndarray, "h w 3"], faults: Faults, frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """Lays lid, haze, blur and wrong exposure over a scene, in the order in which light meets them.

    Args:
        scene: the retina with all that is on it; any range.
        faults: what is wrong.
        frame: the frame of the field of view.

    Returns:
        What reaches the sensor, same shape.
    """
    scene = scene + _lid_opacity(faults, frame)[..., None] * (_LID - scene)
    scene = scene + faults.haze * (_HAZE - scene)
    return faults.exposure * _defocus(scene, faults.defocus * frame.radius * frame.size)


def _lid_opacity(faults: Faults, frame: Frame) -> Float[np.ndarray, "h w"]:
    """A soft shadow with a curved edge, from above or from below."""
    x, y = unit_grid(frame)
    if faults.lid == 0:
        return np.zeros((frame.size, frame.size), np.float32)
    edge = np.float32(1 - 2 * abs(faults.lid)) + _LID_BEND * x * x
    towards_lid = -y if faults.lid > 0 else y
    return np.clip((towards_lid - edge) / _LID_SOFTNESS + 0.5, 0, 1)


def _defocus(scene: Float[np.ndarray, "h w 3"], blur: float) -> Float[np.ndarray, "h w 3"]:
    if blur == 0:
        return scene
    cv2 = import_extra("cv2", "drawing synthetic images")
    return cv2.GaussianBlur(scene, (0, 0), max(blur, 0.15))
