"""Eyes with their gaze, lids and lashes, and the brows over them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_dots,
    outline_cover,
    soften,
    stroke_cover,
)
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import Colour, Scene, hills, mix, on_both_sides, paint

EYE = (0.215, -0.085)  # centre of the right one
_HALF_WIDTH, _HALF_HEIGHT = 0.098, 0.050
_IRIS, _PUPIL = 0.047, 0.021
_NARROWING = 0.38  # by a full smile
_IRISES: tuple[Colour, ...] = (
    (0.20, 0.11, 0.06),
    (0.33, 0.20, 0.09),
    (0.30, 0.42, 0.52),
    (0.32, 0.42, 0.28),
)
_SHARES = (0.45, 0.25, 0.18, 0.12)
_LASH: Colour = (0.10, 0.06, 0.05)
_WHITE: Colour = (0.90, 0.88, 0.86)
_ALONG = np.linspace(-1, 1, 13)


class Eyes(NamedTuple):
    """The eyes of one face and their brows.

    Attributes:
        iris: its colour.
        openness: factor on the height of the slit.
        gaze_x: where the eyes look, from -1, the picture's left, to 1.
        gaze_y: the shift of the gaze downwards.
        brow_width: how thick the brows are, in face coordinates.
        brow_height: how much higher the brows lie.
        brow_arch: how much they are bent.
    """

    iris: Colour
    openness: float
    gaze_x: float
    gaze_y: float
    brow_width: float
    brow_height: float
    brow_arch: float


def sample_eyes(rng: np.random.Generator, *, male: int) -> Eyes:
    """Draws the eyes of one face; a man's brows are thicker, lower and straighter."""
    thickness, height, arch = rng.normal(0, 1, 3)
    return Eyes(
        iris=_IRISES[int(rng.choice(len(_IRISES), p=_SHARES))],
        openness=float(rng.uniform(0.78, 1.12)),
        gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        gaze_y=float(np.clip(rng.normal(0, 0.25), -1, 1)),
        brow_width=float((0.056 if male else 0.038) + 0.006 * thickness),
        brow_height=float((-0.008 if male else 0.012) + 0.012 * height),
        brow_arch=float((0.25 if male else 0.75) + 0.20 * arch),
    )


def paint_eyes(
    scene: Scene, eyes: Eyes, makeup: float, smile: float, anatomy: Anatomy, frame: Frame
) -> Scene:
    """The eyes, narrower in a smile, with darker lids under make-up.

    Args:
        scene: what is painted over.
        eyes: how they are.
        makeup: strength of the make-up in [0, 1].
        smile: the smile's intensity.
        anatomy: the head.
        frame: the picture's frame.
    """
    openness = eyes.openness * (1 - _NARROWING * max(smile, 0.0))
    upper, lower = _lids(openness)
    slit = outline_cover(
        frame, *anatomy.feature(on_both_sides(np.concatenate([upper, lower[::-1]])))
    )
    scene = paint(scene, 0.9 * slit, _WHITE)
    for radius, colour in ((_IRIS, eyes.iris), (_PUPIL, (0.03, 0.02, 0.02))):
        scene = paint(scene, slit * _discs(eyes, radius, anatomy, frame), colour)
    lid = stroke_cover(
        frame, anatomy.feature(on_both_sides(upper)), np.full(2, 0.022 + 0.016 * makeup)
    )
    under = stroke_cover(frame, anatomy.feature(on_both_sides(lower)), np.full(2, 0.012))
    scene = paint(scene, (0.30 + 0.45 * makeup) * under, _LASH)
    return paint(scene, (0.80 + 0.20 * makeup) * lid, _LASH)


def paint_eye_shadow(
    scene: Scene, colour: Colour, makeup: float, anatomy: Anatomy, frame: Frame
) -> Scene:
    """Colour on the upper lids, of the strength ``makeup`` in [0, 1]."""
    cover = hills(anatomy.grid(frame, 1.0), (EYE[0] + 0.01, EYE[1] - 0.055), (0.115, 0.050))
    return paint(scene, 0.72 * makeup * cover, colour)


def paint_brows(scene: Scene, eyes: Eyes, hair: Colour, anatomy: Anatomy, frame: Frame) -> Scene:
    """The brows, a little darker than the hair and thinner towards the temples."""
    middle = -0.205 - eyes.brow_height
    x = np.array([0.085, 0.17, 0.26, 0.345])
    arch = 0.035 * eyes.brow_arch * np.array([0.0, -0.7, -1.0, 0.3])
    half = 0.5 * eyes.brow_width * np.array([0.9, 1.0, 0.8, 0.25])
    upper, lower = (np.stack([x, middle + arch + side * half], -1) for side in (-1, 1))
    cover = outline_cover(
        frame, *anatomy.feature(on_both_sides(np.concatenate([upper, lower[::-1]])))
    )
    return paint(scene, 0.85 * soften(cover, frame, 0.010), mix(hair, _LASH, 0.45))


def _lids(openness: float) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
    """The borders of the right eye's upper and lower lid, from the nose outwards."""
    x = EYE[0] + _HALF_WIDTH * _ALONG
    rise = 1 - np.abs(_ALONG) ** 2.2
    corner = EYE[1] - 0.012 * _ALONG  # the outer corner lies higher
    upper, lower = (corner - share * openness * _HALF_HEIGHT * rise for share in (1.0, -0.72))
    return np.stack([x, upper], -1), np.stack([x, lower], -1)


def _discs(eyes: Eyes, radius: float, anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    canvas = blank(frame)
    centres = np.array(
        [
            (side * EYE[0] + 0.030 * eyes.gaze_x, EYE[1] - 0.006 + 0.014 * eyes.gaze_y)
            for side in (-1, 1)
        ]
    )
    draw_dots(canvas, frame, anatomy.feature(centres), np.full(2, radius), np.ones(2))
    return coverage(canvas)
