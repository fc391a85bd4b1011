"""The body that a scan is made from, without and with its finding, before it is scanned."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.data.worlds.drawing import Frame

Streams = Callable[[int], np.random.Generator]  # the random numbers of each aspect, by its number
ANATOMY, PARTS, FINDING, OTHER_SIDE, BORDER, OTHER_BORDER, COUNTS, LOOKALIKES = range(1, 9)


class Scene(NamedTuple):
    """One body without and with its finding.

    Attributes:
        frame: where it lies in the picture.
        healthy: brightness without the finding.
        diseased: the same body with the finding.
        lesion: the voxels of the finding.
        of_finding: fields that an item has with the finding; without it, they are 0.
        given: fields that do not depend on the finding.
        factors: the generative factors by name.
    """

    frame: Frame
    healthy: Float[np.ndarray, "s h w"]
    diseased: Float[np.ndarray, "s h w"]
    lesion: Bool[np.ndarray, "s h w"]
    of_finding: dict[str, Any]
    given: dict[str, Any]
    factors: dict[str, float]


def numbers_of(parts: NamedTuple, prefix: str = "") -> dict[str, float]:
    """The fields of a NamedTuple that are single numbers."""
    fields = parts._asdict().items()
    return {
        f"{prefix}{name}": float(value)
        for name, value in fields
        if isinstance(value, (int, float, np.number))
    }
