"""A chest without a finding, as CT shows it from -1000 to 400 Hounsfield units.

Air is black, lung nearly so, fat and soft tissue are light grey, bone is white.
"""

import math

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.chest_anatomy import Trunk
from cfx_jax.data.worlds.ct.stack import Painter, Stack, ellipse, stack_slices
from cfx_jax.data.worlds.curves import bezier, rotate, wiggle
from cfx_jax.data.worlds.drawing import Frame, smooth_outline

FAT, TISSUE, BONE = 0.64, 0.745, 0.95
_LUNG, _AIRWAY, _TABLE = 0.115, 0.02, 0.35
_CARTILAGE, _MARROW = 0.82, 0.86
_TURN = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_BODY = np.stack([np.sign(np.cos(_TURN)) * np.abs(np.cos(_TURN)) ** 0.85, 0.66 * np.sin(_TURN)], -1)
_LEFT_LUNG = smooth_outline(
    np.array(
        [
            (0.10, -0.40),
            (0.30, -0.47),
            (0.55, -0.36),
            (0.71, -0.08),
            (0.70, 0.22),
            (0.55, 0.44),
            (0.32, 0.50),
            (0.15, 0.40),
            (0.13, 0.18),
            (0.17, -0.02),
            (0.10, -0.20),
        ]
    )
)
_LUNG_CENTRE = np.array([0.38, 0.06])
_MEDIASTINUM = smooth_outline(
    np.array(
        [
            (-0.11, -0.42),
            (0.11, -0.42),
            (0.16, -0.10),
            (0.18, 0.20),
            (0.10, 0.30),
            (-0.10, 0.30),
            (-0.18, 0.10),
        ]
    )
)
_HILUM = np.array([0.20, 0.06])
_RIBS = 9
_ARC = np.linspace(-0.09, 0.09, 4)  # of a rib that one slice shows, in radians
_VESSELS, _DOTS = 9, 26


def chest_stack(
    rng: np.random.Generator, trunk: Trunk, frame: Frame, levels: Float[np.ndarray, " s"]
) -> Stack:
    """The slices of a chest; its organ is the lung with its vessels."""
    # Ribs run obliquely: each slice cuts them a little further along.
    turn = rng.uniform(0, 2 * np.pi)
    return stack_slices(
        [_slice(rng, trunk, frame, level, turn + 5.0 * level) for level in levels.tolist()]
    )


