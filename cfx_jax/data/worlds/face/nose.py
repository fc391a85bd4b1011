"""The nose: nostrils, wings, and the shadow beside its bridge; its ridge is part of the relief."""

from typing import NamedTuple

import numpy as np

from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_dots, soften, stroke_cover
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import Colour, Scene, mix, on_both_sides, paint

_WING = np.array([(0.080, 0.145), (0.108, 0.175), (0.105, 0.215), (0.075, 0.225)])
_BRIDGE = np.array([[(0.07, -0.13), (0.045, -0.05), (0.055, 0.06), (0.08, 0.14)]])
_DARK: Colour = (0.22, 0.09, 0.06)


class Nose(NamedTuple):
    """The nose of one face.

    Attributes:
        width: factor on its width.
        length: how much lower the tip lies, in face coordinates.
    """

    width: float
    length: float


def sample_nose(rng: np.random.Generator, *, male: int) -> Nose:
    """Draws the nose of one face; a man's is a little broader and longer."""
    width, length = rng.normal(0, 1, 2)
    return Nose(float(1.0 + 0.10 * width + 0.08 * male), float(0.012 * length + 0.01 * male))


def paint_nose(
    scene: Scene, nose: Nose, tone: Colour, side_light: float, anatomy: Anatomy, frame: Frame
) -> Scene:
    """Nostrils and wings, and a shadow on the side of the bridge that light does not reach."""
    depth, scale, shift = 1.5, (nose.width, 1.0), (0.0, nose.length)
    shadow = mix(tone, _DARK, 0.60)
    away = -1 if side_light > 0 else 1
    bridge = stroke_cover(
        frame, anatomy.feature(_BRIDGE * (away, 1) * scale, depth), np.array([0.035])
    )
    scene = paint(scene, (0.20 + 0.30 * abs(side_light)) * soften(bridge, frame, 0.020), shadow)
    wings = stroke_cover(
        frame, anatomy.feature(on_both_sides(_WING) * scale + shift, depth), np.full(2, 0.022)
    )
    scene = paint(scene, 0.55 * soften(wings, frame, 0.008), shadow)
    canvas = blank(frame)
    nostrils = np.array([(-0.048, 0.222), (0.048, 0.222)]) * scale + shift
    draw_dots(canvas, frame, anatomy.feature(nostrils, depth), np.full(2, 0.024), np.ones(2))
    return paint(scene, 0.75 * soften(coverage(canvas), frame, 0.008), mix(tone, _DARK, 0.85))
