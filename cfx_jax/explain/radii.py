"""The radius of a counterfactual for images of any size."""

import math
from collections.abc import Sequence

import numpy as np

from cfx_jax.checks import check_norm
from cfx_jax.errors import InputError

_PUBLISHED = {1.5: 30.0, 2.0: 6.0, 4.0: 0.2}
"""Radii of Boreiko et al. 2022, section 3, for images of 224 x 224 x 3, by the norm."""
_PUBLISHED_SIZE = 224 * 224 * 3


def automatic_radius(shape: Sequence[int], p: float) -> float:
    """The published radius, scaled to another image and another norm.

    A change of the same strength at every entry of an image has a norm that grows with the number
    of entries ``d`` as ``d ** (1 / p)``. The published radii are changes of 0.011, 0.015 and 0.010
    at every entry for p = 1.5, 2 and 4. That strength is kept, and between these norms drawn as a
    line over ``1 / p``; beyond them it is that of the nearest.

    Args:
        shape: of the image, (h, w, c).
        p: the norm, at least 1 or inf.

    Returns:
        The radius, in the units of an image in [0, 1].

    Raises:
        InputError: p below 1.

    Example:
        >>> automatic_radius((224, 224, 3), 2.0)
        6.0
        >>> round(automatic_radius((64, 64, 1), 2.0), 2)
        0.99
    """
    check_norm(p)
    if np.ndim(shape) != 1 or np.asarray(shape).dtype.kind not in "iu":
        raise InputError(f"shape: expected whole numbers, as (h, w, c), got {shape!r}")
    inverse = [1 / norm for norm in sorted(_PUBLISHED, reverse=True)]
    strength = [
        _PUBLISHED[norm] / _PUBLISHED_SIZE ** (1 / norm)
        for norm in sorted(_PUBLISHED, reverse=True)
    ]
    share = 0.0 if math.isinf(p) else 1 / p
    return round(float(np.interp(share, inverse, strength)) * math.prod(shape) ** share, 12)
