"""The finding: a tumour as a T1-weighted slice with contrast agent shows it.

Most have a bright, irregular ring around a dark core of dead tissue; some are bright throughout,
some hardly take up the agent. What counts as tumour is the ring and all inside it, as in the
annotation of Charachon et al. (labels 2 and 3 of the Medical Segmentation Decathlon), 0.5 to 5 per
cent of the slice.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.brain.anatomy import Anatomy
from cfx_jax.data.worlds.brain.skull import brain_depth
from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_noise, soften

KINDS = ("ring", "solid", "faint")
_KIND_SHARES = (0.64, 0.22, 0.14)
_AREA, _AREA_SPREAD = 0.016, 0.50  # median share of the slice, deviation of its logarithm
_AREAS = (0.007, 0.045)
_MARGIN = 0.06  # least distance from the brain's surface, in head coordinates
_TURN = np.linspace(0, 2 * np.pi, 48, endpoint=False)
_WAVES = np.arange(2, 7)
_EDGE = 0.010


class Tumour(NamedTuple):
    """One tumour, with or without a core.

    Attributes:
        kind: index into ``KINDS``.
        area: share of the slice.
        outline: the outline of the whole tumour, in unit coordinates.
        core: outline of the part inside the ring.
        rim: brightness of the ring, or of the whole where there is no core.
        inside: brightness of the core.
        strength: opacity in (0, 1].
    """

    kind: int
    area: float
    outline: Float[np.ndarray, "points 2"]
    core: Float[np.ndarray, "points 2"]
    rim: float
    inside: float
    strength: float


def sample_tumour(rng: np.random.Generator, anatomy: Anatomy, *, severity: float) -> Tumour:
    """Draws one tumour somewhere in the brain.

    Below 1, ``severity`` is a factor on its opacity, above 1 on its contrast to grey matter.
    """
    kind = int(rng.choice(len(KINDS), p=_KIND_SHARES))
    area = float(np.clip(_AREA * np.exp(_AREA_SPREAD * rng.standard_normal()), *_AREAS))
    radius = np.sqrt(area / np.pi) / anatomy.radius
    centre = _sample_centre(rng, anatomy, radius)
    shape = _sample_shape(rng)
    ring = rng.uniform(0.26, 0.45) * (1 + 0.5 * np.sin(_TURN + rng.uniform(0, 2 * np.pi)))
    inner = shape * (1 - np.clip(ring, 0.15, 0.7))[:, None]
    rim, inside = _brightness(rng, kind)
    gain = max(severity, 1.0)
    return Tumour(
        kind=kind,
        area=area,
        outline=centre + radius * shape,
        core=centre + radius * inner,
        rim=min(1.0, 0.5 + gain * (rim - 0.5)),
        inside=max(0.0, 0.5 + gain * (inside - 0.5)),
        strength=min(severity, 1.0),
    )


def tumour_cover(tumour: Tumour, frame: Frame) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that the tumour covers, with its soft border."""
    return soften(outline_cover(frame, tumour.outline), frame, _EDGE)


def add_tumour(
    rng: np.random.Generator,
    image: Float[np.ndarray, "h w"],
    tumour: Tumour,
    cover: Float[np.ndarray, "h w"],
    frame: Frame,
) -> Float[np.ndarray, "h w"]:
    """Lays a tumour over the brain where it covers it, as :func:`tumour_cover` computes it."""
    core = soften(outline_cover(frame, tumour.core), frame, _EDGE)
    mottle = 0.05 * smooth_noise(rng, frame.size, 24)
    colour = tumour.rim + core * (tumour.inside - tumour.rim) + mottle
    return (image + tumour.strength * cover * (colour - image)).astype(np.float32)


def _sample_centre(
    rng: np.random.Generator, anatomy: Anatomy, radius: float
) -> Float[np.ndarray, "2"]:
    """A place at which the whole tumour lies inside the brain, in unit coordinates."""
    angle, share = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
    shrunk = radius / float(np.linalg.norm(anatomy.place(np.array([1.0, 0.0]))))
    return anatomy.place(
        share * anatomy.ring(brain_depth(anatomy) + _MARGIN + 1.25 * shrunk, np.array([angle]))[0]
    )


def _sample_shape(rng: np.random.Generator) -> Float[np.ndarray, "points 2"]:
    """An irregular closed outline around the origin, of the area of the unit disc."""
    amplitude = rng.normal(0, 0.22, len(_WAVES)) / _WAVES
    phase = rng.uniform(0, 2 * np.pi, len(_WAVES))
    radius = 1 + (amplitude * np.cos(_WAVES * _TURN[:, None] + phase)).sum(-1)
    outline = radius[:, None] * np.stack([np.cos(_TURN), np.sin(_TURN)], -1)
    x, y = outline.T
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
    return outline * np.sqrt(np.pi / area)


def _brightness(rng: np.random.Generator, kind: int) -> tuple[float, float]:
    """Brightness of rim and core."""
    if KINDS[kind] == "ring":
        return rng.uniform(0.78, 1.0), rng.uniform(0.12, 0.34)
    if KINDS[kind] == "solid":
        return rng.uniform(0.74, 0.96), rng.uniform(0.70, 0.92)
    return rng.uniform(0.58, 0.72), rng.uniform(0.20, 0.34)
