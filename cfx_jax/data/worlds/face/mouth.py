"""The mouth with its continuous smile, and the mouths that look like one.

A smile pulls the corners outwards and up, flattens the lips and may show teeth. What looks like a
smile and is none: a mouth open in speech with its teeth, and corners that point upwards, or
downwards in a smile, at rest.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, outline_cover, soften, stroke_cover
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import Colour, Scene, mix, paint

HEIGHT = 0.425  # of the middle of the closed mouth
_WIDEST = 1.3  # intensity beyond which a mouth cannot go
_SMILING, _SERIOUS = (0.22, 1.0), (-0.30, 0.10)
_SPEAKING_SHARE, _GRINNING_SHARE = 0.30, 0.60
_NATURAL: Colour = (0.70, 0.34, 0.32)
_CAVITY: Colour = (0.22, 0.06, 0.06)
_TEETH: Colour = (0.95, 0.93, 0.89)
_ALONG = np.linspace(-1, 1, 21)


class Mouth(NamedTuple):
    """The mouth of one face.

    Attributes:
        smile: intensity of the smile; 0 is a mouth at rest, 1 a broad smile, below 0 the corners
            point down.
        opening: height of the open mouth, in face coordinates.
        teeth: share of the opening that the upper teeth fill.
        corners: how much higher the corners lie for another reason than a smile.
        width: half the width at rest.
        fullness: factor on the lips' thickness.
        lips: their colour without lipstick, as a share of the way from the skin's to a red.
    """

    smile: float
    opening: float
    teeth: float
    corners: float
    width: float
    fullness: float
    lips: float


def sample_mouth(rng: np.random.Generator, *, smiling: int, male: int, severity: float) -> Mouth:
    """Draws the mouth of one face.

    Args:
        rng: the source of randomness.
        smiling: 1 for one that smiles.
        male: 1 for a man's, with thinner lips.
        severity: factor on the smile's intensity.
    """
    intensities = rng.uniform(*_SERIOUS), rng.uniform(*_SMILING)
    speaking, grinning = rng.random(2)
    spoken, grin = rng.uniform(0.025, 0.12), rng.uniform(0.05, 0.12)
    smile = float(np.clip(severity * intensities[smiling], -_WIDEST, _WIDEST))
    shown = rng.uniform(0.3, 0.8), rng.uniform(0.65, 1.0)
    closed = 0.0
    if smiling:
        opening = grin * smile if grinning < _GRINNING_SHARE else closed
    else:
        opening = spoken if speaking < _SPEAKING_SHARE else closed
    return Mouth(
        smile=smile,
        opening=float(opening),
        teeth=float(shown[smiling]),
        corners=float(rng.normal(0, 0.010)),
        width=float(rng.uniform(0.155, 0.190)),
        fullness=float(rng.uniform(0.8, 1.2) * (0.85 if male else 1.1)),
        lips=float(rng.uniform(0.35, 0.7) - 0.12 * male),
    )


def paint_mouth(
    scene: Scene,
    mouth: Mouth,
    tone: Colour,
    lipstick: Colour,
    makeup: float,
    anatomy: Anatomy,
    frame: Frame,
) -> Scene:
    """Lips, and what an open mouth shows.

    Args:
        scene: what is painted over.
        mouth: how it is.
        tone: the tone of the skin.
        lipstick: its colour.
        makeup: strength of the make-up in [0, 1].
        anatomy: the head.
        frame: the picture's frame.
    """
    lips = mix(mix(tone, _NATURAL, mouth.lips), lipstick, 0.85 * makeup)
    top, seam, floor, bottom = _curves(mouth)
    dark = mix(lips, _CAVITY, 0.75)
    for upper, lower, colour in ((top, seam, mix(lips, _CAVITY, 0.14)), (floor, bottom, lips)):
        cover = outline_cover(frame, anatomy.feature(np.concatenate([upper, lower[::-1]])))
        scene = paint(scene, soften(cover, frame, 0.007), colour)
    if mouth.opening:
        scene = _paint_opening(scene, mouth, seam, floor, anatomy, frame)
    line = stroke_cover(frame, anatomy.feature(seam[None]), np.array([0.018]))
    scene = paint(scene, (0.35 if mouth.opening else 0.85) * line, dark)
    corners = stroke_cover(
        frame, anatomy.feature(np.stack([seam[:3], seam[-3:]])), np.full(2, 0.030)
    )
    return paint(scene, 0.50 * soften(corners, frame, 0.010), dark)


def _paint_opening(
    scene: Scene,
    mouth: Mouth,
    seam: Float[np.ndarray, "points 2"],
    floor: Float[np.ndarray, "points 2"],
    anatomy: Anatomy,
    frame: Frame,
) -> Scene:
    """The dark of the mouth with the upper teeth."""
    scene = paint(
        scene, outline_cover(frame, anatomy.feature(np.concatenate([seam, floor[::-1]]))), _CAVITY
    )
    edge = seam + mouth.teeth * (floor - seam)
    cover = outline_cover(frame, anatomy.feature(np.concatenate([seam, edge[::-1]])[2:-2]))
    return paint(scene, 0.95 * cover, _TEETH)


def _curves(mouth: Mouth) -> tuple[Float[np.ndarray, "points 2"], ...]:
    """The upper lip's upper and lower border, and the lower lip's, in face coordinates."""
    smile, thick = mouth.smile, mouth.fullness * (1 - 0.22 * max(mouth.smile, 0.0))
    x = (mouth.width + 0.060 * smile) * _ALONG
    corner = HEIGHT - 0.060 * smile - mouth.corners
    middle = HEIGHT + 0.022 * smile - 0.35 * mouth.opening
    arc = 1 - _ALONG**2
    seam = corner + (middle - corner) * arc
    floor = seam + mouth.opening * arc**0.8
    bow = 0.016 * np.exp(-((_ALONG / 0.16) ** 2))  # the dip under the nose
    top = seam - thick * (0.050 * arc - bow)
    bottom = floor + thick * 0.060 * arc**0.75
    return tuple(np.stack([x, y], -1) for y in (top, seam, floor, bottom))
