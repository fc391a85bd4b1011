"""A head without and with one infarct, or one on each side."""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.ct.head_anatomy import sample_head
from cfx_jax.data.worlds.ct.head_lookalikes import (
    add_head_lookalikes,
    sample_head_lookalikes,
)
from cfx_jax.data.worlds.ct.head_slices import head_stack, sample_furrows
from cfx_jax.data.worlds.ct.infarcts import (
    Infarct,
    infarct_cover,
    sample_infarct,
    with_infarct,
)
from cfx_jax.data.worlds.ct.scene import (
    ANATOMY,
    BORDER,
    COUNTS,
    FINDING,
    LOOKALIKES,
    OTHER_BORDER,
    OTHER_SIDE,
    PARTS,
    Scene,
    Streams,
    numbers_of,
)
from cfx_jax.data.worlds.ct.stack import LEAST_COVER
from cfx_jax.data.worlds.ct.territories import territory_mask

SIDES = ("none", "left", "right", "both")


def stroke_scene(
    streams: Streams, size: int, levels: Float[np.ndarray, " s"], *, finding: int, severity: float
) -> Scene:
    """Draws a head and the infarcts of its diseased member.

    Args:
        streams: the sources of randomness.
        size: side of the picture in pixels.
        levels: the levels of the slices.
        finding: the side of the infarct, a place in ``SIDES`` from 1.
        severity: factor on how much darker infarcts are.
    """
    head = sample_head(streams(ANATOMY))
    frame = head.frame(size)
    plain = head_stack(head, sample_furrows(streams(PARTS)), frame, levels)
    counts = sample_head_lookalikes(streams(COUNTS))
    healthy = add_head_lookalikes(streams(LOOKALIKES), plain, counts, head, frame, levels)
    territories = territory_mask(head, frame, levels)
    diseased, cover = healthy, np.zeros_like(healthy)
    infarcts = _infarcts(streams, finding, severity)
    for infarct, border in zip(infarcts, (BORDER, OTHER_BORDER), strict=False):
        infarcted = infarct_cover(streams(border), infarct, head, territories, frame, levels)
        diseased = with_infarct(diseased, plain.organ, infarct, infarcted)
        cover = np.maximum(cover, infarcted)
    largest = max(infarcts, key=lambda infarct: infarct.size)
    return Scene(
        frame=frame,
        healthy=healthy,
        diseased=diseased,
        lesion=plain.holds_organ & (cover > LEAST_COVER),
        of_finding={
            "side": finding,
            "infarct_size": largest.size,
            "territory": largest.territory,
            "region_mask": np.isin(territories, [infarct.territory for infarct in infarcts]),
        },
        given={"territory_mask": territories},
        factors={**numbers_of(head), **numbers_of(counts), **numbers_of(largest, "infarct_")},
    )


def _infarcts(streams: Streams, finding: int, severity: float) -> list[Infarct]:
    """One infarct, or one on the left and one on the right."""
    one, other = streams(FINDING), streams(OTHER_SIDE)
    infarcts = [sample_infarct(one, right=SIDES[finding] == "right", severity=severity)]
    return infarcts + [sample_infarct(other, right=True, severity=severity)] * (
        SIDES[finding] == "both"
    )
