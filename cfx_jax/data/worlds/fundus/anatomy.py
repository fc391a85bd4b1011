"""The healthy eye: field of view, side, fovea, optic disc, pigment and illumination.

Proportions follow a 45-degree photograph centred near the fovea: the optic disc's centre lies about
15 degrees to the nasal side, a little above, and measures about 6 degrees across, so 0.6 and 0.13
of the field's radius.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, smooth_noise, unit_grid


class Anatomy(NamedTuple):
    """One eye, in unit coordinates (1 = radius of the field of view).

    Attributes:
        centre: the centre of the field of view, as a share of the picture's side.
        radius: the radius of the field of view, as a share of the picture's side.
        nasal: +1 where the nose is to the right (a right eye as photographed), -1 for a left eye.
        fovea: (x, y).
        disc: (x, y) of the optic disc.
        disc_radius: half its height.
        cup: the bright cup's share of the disc's radius.
        colour: red, green and blue of the retina at the centre.
        tilt: illumination gradient (x, y).
        fall_off: loss of light at the rim, as a share.
        macula: darkening at the fovea, as a share.
    """

    centre: tuple[float, float]
    radius: float
    nasal: int
    fovea: Float[np.ndarray, "2"]
    disc: Float[np.ndarray, "2"]
    disc_radius: float
    cup: float
    colour: Float[np.ndarray, "3"]
    tilt: Float[np.ndarray, "2"]
    fall_off: float
    macula: float

    def frame(self, size: int) -> Frame:
        """The frame of a picture of the given side."""
        return Frame(size, self.centre, self.radius)


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draws the anatomy of one eye."""
    nasal = 1 if rng.random() < 0.5 else -1
    fovea = np.array([-0.05 * nasal, 0.03], np.float32) + 0.03 * rng.standard_normal(2, np.float32)
    disc = fovea + np.array([nasal * rng.uniform(0.56, 0.66), rng.normal(-0.06, 0.04)], np.float32)
    pigment, redness = rng.uniform(0, 1), rng.normal(0, 1)
    colour = np.array([0.86, 0.47, 0.25]) * (1 - pigment * np.array([0.26, 0.40, 0.45]))
    return Anatomy(
        centre=(0.5 + rng.normal(0, 0.004), 0.5 + rng.normal(0, 0.004)),
        radius=rng.uniform(0.46, 0.49),
        nasal=nasal,
        fovea=fovea,
        disc=disc,
        disc_radius=rng.uniform(0.115, 0.145),
        cup=rng.uniform(0.3, 0.6),
        colour=(colour * (1 + redness * np.array([0.03, -0.05, -0.06]))).astype(np.float32),
        tilt=0.07 * rng.standard_normal(2, np.float32),
        fall_off=rng.uniform(0.2, 0.42),
        macula=rng.uniform(0.2, 0.42),
    )


def eye_coverage(frame: Frame) -> Float[np.ndarray, "h w"]:
    """Share of each pixel inside the field of view, from the signed distance to its rim."""
    x, y = unit_grid(frame)
    inside = (1 - np.sqrt(x * x + y * y)) * (frame.radius * frame.size) + 0.5
    return np.clip(inside, 0, 1)


def ground(rng: np.random.Generator, anatomy: Anatomy, frame: Frame) -> Float[np.ndarray, "h w 3"]:
    """The retina without vessels: shaded ground, choroidal texture, macula and optic disc."""
    x, y = unit_grid(frame)
    light = (
        1 - anatomy.fall_off * (x * x + y * y) ** 1.5 + anatomy.tilt[0] * x + anatomy.tilt[1] * y
    )
    texture = 0.030 * smooth_noise(rng, frame.size, 7) + 0.022 * smooth_noise(rng, frame.size, 18)
    shade = (light + texture).astype(np.float32)
    macula = (
        _bump(frame, anatomy.fovea, 0.30) * anatomy.macula
        + _bump(frame, anatomy.fovea, 0.09) * 0.16
    )
    colour = anatomy.colour * np.stack(
        [shade * (1 - 0.55 * macula), shade * (1 - macula), shade * (1 - macula)], -1
    )
    return _add_disc(colour, anatomy, frame, shade)


def _add_disc(
    image: Float[np.ndarray, "h w 3"],
    anatomy: Anatomy,
    frame: Frame,
    shade: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w 3"]:
    """Lays the optic disc on the ground: a pale, soft-edged, upright ellipse, its cup brighter."""
    x, y = unit_grid(frame)
    distance = np.hypot((x - anatomy.disc[0]) / 0.88, y - anatomy.disc[1]) / anatomy.disc_radius
    softness = 0.10 + 0.5 / (frame.radius * frame.size * anatomy.disc_radius)
    rim = np.clip((1 - distance) / softness + 0.5, 0, 1)[..., None]
    cup = np.clip((anatomy.cup - distance) / 0.35 + 0.5, 0, 1)[..., None]
    brightness = np.sqrt(anatomy.colour[0] / 0.8)
    tone = (
        np.array([0.95, 0.72, 0.42], np.float32) * (1 - cup)
        + np.array([1.0, 0.90, 0.66], np.float32) * cup
    )
    glow = 0.12 * _bump(frame, anatomy.disc, 2.2 * anatomy.disc_radius)[..., None]
    image = image * (1 + glow)
    return image * (1 - 0.92 * rim) + tone * (
        0.92 * brightness * rim * np.clip(shade, 0.6, 1.1)[..., None]
    )


def _bump(frame: Frame, centre: Float[np.ndarray, "2"], width: float) -> Float[np.ndarray, "h w"]:
    """A Gaussian hill of height 1; ``width`` is its standard deviation in unit coordinates."""
    x, y = unit_grid(frame)
    scale = np.float32(-0.5 / width**2)
    column = np.exp((y - np.float32(centre[1])) ** 2 * scale)
    return column * np.exp((x - np.float32(centre[0])) ** 2 * scale)
