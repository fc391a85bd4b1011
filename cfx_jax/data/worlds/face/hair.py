"""Hair on the head: its colour, cut and parting, behind the face and around it, and bangs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import (
    Colour,
    Scene,
    hills,
    mix,
    paint,
    planes,
    symmetric,
)

_BLACK: Colour = (0.055, 0.045, 0.05)
_OTHERS: tuple[Colour, ...] = (
    (0.21, 0.13, 0.085),
    (0.35, 0.22, 0.13),
    (0.52, 0.36, 0.20),
    (0.80, 0.64, 0.40),
    (0.50, 0.21, 0.09),
)
_SHARES = (0.30, 0.27, 0.15, 0.18, 0.10)
_GREY: Colour = (0.70, 0.69, 0.68)
_LONG_MEN, _LONG_WOMEN = 0.08, 0.82
_GREYING, _WHITE_AT = 42.0, 78.0  # years


class Hair(NamedTuple):
    """The hair of one head.

    Attributes:
        colour: the colour in plain light, grey with age unless it is black.
        long: 1 where it hangs down beside the face.
        reach: how far down long hair hangs, in face coordinates.
        volume: how far the hair stands off the skull.
        hairline: how much further up the forehead the hair starts.
        parting: x of the parting.
        bangs: 1 where a fringe hides the forehead.
        fringe: how far down the fringe comes.
        sweep: how much lower the fringe is on one side.
    """

    colour: Colour
    long: int
    reach: float
    volume: float
    hairline: float
    parting: float
    bangs: int
    fringe: float
    sweep: float


def sample_hair(
    rng: np.random.Generator, *, age: float, male: int, black_hair: int, bangs: int
) -> Hair:
    """Draws the hair of one head; most women's is long, old men's starts further up."""
    black, other = float(rng.uniform(0, 0.05)), _OTHERS[int(rng.choice(len(_OTHERS), p=_SHARES))]
    aged = np.clip((age - _GREYING) / (_WHITE_AT - _GREYING), 0, 1) * rng.uniform(0.4, 1.2)
    receding = rng.uniform(0, 0.16) * np.clip((age - 30) / 30, 0, 1)
    turned_grey = mix(other, _GREY, float(min(aged, 1.0)))
    return Hair(
        colour=mix(_BLACK, (1.0, 1.0, 1.0), black) if black_hair else turned_grey,
        long=int(rng.random() < (_LONG_MEN if male else _LONG_WOMEN)),
        reach=float(rng.uniform(0.55, 1.25)),
        volume=float(rng.uniform(0.02, 0.11)),
        hairline=float(rng.normal(0, 0.02) + (receding if male else 0.0)),
        parting=float(rng.uniform(-0.22, 0.22)),
        bangs=bangs,
        fringe=float(rng.uniform(-0.36, -0.25)),
        sweep=float(rng.normal(0, 0.05)),
    )


def hair_texture(
    rng: np.random.Generator, hair: Hair, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Strands that fan out from the parting and hang down: mean about 0, deviation about 1."""
    x, y = anatomy.grid(frame)
    strand = (x - hair.parting) / (0.30 + 0.45 * np.clip(y + 0.9, 0, 1))
    nodes = np.linspace(-2.2, 2.2, 90)
    fine, coarse = rng.standard_normal(90), np.repeat(rng.standard_normal(30), 3)
    return np.interp(strand, nodes, 0.7 * fine + 0.7 * coarse).astype(np.float32)


def paint_back_hair(
    scene: Scene, hair: Hair, strands: Float[np.ndarray, "h w"], anatomy: Anatomy, frame: Frame
) -> Scene:
    """Paints the hair that hangs behind the face, where it is long."""
    if not hair.long:
        return scene
    wide, reach = hair.volume, hair.reach
    half = np.array(
        [
            (0.02, -0.86 - wide),
            (0.34, -0.84 - wide),
            (0.57 + wide, -0.52),
            (0.61 + wide, -0.10),
            (0.62 + 1.4 * wide, 0.30),
            (0.60 + 1.6 * wide, 0.8 * reach),
            (0.46 + wide, reach),
            (0.02, reach),
        ]
    )
    cover = outline_cover(frame, anatomy.place(smooth_outline(symmetric(half), 2)))
    return paint(
        scene, soften(cover, frame, 0.012), 0.72 * _colour_strands(hair, strands, anatomy, frame)
    )


def paint_front_hair(
    scene: Scene, hair: Hair, strands: Float[np.ndarray, "h w"], anatomy: Anatomy, frame: Frame
) -> Scene:
    """Paints the hair that frames the face, with the bangs."""
    cover = outline_cover(frame, anatomy.place(_cap(hair)))
    if hair.bangs:
        cover = np.maximum(cover, outline_cover(frame, anatomy.place(_fringe(hair))))
    soft = soften(cover, frame, 0.012)
    shadow = np.clip(soften(cover, frame, 0.05) - soft, 0, 1)
    return paint(
        paint(scene, 0.55 * shadow, (0.12, 0.06, 0.04)),
        soft,
        _colour_strands(hair, strands, anatomy, frame),
    )


def _colour_strands(
    hair: Hair, strands: Float[np.ndarray, "h w"], anatomy: Anatomy, frame: Frame
) -> Scene:
    """The colour of each strand, with a shine on top of the head."""
    shine = hills(anatomy.grid(frame), (0.28, -0.62), (0.22, 0.10))
    brightness = 1 + (0.22 - 0.13 * max(hair.colour)) * strands
    return planes(hair.colour) * brightness + 0.10 * shine * (1 + 0.5 * strands)


def _cap(hair: Hair) -> Float[np.ndarray, "points 2"]:
    """The hair on the skull: its outer border and, inside it, the hairline with the parting."""
    up, wide, line = 0.85 + hair.volume, hair.volume, hair.hairline
    bulge = wide if hair.long else 0.6 * wide
    outer = np.array(
        [(0.02, -up), (0.36, -up + 0.03), (0.525 + bulge, -0.58), (0.555 + bulge, -0.24)]
    )
    if hair.long:
        down = min(hair.reach, 1.0)
        end = np.array(
            [
                (0.61 + wide, 0.10),
                (0.61 + 1.2 * wide, 0.45),
                (0.58 + wide, down),
                (0.50, down),
                (0.51, 0.3),
            ]
        )
        temple = np.array([(0.50, 0.02), (0.475, -0.22), (0.36, -0.48 - line)])
    else:
        end = np.array([(0.53 + 0.2 * wide, -0.04), (0.51, 0.07)])
        temple = np.array([(0.492, -0.10), (0.465, -0.30), (0.40, -0.52 - line)])
    half = np.concatenate([outer, end, temple])
    part = np.array([(hair.parting, (-0.64 if hair.long else -0.60) - line)])
    return smooth_outline(np.concatenate([half, part, half[::-1] * (-1, 1)]), 2)


def _fringe(hair: Hair) -> Float[np.ndarray, "points 2"]:
    """The bangs: down to the brows, with ragged ends."""
    x = np.linspace(-0.47, 0.47, 17)
    ragged = 0.022 * (-1.0) ** np.arange(17)
    ends = hair.fringe + hair.sweep * x / 0.47 + ragged + 0.10 * np.abs(x) ** 2
    return np.concatenate([np.stack([x, ends], -1), [(0.45, -0.62), (0.0, -0.80), (-0.45, -0.62)]])
