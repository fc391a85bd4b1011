"""Images, a classifier and networks on which a training by progressive exaggeration takes seconds.

What decides is how much brighter the left half is than the right one, in every degree, so that all
bins have images.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from toy_training import with_options

from cfx_jax.data import ArraySource
from cfx_jax.models.generators.layers import SpectralLinear
from trainers import Inputs
from trainers.progressive import Config, Networks

NUM_BINS = 4
PATTERN = np.sign(3.5 - np.arange(8))[None, :, None].astype(np.float32)


def classifier(image: jax.Array) -> jax.Array:
    """Log-odds 10 times the mean of left minus right."""
    score = 5 * (PATTERN * image).mean()
    return jnp.stack([-score, score])


def images_of(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    degree, noise = rng.uniform(-1, 1, (count, 1, 1, 1)), rng.normal(size=(count, 8, 8, 1))
    return np.clip(0.5 + 0.3 * degree * PATTERN + 0.05 * noise, 0, 1).astype(np.float32)


def bins_of(images: np.ndarray) -> np.ndarray:
    """By NumPy, from the definition."""
    odds = 10 * (PATTERN * images).mean(axis=(1, 2, 3))
    return np.minimum((NUM_BINS / (1 + np.exp(-odds))).astype(np.int32), NUM_BINS - 1)


def batch_of(count: int, seed: int) -> dict[str, np.ndarray]:
    images = images_of(count, seed)
    return {"image": images, "label": bins_of(images)}


def data(count: int = 64) -> ArraySource:
    return ArraySource(images_of(count, 0), np.zeros(count, np.int32), ("healthy", "ill"))


class Drawing(nnx.Module):
    """Takes a direction out of the image, scales it as a batch norm does, and adds an image for
    each bin.
    """

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.num_bins = NUM_BINS
        self.direction = nnx.Param(0.05 * jax.random.normal(rngs.params(), (8, 8, 1)))
        self.shifts = nnx.Param(0.01 * jax.random.normal(rngs.params(), (NUM_BINS, 8, 8, 1)))
        self.norm = nnx.BatchNorm(
            1, momentum=0.8, scale_init=nnx.initializers.constant(0.2), rngs=rngs
        )

    def encode(self, images: jax.Array, bins: jax.Array) -> jax.Array:
        del bins
        centred = images - 0.5
        direction = self.direction[...]
        return centred - direction * (direction * centred).sum(axis=(1, 2, 3), keepdims=True)

    def decode(self, latent: jax.Array, bins: jax.Array) -> jax.Array:
        return 0.5 + self.norm(latent) + self.shifts[...][bins]


class Linear(nnx.Module):
    """A weighted sum of pixels, of spectral norm 1, and a number for each bin."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.head = SpectralLinear(64, 1, rngs=rngs)
        self.of_bin = nnx.Param(0.01 * jax.random.normal(rngs.params(), (NUM_BINS,)))

    def __call__(self, images: jax.Array, bins: jax.Array) -> jax.Array:
        return self.head(images.reshape(len(images), -1))[:, 0] + self.of_bin[...][bins]


def linear(rngs: nnx.Rngs) -> Networks:
    return Networks(Drawing(rngs), Linear(rngs))


INPUTS = Inputs(classifier=classifier, model=linear)


def small(num_steps: int, **options: Any) -> Config:
    given = {
        "in_channels": 1,
        "num_bins": NUM_BINS,
        "filters": (4, 6),
        "discriminator_filters": (4,),
        "critic_steps": 2,
        "batch_size": 8,
        "eval_batch_size": 16,
        "log_every": 10,
        "evaluate_every": 4,
        "checkpoint_every": 3,
        "learning_rate": 1e-2,
        "num_steps": num_steps,
    }
    return with_options(Config(), **{**given, **options})
