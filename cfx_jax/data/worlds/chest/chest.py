"""The parts of a chest put together, as they weigh in the beam."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.chest.anatomy import Anatomy
from cfx_jax.data.worlds.chest.bones import bone_density
from cfx_jax.data.worlds.chest.distractors import Distractors, lung_shadows, overlays
from cfx_jax.data.worlds.chest.lungs import lung_cover
from cfx_jax.data.worlds.chest.mediastinum import airway_cover, mediastinal_cover
from cfx_jax.data.worlds.chest.soft_tissue import soft_tissue
from cfx_jax.data.worlds.chest.vessels import vessel_density
from cfx_jax.data.worlds.drawing import Frame

_AIR_IN_LUNG = 0.66  # share of the soft tissue's density that a lung takes away
_HEART = 0.12
_AIRWAY = 0.10
_BONE_BEHIND_TISSUE = 0.4  # how visible bones are outside the lungs


class Parts(NamedTuple):
    """The parts of a chest beside the heart and the great vessels.

    Attributes:
        tissue: density of the trunk.
        lung: share of each pixel that shows lung, also where the heart will hide it.
        in_lung: density that counts only where there is lung.
        bones: density of the bones.
        airway: share of each pixel that windpipe and bronchi make darker.
        overlays: density of what lies on the chest.
    """

    tissue: Float[np.ndarray, "h w"]
    lung: Float[np.ndarray, "h w"]
    in_lung: Float[np.ndarray, "h w"]
    bones: Float[np.ndarray, "h w"]
    airway: Float[np.ndarray, "h w"]
    overlays: Float[np.ndarray, "h w"]


class Chest(NamedTuple):
    """A chest without opacities: its density, and the share of each pixel that is open lung.

    Lung is open where nothing hides it.
    """

    density: Float[np.ndarray, "h w"]
    air: Float[np.ndarray, "h w"]


def sample_parts(
    counts: Distractors,
    anatomy: Anatomy,
    frame: Frame,
    *,
    bones: np.random.Generator,
    vessels: np.random.Generator,
    distractors: np.random.Generator,
) -> Parts:
    """Draws the parts of a chest.

    Args:
        counts: how many look-alikes there are.
        anatomy: the chest; fat beside the heart lies where this heart ends.
        frame: the picture's frame.
        bones, vessels, distractors: the sources of randomness of each kind of part.
    """
    return Parts(
        tissue=soft_tissue(anatomy, frame),
        lung=lung_cover(anatomy, frame),
        in_lung=vessel_density(vessels, anatomy, frame)
        + lung_shadows(distractors, counts, anatomy, frame),
        bones=bone_density(bones, anatomy, frame),
        airway=airway_cover(anatomy, frame),
        overlays=overlays(distractors, counts, anatomy, frame),
    )


def with_heart(parts: Parts, anatomy: Anatomy, frame: Frame) -> Chest:
    """The chest of these parts around a heart as wide as ``anatomy`` says."""
    hidden = mediastinal_cover(anatomy, frame)
    air = parts.lung * (1 - hidden)
    density = (
        parts.tissue * (1 - _AIR_IN_LUNG * air)
        + _HEART * hidden
        - _AIRWAY * parts.airway
        + air * parts.in_lung
        + parts.bones * (_BONE_BEHIND_TISSUE + (1 - _BONE_BEHIND_TISSUE) * air)
        + parts.overlays
    )
    return Chest(density.astype(np.float32), air)
