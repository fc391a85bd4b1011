"""A data set and a model on which a training takes a second.

Class 1 differs from class 0 by a strong pattern that lies about the class of every eighth image,
and by a weak one, of length 0.4, that never lies. A plain classifier uses both; one that must
withstand changes of length 0.4 cannot use the weak one.
"""

from dataclasses import fields, replace
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx

from cfx_jax.data import ArraySource
from trainers import RunSettings, TrainerConfig, with_run

C = TypeVar("C", bound=TrainerConfig)

RADIUS = 0.4
OPTIONS = {
    "eval_batch_size": 64,
    "batch_size": 32,
    "log_every": 10,
    "checkpoint_every": 20,
    "evaluate_every": 20,
}


def with_options(config: C, **options: Any) -> C:
    """A configuration with other settings by name, those of its run among them."""
    names = {field.name for field in fields(RunSettings)} & options.keys()
    of_run = {name: options.pop(name) for name in names}
    return replace(with_run(config, **of_run), **options)


class Net(nnx.Module):
    """Two layers with batch normalisation, and dropout where asked for."""

    def __init__(self, *, rngs: nnx.Rngs, dropout: float = 0.0) -> None:
        self.hidden = nnx.Linear(64, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.head = nnx.Linear(16, 2, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = 4 * (images.reshape(len(images), -1) - 0.5)
        return self.head(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


def net(rngs: nnx.Rngs) -> Net:
    return Net(rngs=rngs)


def images_and_labels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=count).astype(np.int32)
    strong, weak = np.zeros((8, 8)), np.indices((8, 8)).sum(axis=0) % 2 * 2.0 - 1
    strong[:, :4], strong[:, 4:] = 1, -1
    lies = rng.random(count) < 0.125
    signs, said = 2.0 * labels - 1, np.where(lies, 1 - 2.0 * labels, 2.0 * labels - 1)
    patterns = 0.2 * said[:, None, None] * strong + 0.025 * signs[:, None, None] * weak
    noise = 0.02 * rng.normal(size=(count, 8, 8))
    return np.clip(0.5 + patterns + noise, 0, 1).astype(np.float32)[..., None], labels


def source(count: int = 256) -> ArraySource:
    return ArraySource(*images_and_labels(count, seed=0), ("healthy", "ill"))


def validation(count: int = 128) -> dict[str, Any]:
    images, labels = images_and_labels(count, seed=1)
    return {"image": images, "label": labels}


def batch(count: int = 32) -> dict[str, Any]:
    images, labels = images_and_labels(count, seed=2)
    return {"image": images, "label": labels}


def bits(tree: Any) -> list[bytes]:
    """Every leaf's bytes, PRNG keys included."""
    leaves = jax.tree.leaves(tree)
    is_key = [jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    return [
        np.asarray(jax.random.key_data(x) if key else x).tobytes()
        for x, key in zip(leaves, is_key, strict=True)
    ]
