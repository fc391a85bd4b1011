"""How well a thresholded map meets the true region. Per image; aggregate with NumPy or ``bootstrap_interval``."""

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.errors import InputError


def intersection_over_union(
    predicted: Bool[np.ndarray, "*batch h w"], truth: Bool[np.ndarray, "*batch h w"]
) -> Float[np.ndarray, "*batch"]:
    """``|P and T| / |P or T|`` of each image (Boreiko et al. 2022, figure 1).

    Args:
        predicted: the thresholded maps.
        truth: the true regions.

    Returns:
        Values in [0, 1]; NaN where both are empty, for the ratio is undefined there.

    Raises:
        InputError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted, bool), np.asarray(truth, bool)
    if predicted.shape != truth.shape:
        raise InputError(f"predicted: expected the shape of truth {truth.shape}, got {predicted.shape}")
    intersection = (predicted & truth).sum(axis=(-2, -1))
    union = (predicted | truth).sum(axis=(-2, -1))
    return np.divide(intersection, union, out=np.full(intersection.shape, np.nan), where=union > 0)
