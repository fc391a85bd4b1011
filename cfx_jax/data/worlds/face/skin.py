"""Skin: its tone, what age does to it, and the head, neck and ears that it covers."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_curves,
    outline_cover,
    smooth_outline,
    soften,
)
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import (
    Colour,
    Cover,
    Scene,
    mix,
    on_both_sides,
    paint,
    planes,
    symmetric,
)

_TONES: tuple[Colour, ...] = (
    (0.98, 0.84, 0.76),
    (0.94, 0.76, 0.64),
    (0.83, 0.63, 0.48),
    (0.64, 0.44, 0.31),
    (0.42, 0.28, 0.20),
)
_YOUNG, _OLD = (18.0, 40.0), (46.0, 80.0)  # years
_WARMTH = (0.85, 1.05, 1.18)  # exponents of brightness: shade takes more blue than red
_SMOOTH_UNTIL, _FURROWED_AT = 34.0, 74.0
_NECK = smooth_outline(
    symmetric(np.array([(0.27, 0.35), (0.27, 0.85), (0.36, 0.98), (0.50, 1.06), (0.12, 1.30)])), 2
)
_EAR = smooth_outline(
    np.array(
        [(0.49, -0.13), (0.56, -0.16), (0.60, -0.06), (0.57, 0.10), (0.51, 0.17), (0.47, 0.1)]
    ),
    2,
)
_FOREHEAD_LINES = np.array(
    [[(-0.22, y + 0.02), (-0.1, y), (0.1, y), (0.22, y + 0.02)] for y in (-0.46, -0.39, -0.33)]
)
_CROWS_FEET = np.array(
    [[(0.35, -0.08), (0.40, -0.11)], [(0.355, -0.06), (0.41, -0.055)], [(0.35, -0.04), (0.40, 0)]]
)
_BAG = np.array([(0.12, -0.015), (0.17, 0.015), (0.24, 0.015), (0.30, -0.015)])
_FOLD = np.array([(0.085, 0.19), (0.15, 0.24), (0.205, 0.33), (0.235, 0.44)])


class Skin(NamedTuple):
    """The skin of one face.

    Attributes:
        tone: its colour in plain light.
        age: the age in years.
        wrinkles: their depth, from 0 to about 1.
    """

    tone: Colour
    age: float
    wrinkles: float


def sample_skin(rng: np.random.Generator, *, young: int) -> Skin:
    """Draws the skin of one face: up to 40 years for a young one, from 46 for another."""
    place = rng.beta(1.1, 1.7) * (len(_TONES) - 1)
    lower = min(int(place), len(_TONES) - 2)
    ages = rng.uniform(*_YOUNG), rng.uniform(*_OLD)
    age = float(ages[0] if young else ages[1])
    weathered = rng.uniform(0.35, 1.2)
    furrowed = np.clip((age - _SMOOTH_UNTIL) / (_FURROWED_AT - _SMOOTH_UNTIL), 0.04, 1.1)
    return Skin(
        mix(_TONES[lower], _TONES[lower + 1], place - lower), age, float(weathered * furrowed)
    )


def face_cover(anatomy: Anatomy, frame: Frame) -> Cover:
    """The share of each pixel that skull and face cover."""
    return outline_cover(frame, anatomy.place(anatomy.outline()))


def paint_neck(scene: Scene, skin: Skin, anatomy: Anatomy, frame: Frame) -> Scene:
    """The neck, in the shadow of the chin, and the ears."""
    broad = 1 + 0.10 * anatomy.jaw
    neck = outline_cover(frame, anatomy.place(_NECK * (broad, 1)))
    _, y = anatomy.grid(frame)
    lit = (0.34 + 0.50 * np.clip((y - 0.74 - anatomy.chin) / 0.32, 0, 1)).astype(np.float32)
    scene = paint(scene, neck, _lit(skin.tone, lit))
    ears = outline_cover(frame, *anatomy.place(on_both_sides(_EAR)))
    return paint(scene, ears, _lit(skin.tone, np.full_like(lit, 0.76)))


def paint_face(scene: Scene, skin: Skin, relief: Cover, anatomy: Anatomy, frame: Frame) -> Scene:
    """Skull and face in the light of ``relief``, without features."""
    return paint(scene, face_cover(anatomy, frame), _lit(skin.tone, relief))


def paint_wrinkles(scene: Scene, skin: Skin, smile: float, anatomy: Anatomy, frame: Frame) -> Scene:
    """Paints the lines of the forehead, crow's feet, bags under the eyes and folds of the mouth.

    The folds run from nose to mouth; a smile deepens them as age does.
    """
    smiling = max(smile, 0.0)
    lines = (
        (_FOREHEAD_LINES, 0.016, 0.55 * skin.wrinkles),
        (_both(_CROWS_FEET), 0.014, 0.45 * skin.wrinkles + 0.12 * smiling),
        (_both(_BAG[None]), 0.022, 0.40 * skin.wrinkles + 0.06 + 0.10 * smiling),
        (
            _both(_FOLD[None] + (0.02 * smiling, -0.01 * smiling)),
            0.026,
            0.42 * skin.wrinkles + 0.30 * smiling,
        ),
    )
    canvas = blank(frame)
    for curves, width, strength in lines:
        draw_curves(
            canvas, frame, anatomy.feature(curves), np.full(len(curves), width), min(strength, 0.75)
        )
    return paint(
        scene, soften(coverage(canvas), frame, 0.010), mix(skin.tone, (0.22, 0.09, 0.05), 0.62)
    )


def _both(curves: Float[np.ndarray, "n points 2"]) -> Float[np.ndarray, "both points 2"]:
    return np.concatenate([curves, curves * (-1, 1)])


def _lit(tone: Colour, brightness: Cover) -> Scene:
    """The skin in more or less light.

    In the shade it is redder, as light comes through the skin.
    """
    return planes(tone) * brightness ** planes(_WARMTH)
