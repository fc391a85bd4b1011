"""Volumes, maps and networks on which a training of a classifier of volumes takes seconds.

A lesion is a dark patch on the left or the right of some slices, in noise. The saliency map of a
volume is what is dark in it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.data import ArraySource, SaliencySource
from cfx_jax.models import HalfBrainLogits

SIDES = ("none", "left", "right", "both")


def volumes_and_sides(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Volumes of 3 slices of 8 x 8 pixels; 0 none, 1 left, 2 right, 3 both."""
    rng = np.random.default_rng(seed)
    sides = np.arange(count) % 4
    volumes = 0.6 + 0.1 * rng.normal(size=(count, 3, 8, 8, 1))
    volumes[np.isin(sides, (1, 3)), 1:, 2:6, 5:7] -= (
        0.35  # columns run from the patient's right to the left
    )
    volumes[np.isin(sides, (2, 3)), 1:, 2:6, 1:3] -= 0.35
    return volumes.clip(0, 1).astype(np.float32), sides.astype(np.int32)


def maps_of(volumes: np.ndarray) -> np.ndarray:
    return np.maximum(0.5 - volumes, 0).astype(np.float32)


def validation(count: int = 24, *, sides: bool = False) -> dict[str, Any]:
    volumes, found = volumes_and_sides(count, 1)
    return {
        "image": volumes,
        "label": found if sides else (found > 0).astype(np.int32),
        "saliency": maps_of(volumes),
    }


def data(count: int = 48, *, sides: bool = False) -> SaliencySource:
    volumes, found = volumes_and_sides(count, 0)
    names = SIDES if sides else ("none", "lesion")
    labels = found if sides else (found > 0).astype(np.int32)
    return SaliencySource(ArraySource(volumes, labels, names), maps_of(volumes))


class Slices(nnx.Module):
    """Linear layer with batch norm on each slice, mean over slices, dropout, linear heads."""

    def __init__(self, rngs: nnx.Rngs, *, dropout: float = 0.0, sides: bool = False) -> None:
        self.hidden = nnx.Linear(64, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.head = nnx.Linear(8, 2, rngs=rngs)
        self.side = nnx.data(nnx.Linear(8, 3, rngs=rngs) if sides else None)

    def features(self, volumes: jax.Array) -> jax.Array:
        x = 4 * (volumes.reshape(*volumes.shape[:2], -1) - 0.5)
        return self.dropout(nnx.relu(self.norm(self.hidden(x))).mean(axis=1))

    def __call__(self, volumes: jax.Array) -> Any:
        x = self.features(volumes)
        return self.head(x) if self.side is None else HalfBrainLogits(self.head(x), self.side(x))


class Guided(Slices):
    """The same with features of the saliency map added, by weights that ``Slices`` has not."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        super().__init__(rngs)
        self.branch = nnx.Linear(64, 8, rngs=rngs)

    def __call__(self, volumes: jax.Array, saliency: jax.Array) -> jax.Array:  # type: ignore[override]
        maps = jnp.tanh(self.branch(saliency.mean(axis=1).reshape(len(saliency), -1)))
        return self.head(self.features(volumes) + maps)


def slices(rngs: nnx.Rngs) -> Slices:
    return Slices(rngs)


def dropping(rngs: nnx.Rngs) -> Slices:
    return Slices(rngs, dropout=0.3)


def two_headed(rngs: nnx.Rngs) -> Slices:
    return Slices(rngs, sides=True)


def guided(rngs: nnx.Rngs) -> Guided:
    return Guided(rngs)
