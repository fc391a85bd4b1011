"""A head without a finding, as CT shows it from 0 to 80 Hounsfield units.

Bone is white, grey matter a little brighter than white matter, fluid nearly black.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.head_anatomy import Head
from cfx_jax.data.worlds.ct.stack import Painter, Stack, ellipse, stack_slices
from cfx_jax.data.worlds.curves import Curves, bezier, rotate
from cfx_jax.data.worlds.drawing import Frame, smooth_outline

GREY, WHITE, FLUID = 0.50, 0.39, 0.09
_BONE, _ORBIT, _SKIN, _FAT, _FALX = 1.0, 0.85, 0.45, 0.06, 0.60
_RIBBON = 0.085  # thickness of the grey ribbon
_FURROWS = 32
_MIRROR = np.array([-1, 1])
_FRONT_HORN = smooth_outline(
    np.array([(0.02, -0.16), (0.03, -0.33), (0.13, -0.43), (0.16, -0.35), (0.08, -0.20)])
)
_BACK_HORN = smooth_outline(
    np.array([(0.15, 0.14), (0.23, 0.16), (0.29, 0.30), (0.24, 0.48), (0.19, 0.34)])
)
_BODY = smooth_outline(
    np.array(
        [
            (0.03, -0.30),
            (0.10, -0.36),
            (0.14, -0.15),
            (0.14, 0.12),
            (0.24, 0.36),
            (0.16, 0.36),
            (0.05, 0.10),
        ]
    )
)
_CENTRE = smooth_outline(
    np.array([(0, -0.27), (0.15, -0.15), (0.11, 0.0), (0, 0.06), (-0.11, 0.0), (-0.15, -0.15)])
)
_THIRD = np.array([(-0.018, -0.13), (0.018, -0.13), (0.018, 0.12), (-0.018, 0.12)])
_SYLVIAN = bezier(np.array([[(0.62, -0.22), (0.48, -0.12), (0.43, 0.02), (0.50, 0.22)]]))
_NUCLEI = (  # of the left half
    ellipse((0.15, -0.24), (0.045, 0.10), turn=-0.25),  # caudate
    ellipse((0.29, -0.10), (0.070, 0.17), turn=-0.30),  # putamen and pallidum
    ellipse((0.12, 0.06), (0.085, 0.13), turn=0.35),  # thalamus
)
_PETROUS = bezier(np.array([[(0.62, 0.28), (0.42, 0.20), (0.20, 0.02)]]))
_SPHENOID = bezier(np.array([[(0.60, -0.31), (0.42, -0.32), (0.16, -0.16)]]))


class Furrows(NamedTuple):
    """The furrows of one brain, which come and go from slice to slice.

    Attributes:
        angles: directions in which they start at the surface.
        bends: how much the furrows turn.
        reach: how deep they go at most, in head coordinates.
        phases: where along the stack each is deepest.
    """

    angles: Float[np.ndarray, " n"]
    bends: Float[np.ndarray, " n"]
    reach: Float[np.ndarray, " n"]
    phases: Float[np.ndarray, " n"]


def sample_furrows(rng: np.random.Generator) -> Furrows:
    """Draws the furrows of one brain."""
    return Furrows(
        angles=2 * np.pi * (np.arange(_FURROWS) + rng.uniform(-0.3, 0.3, _FURROWS)) / _FURROWS,
        bends=rng.normal(0, 0.6, _FURROWS),
        reach=rng.uniform(0.10, 0.26, _FURROWS),
        phases=rng.uniform(0, 2 * np.pi, _FURROWS),
    )


def head_stack(
    head: Head, furrows: Furrows, frame: Frame, levels: Float[np.ndarray, " s"]
) -> Stack:
    """The slices of a head; its organ is the brain's tissue."""
    return stack_slices([_slice(head, furrows, frame, level) for level in levels.tolist()])


def brain_depth(head: Head, level: float) -> float:
    """Distance of the brain's surface from the skin, in head coordinates."""
    return head.skull_depth(1.0, level)


