"""The ventricles, which are filled with fluid: a pair of lateral ones, and the third.

The lateral ones vanish towards the top of the head.
"""

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.brain.anatomy import TOP_OF_VENTRICLES, Anatomy
from cfx_jax.data.worlds.brain.skull import FLUID
from cfx_jax.data.worlds.drawing import Frame, outline_cover, smooth_outline, soften

TRIGONE = np.array([0.15, 0.25])  # where the right ventricle is widest and holds the choroid plexus
_INNER = [(0.025, 0.02), (0.02, -0.14), (0.03, -0.30)]
_OUTER = [(0.10, -0.40), (0.15, -0.32), (0.09, -0.12), (0.07, 0.04), (0.17, 0.16), (0.24, 0.32)]
_HORN = [(0.20, 0.42), (0.12, 0.30), (0.05, 0.14)]
_LATERAL = smooth_outline(np.array(_INNER + _OUTER + _HORN))
_THIRD = np.array([(-0.014, 0.02), (0.014, 0.02), (0.014, 0.20), (-0.014, 0.20)])


def ventricle_size(anatomy: Anatomy) -> float:
    """Factor on the ventricles' width; 0 where the slice shows none."""
    shown = max(0.0, 1 - anatomy.level / TOP_OF_VENTRICLES)
    return float(np.sqrt(shown) * (0.75 + 0.9 * anatomy.atrophy))


def add_ventricles(
    image: Float[np.ndarray, "h w"], anatomy: Anatomy, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """Lays the ventricles into a brain."""
    size = ventricle_size(anatomy)
    if not size:
        return image
    outline = _LATERAL * (size, 0.7 + 0.3 * size)
    outlines = [anatomy.place(outline), anatomy.place(outline * (-1, 1))]
    if anatomy.level < 0.4 * TOP_OF_VENTRICLES:
        outlines.append(anatomy.place(_THIRD * (size, 1)))
    return image + soften(outline_cover(frame, *outlines), frame, 0.006) * (FLUID - image)
