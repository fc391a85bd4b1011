"""White matter inside, a folded ribbon of grey matter outside, grey nuclei deep in the brain.

Furrows run inwards from the surface and from the fissure between the hemispheres: grey on both
sides, fluid in the middle.
"""

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.data.worlds.brain.anatomy import TOP_OF_VENTRICLES, Anatomy
from cfx_jax.data.worlds.brain.skull import FLUID, brain_depth
from cfx_jax.data.worlds.curves import Curves, bezier, rotate, shoots, wiggle
from cfx_jax.data.worlds.drawing import (
    Frame,
    blank,
    coverage,
    draw_curves,
    fill_outline,
    outline_cover,
    smooth_noise,
    soften,
)

WHITE, GREY = 0.56, 0.41
_RIBBON = 0.075  # thickness of the grey ribbon
_FURROWS = 34
_ALONG_FISSURE = 10
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], -1)
_NUCLEI = (  # of the right half
    np.add(rotate(_CIRCLE * (0.050, 0.120), -0.25), (0.15, -0.19)),  # caudate
    np.add(rotate(_CIRCLE * (0.075, 0.190), -0.30), (0.30, -0.03)),  # putamen and pallidum
    np.add(rotate(_CIRCLE * (0.095, 0.130), 0.35), (0.12, 0.14)),  # thalamus
)


def brain_cover(anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel inside the brain's surface."""
    return outline_cover(frame, anatomy.place(anatomy.ring(brain_depth(anatomy))))


def add_brain(
    rng: np.random.Generator, image: Float[np.ndarray, "h w"], anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Lays the brain without its ventricles into a head full of fluid."""
    furrows = anatomy.place(
        np.concatenate([_from_surface(rng, anatomy), _from_fissure(rng, anatomy)])
    )
    side_furrows, _ = shoots(rng, furrows, per_parent=1, length=(0.05, 0.13))
    side_furrows = side_furrows[:, ::3]  # short as they are, few points draw them
    texture = 0.022 * smooth_noise(rng, frame.size, 9)
    grey = soften(_grey_share(anatomy, furrows, side_furrows, frame), frame, 0.010)
    matter = WHITE + grey * (GREY - WHITE) + texture
    image = image + brain_cover(anatomy, frame) * (matter - image)
    fluid = _fluid_share(anatomy, furrows, side_furrows, frame)
    return (image + fluid * (FLUID - image)).astype(np.float32)


def _grey_share(
    anatomy: Anatomy, furrows: Curves, side_furrows: Curves, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """The grey ribbon along the surface and on both sides of the furrows, and the nuclei."""
    canvas = np.full_like(blank(frame), 255)
    fill_outline(canvas, frame, anatomy.place(anatomy.ring(brain_depth(anatomy) + _RIBBON)), 0.0)
    _add_nuclei(canvas, anatomy, frame)
    draw_curves(canvas, frame, side_furrows, np.full(len(side_furrows), 0.075))
    draw_curves(canvas, frame, furrows, np.full(len(furrows), 0.100))
    return coverage(canvas)


def _fluid_share(
    anatomy: Anatomy, furrows: Curves, side_furrows: Curves, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Fluid inside the furrows and the fissure."""
    wide = 0.010 + 0.024 * anatomy.atrophy
    canvas, fissure = blank(frame), anatomy.place(_fissure(anatomy))
    draw_curves(canvas, frame, side_furrows, np.full(len(side_furrows), 0.45 * wide), 0.5)
    draw_curves(canvas, frame, furrows, np.full(len(furrows), wide), 0.7)
    draw_curves(canvas, frame, fissure, np.full(len(fissure), 0.8 * wide + 0.010), 0.9)
    return coverage(canvas)


def _from_surface(rng: np.random.Generator, anatomy: Anatomy) -> Curves:
    """Furrows from the brain's surface inwards."""
    angles = 2 * np.pi * (np.arange(_FURROWS) + rng.uniform(-0.3, 0.3, _FURROWS)) / _FURROWS
    start = anatomy.ring(brain_depth(anatomy) - 0.01, angles)
    inwards = -start / np.linalg.norm(start, axis=-1, keepdims=True)
    reach = (rng.uniform(0.08, 0.26, _FURROWS) * (1 + 0.25 * anatomy.level))[:, None]
    bend = start + 0.5 * reach * inwards
    end = bend + 0.6 * reach * rotate(inwards, rng.normal(0, 0.7, _FURROWS))
    return wiggle(rng, bezier(np.stack([start, bend, end], 1)), 0.018)


def _from_fissure(rng: np.random.Generator, anatomy: Anatomy) -> Curves:
    """Furrows from the fissure between the hemispheres to both sides."""
    points = _fissure(anatomy).reshape(-1, 2)
    start = points[rng.integers(len(points), size=_ALONG_FISSURE)]
    side = np.where(np.arange(_ALONG_FISSURE) % 2, 1.0, -1.0)
    along = np.stack([side, rng.normal(0, 0.5, _ALONG_FISSURE)], -1)
    reach = rng.uniform(0.07, 0.20, _ALONG_FISSURE)[:, None]
    end = start + reach * along
    return wiggle(rng, bezier(np.stack([start, 0.5 * (start + end), end], 1)), 0.012)


def _fissure(anatomy: Anatomy) -> Curves:
    """The fissure between the hemispheres.

    It is in front of and behind the ventricles, and runs all through above them.
    """
    surface = 1 - brain_depth(anatomy)
    gap = max(0.0, 1 - anatomy.level / TOP_OF_VENTRICLES)
    front = bezier(np.array([[(0, -surface), (0, -0.42 * gap)]]))
    back = bezier(np.array([[(0, 0.45 * gap), (0, surface)]]))
    return np.concatenate([front, back])


def _add_nuclei(canvas: UInt8[np.ndarray, "H W"], anatomy: Anatomy, frame: Frame) -> None:
    """Draws the deep grey nuclei of both sides, which fade out upwards."""
    strength = max(0.0, 1 - anatomy.level / 0.5) ** 0.5
    for shape in _NUCLEI:
        for side in (-1, 1):
            fill_outline(canvas, frame, anatomy.place(shape * (side, 1)), strength)