def _slice(
    rng: np.random.Generator, trunk: Trunk, frame: Frame, level: float, turn: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    painter = Painter(frame, trunk.place)
    painter.stroke(bezier(np.array([[(-0.80, 0.78), (0.0, 0.90), (0.80, 0.78)]])), 0.035, _TABLE)
    _add_wall(painter, trunk, level, turn)
    lungs = [_lung_outline(trunk, level) * (side, 1) for side in (1, -1)]
    for lung in lungs:
        painter.fill(lung, _LUNG - 0.035 * trunk.inspiration, organ=True)
    _add_vessels(rng, painter, level)
    _add_middle(painter, trunk, level)
    _add_domes(painter, trunk, level)
    return painter.finish()


def _lung_outline(trunk: Trunk, level: float) -> Float[np.ndarray, "points 2"]:
    """The left lung: narrow at the apex, widest below the middle."""
    share = _share_at(level)
    slimmer = 1 - 0.07 * trunk.stoutness
    return (
        (_LUNG_CENTRE + (_LEFT_LUNG - _LUNG_CENTRE) * (share, share))
        * slimmer
        * (0.93 + 0.07 * share, 1)
    )


def _share_at(level: float) -> float:
    """Width and depth of the lungs at a level as a share of the largest."""
    return min(1.0, math.sqrt((1.08 - level) / 0.62))


def _add_wall(painter: Painter, trunk: Trunk, level: float, turn: float) -> None:
    """Skin and fat, muscles, ribs, the shoulder blades and the breast bone."""
    painter.fill(_BODY * (1 - 0.10 * level**3, 1), FAT)
    inner = 0.93 - 0.10 * trunk.stoutness
    painter.fill(_BODY * inner * (1 - 0.12 * level**3, 0.97), TISSUE)
    ribs = 2 * np.pi * (np.arange(2 * _RIBS) + 0.5) / (2 * _RIBS) + 0.12 * np.sin(
        turn + np.arange(2 * _RIBS) * 2.4
    )
    # None in front and behind, where other bones lie.
    ribs = ribs[np.abs(np.abs(ribs - np.pi) - np.pi / 2) > 0.30]
    arcs = ribs[:, None] + _ARC
    curves = np.stack([0.79 * np.cos(arcs), 0.57 * np.sin(arcs)], -1) * (1 - 0.06 * trunk.stoutness)
    in_front = np.sin(ribs) < -0.5
    painter.stroke(curves[in_front], 0.050, _CARTILAGE)
    painter.stroke(curves[~in_front], 0.050, BONE)
    if level > 0.5:
        for side in (1, -1):
            blade = np.array([[(0.42, 0.56), (0.62, 0.52), (0.74, 0.38)]]) * (side, 1)
            painter.stroke(bezier(blade), 0.045, BONE)
    if level > 0.25:
        painter.fill(ellipse((0.0, -0.55), (0.10, 0.035)), _CARTILAGE)


def _add_vessels(rng: np.random.Generator, painter: Painter, level: float) -> None:
    """Adds the vessels of the lungs.

    They run from the root of each lung within the slice; those that cross it look like dots.
    """
    near_root = 1 - min(1.0, abs(level - 0.5) / 0.5)
    for side in (1, -1):
        angle = rng.uniform(-1.9, 1.9, _VESSELS)
        reach = rng.uniform(0.15, 0.42, _VESSELS)[:, None] * (0.5 + 0.6 * near_root)
        start = _HILUM + np.zeros((_VESSELS, 2))
        along = np.stack([np.cos(angle), np.sin(angle)], -1)
        end = start + reach * along
        middle = start + 0.5 * reach * rotate(along, rng.normal(0, 0.3, _VESSELS))
        curves = wiggle(rng, bezier(np.stack([start, middle, end], 1)), 0.010) * (side, 1)
        half = _VESSELS // 2
        painter.stroke(curves[:half, ::3], 0.018 + 0.012 * near_root, 0.48, organ=None)
        painter.stroke(curves[half:, ::3], 0.013, 0.40, organ=None)
        away = np.sqrt(rng.uniform(0.02, 1, _DOTS))
        turn = rng.uniform(0, 2 * np.pi, _DOTS)
        dots = _LUNG_CENTRE + away[:, None] * _share_at(level) * np.stack(
            [0.30 * np.cos(turn), 0.42 * np.sin(turn)], -1
        )
        thin = np.clip(1.2 - 1.6 * np.linalg.norm(dots - _HILUM, axis=-1), 0.3, 1)
        painter.dots(dots * (side, 1), thin * rng.uniform(0.012, 0.030, _DOTS), 0.55, organ=None)


def _add_middle(painter: Painter, trunk: Trunk, level: float) -> None:
    """Heart, great vessels, windpipe, spine."""
    slimmer = 1 - 0.35 * level**2
    painter.fill(_MEDIASTINUM * (slimmer, 1), FAT + 0.3 * (TISSUE - FAT))
    painter.fill(_MEDIASTINUM * (0.85 * slimmer, 0.9), TISSUE)
    if level < 0.52:
        large = (
            trunk.heart * np.sqrt(1 - ((level - 0.2) / 0.36) ** 2) if level > 0.2 else trunk.heart
        )
        heart = ellipse((0.11, -0.15), (0.34 * large, 0.25 * large), turn=0.5)
        painter.fill(heart * 1.06, FAT)
        painter.fill(heart, TISSUE + 0.01)
    if level < 0.72:
        # The aorta, on its way down.
        painter.fill(ellipse((0.10, 0.22), (0.065, 0.065)), TISSUE + 0.015)
    elif level < 0.80:
        painter.stroke(
            bezier(np.array([[(-0.06, -0.14), (0.10, -0.05), (0.12, 0.18)]])), 0.13, TISSUE + 0.015
        )
    if level > 0.58:
        painter.fill(ellipse((0.0, 0.02), (0.048, 0.052)), _AIRWAY)
    elif level > 0.44:
        for side in (1, -1):
            painter.fill(
                ellipse(((0.06 + 0.7 * (0.58 - level)) * side, 0.05), (0.045, 0.035)), _AIRWAY
            )
    _add_spine(painter, level)


def _add_spine(painter: Painter, level: float) -> None:
    for share, brightness in ((1.0, BONE), (0.75, _MARROW)):
        half_axes = share * (0.115 - 0.025 * level), share * (0.095 - 0.020 * level)
        painter.fill(ellipse((0.0, 0.36), half_axes), brightness)
    arch = np.array(
        [[(-0.17, 0.46), (-0.05, 0.53), (0, 0.62)], [(0.17, 0.46), (0.05, 0.53), (0, 0.62)]]
    )
    painter.stroke(arch, 0.045, BONE)
    painter.fill(ellipse((0.0, 0.475), (0.045, 0.045)), TISSUE - 0.02)


def _add_domes(painter: Painter, trunk: Trunk, level: float) -> None:
    """The diaphragm's domes with liver and spleen below them, which rise into the lowest slices."""
    for side, top in ((-1, 0.20), (1, 0.14)):
        below = top - 0.10 * trunk.inspiration - level
        if below > 0:
            share = min(1.0, np.sqrt(below / 0.25))
            painter.fill(ellipse((0.37 * side, -0.04), (0.33 * share, 0.40 * share)), TISSUE + 0.02)
