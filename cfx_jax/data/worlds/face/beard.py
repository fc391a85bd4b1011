"""Beards: stubble, goatee and full beard; and the moustache alone, which does not count as one."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften
from cfx_jax.data.worlds.face.anatomy import Anatomy
from cfx_jax.data.worlds.face.layers import Colour, Scene, mix, paint, planes, symmetric

KINDS = ("none", "moustache", "stubble", "goatee", "full")
_NONE, _MOUSTACHE, _STUBBLE, _GOATEE, _FULL = range(5)
_BEARD_SHARES = (0.30, 0.30, 0.40)  # of stubble, goatee and full beard
_MOUSTACHE_SHARE = 0.08  # of men without a beard
_SHADOW = (0.0, 0.16)  # what is seen of a shaven man's beard
_STUBBLE_DENSITIES, _DENSITIES = (0.30, 0.60), (0.65, 0.95)
_MOUSTACHE_BORDER = smooth_outline(
    symmetric(
        np.array(
            [
                (0.01, 0.285),
                (0.10, 0.285),
                (0.20, 0.345),
                (0.235, 0.44),
                (0.17, 0.40),
                (0.01, 0.375),
            ]
        )
    ),
    1,
)
_GOATEE_BORDER = smooth_outline(
    symmetric(
        np.array(
            [
                (0.01, 0.53),
                (0.12, 0.50),
                (0.20, 0.40),
                (0.235, 0.42),
                (0.22, 0.60),
                (0.15, 0.745),
                (0.05, 0.77),
            ]
        )
    ),
    1,
)


class Beard(NamedTuple):
    """The beard of one face.

    Attributes:
        kind: its place in ``KINDS``.
        density: opacity of the hair.
        length: how far the beard goes beyond the chin, in face coordinates.
        shadow: opacity of what is left where the beard is shaven.
    """

    kind: int
    density: float
    length: float
    shadow: float


def sample_beard(rng: np.random.Generator, *, no_beard: int, male: int) -> Beard:
    """Draws the beard of one face.

    Without one, a man may still have a moustache and has a shaven face's shadow.
    """
    kind = _STUBBLE + int(rng.choice(len(_BEARD_SHARES), p=_BEARD_SHARES))
    moustache = rng.random() < _MOUSTACHE_SHARE
    stubble, dense = rng.uniform(*_STUBBLE_DENSITIES), rng.uniform(*_DENSITIES)
    length, shadow = rng.uniform(0.01, 0.10), rng.uniform(*_SHADOW)
    if no_beard:
        kind = _MOUSTACHE if male and moustache else _NONE
    return Beard(
        kind=kind,
        density=float(stubble if kind == _STUBBLE else dense),
        length=float(length) if kind == _FULL else 0.0,
        shadow=float(shadow) if male else 0.0,
    )


def paint_beard(
    scene: Scene,
    beard: Beard,
    hair: Colour,
    strands: Float[np.ndarray, "h w"],
    anatomy: Anatomy,
    frame: Frame,
) -> Scene:
    """The beard, or the shadow of a shaven one.

    Args:
        scene: what is painted over.
        beard: how it is.
        hair: colour of the hair on the head; the beard is darker.
        strands: texture of the hair, of mean about 0 and deviation about 1.
        anatomy: the head.
        frame: the picture's frame.
    """
    if beard.kind == _NONE and not beard.shadow:
        return scene
    colour = planes(mix(hair, (0.09, 0.06, 0.05), 0.40)) * (1 + 0.10 * strands)
    jaw = soften(outline_cover(frame, anatomy.place(_jaw(anatomy, beard.length))), frame, 0.030)
    if beard.shadow:
        scene = paint(scene, beard.shadow * jaw, colour)
    if beard.kind == _NONE:
        return scene
    cover = soften(outline_cover(frame, anatomy.feature(_MOUSTACHE_BORDER)), frame, 0.014)
    if beard.kind == _GOATEE:
        cover = np.maximum(cover, _goatee(anatomy, frame))
    elif beard.kind != _MOUSTACHE:
        cover = np.maximum(cover, jaw)
    return paint(scene, np.clip(beard.density * cover * (1 + 0.06 * strands), 0, 1), colour)


def _jaw(anatomy: Anatomy, length: float) -> Float[np.ndarray, "points 2"]:
    """The lower face, up to the cheeks and down to ``length`` beyond the chin."""
    jaw, chin = anatomy.jaw, anatomy.chin
    half = np.array(
        [
            (0.01, 0.33),
            (0.17, 0.35),
            (0.29, 0.40),
            (0.40, 0.24),
            (0.475, -0.02),
            (0.505, 0.05),
            (0.475 + 0.01 * jaw, 0.28),
            (0.41 + 0.035 * jaw, 0.50 + 0.5 * chin + 0.3 * length),
            (0.26 + 0.05 * jaw, 0.69 + chin + 0.8 * length),
            (0.11 + 0.045 * jaw, 0.77 + chin + length),
        ]
    )
    return smooth_outline(symmetric(half), 2)


def _goatee(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    border = anatomy.feature(_GOATEE_BORDER + np.array([0.0, 0.5 * anatomy.chin]), 0.6)
    return soften(outline_cover(frame, border), frame, 0.018)
