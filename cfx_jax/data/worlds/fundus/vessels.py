"""The retinal vessel tree: four arcades of an artery and a vein each, with branches and twigs.

The trunks are cubic Bezier curves that leave the optic disc; the two temporal ones arch around the
macula, which a parabola with its vertex at the disc describes well (Foracchia, Grisan and Ruggeri,
"Detection of optic disc in retinal images by means of a geometrical model of vessel structure",
IEEE TMI 2004). Branches leave a trunk at an acute angle and bend back towards its direction; twigs
leave branches in the same way. Vessels fade out in the avascular zone around the fovea and cross
each other freely: crossings are one of the world's look-alikes of small dark lesions.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data.worlds.curves import POINTS, Curves, Widths, bezier, shoots, wiggle
from cfx_jax.data.worlds.drawing import Frame, blank, coverage, draw_curves, unit_grid
from cfx_jax.data.worlds.fundus.anatomy import Anatomy

_ARTERY_WIDTH, _VEIN_WIDTH = 0.030, 0.042
# What a vessel leaves of the ground's light.
_ARTERY_TINT = np.array([0.82, 0.56, 0.50], np.float32)
_VEIN_TINT = np.array([0.66, 0.40, 0.38], np.float32)
_AVASCULAR = 0.13


class Level(NamedTuple):
    """Vessels of one order, cut into pieces of constant width."""

    pieces: Curves
    widths: Widths
    is_vein: Bool[np.ndarray, " n"]


def vessel_transmission(
    rng: np.random.Generator, anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w 3"]:
    """Draws one vessel tree; returns the factor by which it dims each channel of the ground."""
    x, y = unit_grid(frame)
    distance = (x - anatomy.fovea[0]) ** 2 + (y - anatomy.fovea[1]) ** 2
    visible = 1 - np.exp(-distance / (2 * _AVASCULAR**2))
    tree = _tree(rng, anatomy)
    transmission = np.ones((frame.size, frame.size, 3), np.float32)
    for veins, tint in ((False, _ARTERY_TINT), (True, _VEIN_TINT)):
        canvas = blank(frame)
        for level in tree:
            chosen = level.is_vein == veins
            draw_curves(canvas, frame, level.pieces[chosen], level.widths[chosen])
        transmission *= 1 - (coverage(canvas) * visible)[..., None] * (1 - tint)
    return transmission


def _tree(rng: np.random.Generator, anatomy: Anatomy) -> list[Level]:
    """All vessels, the thin ones first so that a thick one covers their ends."""
    trunks = _trunks(rng, anatomy)
    branches, of_trunk = shoots(rng, trunks, per_parent=5, length=(0.25, 0.55))
    twigs, of_branch = shoots(rng, branches, per_parent=2, length=(0.12, 0.32))
    widths = np.repeat([_ARTERY_WIDTH, _VEIN_WIDTH], 4)
    return [
        _level(twigs, 0.18 * widths, of_trunk[of_branch], pieces=1),
        _level(branches, 0.45 * widths, of_trunk, pieces=2),
        _level(trunks, widths, np.arange(8), pieces=3),
    ]


def _trunks(rng: np.random.Generator, anatomy: Anatomy) -> Curves:
    """Four arteries, then four veins: superior and inferior, each temporal and nasal."""
    along, fovea, disc = anatomy.nasal, anatomy.fovea, anatomy.disc
    temporal = np.array([(-0.05, 0.52), (0.0, 0.80), (-0.95, 0.22)])
    nasal = np.array([(0.02, 0.25), (0.16, 0.50), (0.30, 0.95)])
    origins = np.stack([disc, fovea, fovea])
    corners = []
    for up in (-1, 1):
        corners.append([disc, *(origins + temporal * (along, up))])
        corners.append([disc, *(disc + nasal * (along, up))])
    jitter = rng.normal(0, 0.055, (8, 4, 2))
    jitter[:, 0] *= 0.25
    return wiggle(rng, bezier(np.asarray(corners * 2) + jitter), 0.016)


def _level(
    curves: Curves, trunk_widths: Widths, trunk: Int[np.ndarray, " n"], *, pieces: int
) -> Level:
    """Cuts each curve into joined pieces whose widths fall to half.

    ``trunk`` is the parent of each.
    """
    step = (POINTS - 1) // pieces
    cut = [curves[:, i * step : (i + 1) * step + 1] for i in range(pieces)]
    taper = np.linspace(1, 0.5, pieces)[:, None]
    return Level(
        np.concatenate(cut), (taper * trunk_widths[trunk]).ravel(), np.tile(trunk >= 4, pieces)
    )
