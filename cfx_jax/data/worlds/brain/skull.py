"""The surroundings of the brain, from outside: bright fat, the dark skull, fluid."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.brain.anatomy import Anatomy
from cfx_jax.data.worlds.drawing import Frame, blank, coverage, fill_outline, outline_cover, soften

FLUID = 0.10  # brightness of cerebrospinal fluid in a T1-weighted slice
_FAT, _SKIN, _BONE, _MARROW = 0.78, 0.45, 0.07, 0.26
_SKIN_DEPTH, _FAT_DEPTH, _BONE_DEPTH = 0.012, 0.050, 0.115
_BRAIN_DEPTH = 0.14


def brain_depth(anatomy: Anatomy) -> float:
    """Distance of the brain's surface from the skin, in head coordinates."""
    return _BRAIN_DEPTH * anatomy.skull


def head_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel inside the skin."""
    return outline_cover(frame, anatomy.place(anatomy.ring(0.0)))


def head(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """Brightness of a head whose skull holds nothing but fluid."""
    middle = 0.5 * (_FAT_DEPTH + _BONE_DEPTH)
    layers = (
        (0.0, _SKIN),
        (_SKIN_DEPTH, _FAT),
        (_FAT_DEPTH, _BONE),
        (middle - 0.010, _MARROW),
        (middle + 0.014, _BONE),
        (_BONE_DEPTH, FLUID),
    )
    canvas = blank(frame)
    for depth, brightness in layers:
        fill_outline(canvas, frame, anatomy.place(anatomy.ring(depth * anatomy.skull)), brightness)
    return soften(coverage(canvas), frame, 0.006)
