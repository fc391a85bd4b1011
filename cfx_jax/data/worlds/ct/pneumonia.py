"""A chest without and with ground-glass opacities."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.chest_anatomy import sample_trunk
from cfx_jax.data.worlds.ct.chest_lookalikes import (
    add_chest_lookalikes,
    sample_chest_lookalikes,
)
from cfx_jax.data.worlds.ct.chest_slices import chest_stack
from cfx_jax.data.worlds.ct.ground_glass import (
    glass_cover,
    sample_ground_glass,
    with_ground_glass,
)
from cfx_jax.data.worlds.ct.scene import (
    ANATOMY,
    BORDER,
    COUNTS,
    FINDING,
    LOOKALIKES,
    PARTS,
    Scene,
    Streams,
    numbers_of,
)
from cfx_jax.data.worlds.ct.stack import LEAST_COVER


def pneumonia_scene(
    streams: Streams, size: int, levels: Float[np.ndarray, " s"], *, finding: int, severity: float
) -> Scene:
    """Draws a chest and the opacities of its diseased member.

    Args:
        streams: the sources of randomness.
        size: side of the picture in pixels.
        levels: the levels of the slices.
        finding: the grade, 1 to 4.
        severity: factor on the opacities' density.
    """
    trunk = sample_trunk(streams(ANATOMY))
    frame = trunk.frame(size)
    plain = chest_stack(streams(PARTS), trunk, frame, levels)
    counts = sample_chest_lookalikes(streams(COUNTS))
    healthy = add_chest_lookalikes(streams(LOOKALIKES), plain, counts, trunk, frame, levels)
    glass = sample_ground_glass(streams(FINDING), grade=finding, severity=severity)
    cover = glass_cover(streams(BORDER), glass, plain, trunk, frame, levels)
    return Scene(
        frame=frame,
        healthy=healthy,
        diseased=with_ground_glass(healthy, plain.organ, glass, cover),
        lesion=plain.holds_organ & (cover > LEAST_COVER),
        of_finding={"grade": finding},
        given={"lung_mask": plain.holds_organ},
        factors={**numbers_of(trunk), **numbers_of(counts), **numbers_of(glass, "glass_")},
    )
