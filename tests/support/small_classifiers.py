"""Classifiers small enough to reason about, used by many tests.

All take one image (8, 8, 1) or (8, 8, 3).
"""

import jax
import jax.numpy as jnp
import numpy as np


def linear_classifier(image):
    """Two logits; class 1 rises with the left half of the image and falls with the right."""
    columns = jnp.linspace(1, -1, image.shape[1])[None, :, None]
    score = (columns * image).sum()
    return jnp.stack([-score, score])


def _weights(seed, *shape):
    return np.asarray(
        np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[:-1])), np.float32
    )


def convolutional_classifier(image):
    """Three logits of a net with one convolution and a smooth activation."""
    channels = image.shape[-1]
    features = jax.lax.conv_general_dilated(
        image[None] - 0.5,
        _weights(0, 3, 3, channels, 8).astype(image.dtype),
        (2, 2),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    hidden = jax.nn.gelu(4 * features).reshape(-1)
    return 4 * hidden @ _weights(1, hidden.size, 3).astype(image.dtype)


def images(count=5, *, size=8, channels=1, seed=0):
    return (
        np.random.default_rng(seed).uniform(size=(count, size, size, channels)).astype(np.float32)
    )
