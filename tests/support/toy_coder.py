"""A linear autoencoder of slices of 4 x 4 pixels, and a logistic classifier of their mean.

Both are in JAX, and in NumPy as on paper.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

LATENT, PIXELS, STEEPNESS = 6, 16, 8.0
_RANDOM = np.random.default_rng(3)
BASIS = np.asarray(_RANDOM.normal(size=(LATENT, PIXELS)) / 4, np.float32)
INVERSE = np.asarray(np.linalg.pinv(BASIS), np.float32)
WEIGHTS = np.asarray(_RANDOM.normal(size=PIXELS), np.float32)


class ToyCoder(NamedTuple):
    encode: Callable
    decode: Callable


def encode(image):
    return (image.reshape(*image.shape[:-3], PIXELS) - 0.5) @ jnp.asarray(INVERSE, image.dtype)


def decode(latent):
    return (0.5 + latent @ jnp.asarray(BASIS, latent.dtype)).reshape(*latent.shape[:-1], 4, 4, 1)


CODER = ToyCoder(encode, decode)


def classifier(image):
    """Two logits of one image or one volume."""
    evidence = (
        STEEPNESS
        * (image.reshape(-1, PIXELS).mean(axis=0) - 0.5)
        @ jnp.asarray(WEIGHTS, image.dtype)
    )
    return jnp.stack([0 * evidence, evidence])


def target_probability(latent, target):
    """On paper, in float64: of what the decoder draws of a latent."""
    mean = np.asarray(latent, np.float64).reshape(-1, LATENT).mean(axis=0)
    evidence = STEEPNESS * (mean @ BASIS.astype(np.float64)) @ WEIGHTS.astype(np.float64)
    return np.exp(-np.logaddexp(0, evidence if target == 0 else -evidence))


def slope_of_cross_entropy(latent, target):
    """On paper: the derivative of ``-log p(target)`` by every entry of the latent."""
    num_slices = np.size(latent) // LATENT
    slope = STEEPNESS * BASIS.astype(np.float64) @ WEIGHTS.astype(np.float64) / num_slices
    sign = -1 if target == 1 else 1
    slopes = sign * (1 - target_probability(latent, target)) * slope
    return np.broadcast_to(slopes, np.shape(latent))


def volumes(count, *, num_slices=3, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, num_slices, 4, 4, 1)).astype(np.float32)
