"""Things that do not belong to the face: glasses, make-up's colours, clothes."""

from typing import NamedTuple

import numpy as np

from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, stroke_cover
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.eyes import EYE
from cfx_jax.data.worlds.face.layers import (
    Colour,
    Scene,
    hills,
    on_both_sides,
    paint,
    symmetric,
)

_GLASSES_SHARE = 0.14
_FRAMES: tuple[Colour, ...] = ((0.06, 0.05, 0.05), (0.25, 0.13, 0.07), (0.45, 0.44, 0.43))
_LIPSTICKS: tuple[Colour, ...] = ((0.72, 0.06, 0.12), (0.80, 0.16, 0.32), (0.55, 0.05, 0.14))
_SHADOWS: tuple[Colour, ...] = ((0.25, 0.14, 0.14), (0.20, 0.16, 0.30), (0.36, 0.20, 0.16))
_BLUSH: Colour = (0.86, 0.34, 0.34)
_SHOULDERS = smooth_outline(
    symmetric(
        np.array(
            [(0.10, 1.02), (0.32, 0.93), (0.55, 1.00), (0.95, 1.12), (1.30, 1.40), (1.30, 2.0)]
        )
    ),
    2,
)
_BRIDGE = np.array([[(-0.09, -0.09), (0.0, -0.105), (0.09, -0.09)]])
_TEMPLE = np.array([(0.34, -0.11), (0.50, -0.09)])


class Makeup(NamedTuple):
    """The make-up of one face.

    Attributes:
        strength: in [0, 1].
        lipstick: its colour.
        eye_shadow: its colour.
    """

    strength: float
    lipstick: Colour
    eye_shadow: Colour


class Glasses(NamedTuple):
    """The glasses of one face.

    Attributes:
        worn: 1 where there are any.
        rims: their colour.
        size: factor on the lenses.
        round: 1 for round ones.
    """

    worn: int
    rims: Colour
    size: float
    round: int


def sample_makeup(rng: np.random.Generator, *, heavy_makeup: int, male: int) -> Makeup:
    """Draws the make-up of one face; a woman's may be light where it is not heavy."""
    strengths = rng.uniform(0.0, 0.30), rng.uniform(0.50, 1.0)
    lipstick, shadow = rng.integers(len(_LIPSTICKS)), rng.integers(len(_SHADOWS))
    strength = strengths[1] if heavy_makeup else strengths[0] * (1 - male)
    return Makeup(float(strength), _LIPSTICKS[lipstick], _SHADOWS[shadow])


def sample_glasses(rng: np.random.Generator) -> Glasses:
    """Draws the glasses of one face."""
    worn, rims = rng.random() < _GLASSES_SHARE, rng.integers(len(_FRAMES))
    return Glasses(int(worn), _FRAMES[rims], float(rng.uniform(0.9, 1.15)), int(rng.random() < 0.5))


def paint_blush(scene: Scene, makeup: Makeup, anatomy: Anatomy, frame: Frame) -> Scene:
    """Red on the cheeks."""
    cover = hills(anatomy.grid(frame, 1.0), (0.32, 0.15), (0.12, 0.08))
    return paint(scene, 0.32 * makeup.strength * cover, _BLUSH)


def paint_glasses(scene: Scene, glasses: Glasses, anatomy: Anatomy, frame: Frame) -> Scene:
    """Rims, bridge and temples."""
    if not glasses.worn:
        return scene
    turn = np.linspace(0, 2 * np.pi, 25)
    power = 1.0 if glasses.round else 0.55  # below 1 the circle becomes a rounded rectangle
    x, y = (np.sign(f(turn)) * np.abs(f(turn)) ** power for f in (np.cos, np.sin))
    lens = np.stack(
        [EYE[0] + 0.005 + 0.135 * glasses.size * x, EYE[1] + 0.01 + 0.105 * glasses.size * y], -1
    )
    rims = stroke_cover(frame, anatomy.feature(on_both_sides(lens), 1.2), np.full(2, 0.026))
    lenses = outline_cover(frame, *anatomy.feature(on_both_sides(lens), 1.2))
    bars = np.maximum(
        stroke_cover(frame, anatomy.feature(_BRIDGE, 1.2), np.array([0.024])),
        stroke_cover(frame, anatomy.feature(on_both_sides(_TEMPLE)), np.full(2, 0.022)),
    )
    scene = paint(scene, 0.08 * lenses, (0.75, 0.82, 0.88))
    return paint(scene, 0.92 * np.maximum(rims, bars), glasses.rims)


def paint_clothes(scene: Scene, colour: Colour, anatomy: Anatomy, frame: Frame) -> Scene:
    """Paints the shoulders in their clothes."""
    cover = outline_cover(frame, anatomy.place(_SHOULDERS))
    return paint(scene, cover, colour)