def _slice(
    head: Head, furrows: Furrows, frame: Frame, level: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    painter = Painter(frame, lambda points: head.place(points, level))
    for share, brightness in ((0.0, _SKIN), (0.10, _FAT), (0.28, _BONE), (0.90, FLUID)):
        painter.fill(head.ring(head.skull_depth(share, level)), brightness)
    _add_brain(painter, head, _furrow_curves(head, furrows, level), level)
    _add_depth(painter, head, level)
    if level < 0.30:
        _add_base(painter, level)
    return painter.finish()


def _add_brain(painter: Painter, head: Head, curves: Curves, level: float) -> None:
    """Grey ribbon, white matter, furrows and the falx."""
    surface = brain_depth(head, level)
    painter.fill(head.ring(surface + 0.012 * head.atrophy), GREY, organ=True)
    painter.fill(head.ring(surface + _RIBBON), WHITE, organ=True)
    painter.stroke(curves[:, 1:], 0.13, GREY, organ=True)
    wide = 0.012 + 0.030 * head.atrophy
    painter.stroke(curves, wide, 0.5 * (FLUID + WHITE) - 0.1 * head.atrophy)
    gap = _ventricles_at(level)
    front = bezier(np.array([[(0, surface - 1), (0, -0.47 * gap)]]))
    back = bezier(np.array([[(0, 0.42 * gap), (0, 1 - surface)]]))
    for midline in (front, back):
        painter.stroke(midline, 1.1 * wide, FLUID + 0.1)
        if level > 0.25:
            painter.stroke(midline, 0.016, _FALX)


def _add_depth(painter: Painter, head: Head, level: float) -> None:
    """Nuclei, ventricles and the fissure between frontal and temporal lobe, each at its levels."""
    wide = np.array([0.7 + 0.8 * head.atrophy, 0.85 + 0.3 * head.atrophy])
    shown: list[tuple[np.ndarray, float, bool]] = []
    if 0.28 < level < 0.54:
        shown += [(nucleus, GREY, True) for nucleus in _NUCLEI]
    if 0.36 < level < 0.53:
        shown += [(_FRONT_HORN * wide, FLUID, False), (_BACK_HORN * wide, FLUID, False)]
    elif 0.53 <= level < 0.68:
        shown += [(_BODY * wide * (1 - max(0, level - 0.6) * 2), FLUID, False)]
    for outline, brightness, organ in shown:
        painter.fill(outline, brightness, organ=organ)
        painter.fill(outline * _MIRROR, brightness, organ=organ)
    if 0.28 < level < 0.47:
        painter.fill(_THIRD * wide, FLUID)
    if 0.15 < level < 0.48:
        for side in (1, -1):
            painter.stroke(_SYLVIAN * (side, 1), 0.028 + 0.05 * head.atrophy, FLUID + 0.06)


def _add_base(painter: Painter, level: float) -> None:
    """Brain stem and cisterns, and below them the bones of the skull base."""
    painter.fill(ellipse((0.0, 0.125), (0.25, 0.21)), FLUID + 0.08)
    painter.fill(ellipse((0.0, 0.14), (0.19, 0.16)), 0.5 * (GREY + WHITE), organ=True)
    if level < 0.24:
        painter.fill(_CENTRE, FLUID + 0.03)
    if level < 0.20:
        painter.fill(ellipse((0.0, 0.36), (0.075, 0.05)), FLUID)
    if level < 0.16:
        wide = 0.16 - 0.7 * level
        for side in (1, -1):
            painter.stroke(_PETROUS * (side, 1), 1.2 * wide, _BONE)
            painter.stroke(_SPHENOID * (side, 1), 0.7 * wide, _BONE)
            painter.fill(ellipse((0.30 * side, -0.66), (1.2 * wide, 0.9 * wide)), _ORBIT)


def _ventricles_at(level: float) -> float:
    """1 where the ventricles part the fissure between the hemispheres, 0 near the crown."""
    return float(np.clip((0.72 - level) / 0.08, 0, 1))


def _furrow_curves(head: Head, furrows: Furrows, level: float) -> Curves:
    """The furrows of one slice, in head coordinates."""
    start = head.at_depth(brain_depth(head, level) - 0.01, furrows.angles)
    inwards = -start / np.linalg.norm(start, axis=-1, keepdims=True)
    deep = furrows.reach * np.clip(0.55 + 0.45 * np.sin(14 * level + furrows.phases), 0.15, 1)
    reach = (deep * (0.7 + 0.5 * level))[:, None]
    bend = start + 0.5 * reach * inwards
    end = bend + 0.6 * reach * rotate(inwards, furrows.bends)
    return bezier(np.stack([start, bend, end], 1))[:, ::3]
