"""The classifier's answers while the regions of an image are overwritten, in a map's order."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.attributions import random_map
from cfx_jax.metrics import area_under_perturbation_curve, overwrite_with, perturbation_curve
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from experiments.path_attribution.config import FaithfulnessConfig

_AT_ONCE = 32  # steps of one image that are classified at once


class Sweep(NamedTuple):
    """The probability of the explained class while regions are replaced, (n, steps).

    The first value belongs to the image itself.

    Attributes:
        degraded: most relevant regions first.
        preserved: least relevant regions first.
    """

    degraded: Float[np.ndarray, "n steps"]
    preserved: Float[np.ndarray, "n steps"]

    @property
    def areas(self) -> Float[np.ndarray, "n 2"]:
        """Degradation and preservation of each image, each in [0, 1], higher is better."""
        below, above = map(area_under_perturbation_curve, (self.degraded, self.preserved))
        return np.stack([1 - below, above], axis=1)


class Overwriting(NamedTuple):
    """Images that are overwritten region by region, in a map's order and in the reverse order.

    Attributes:
        settings: side of the regions, how many go at once, how many random maps there are.
        classifier: one image -> two logits.
        images: the images, values in [0, 1].
        others: the images whose pixels overwrite them.
        predicted: the class explained, 0 or 1.
        batch_size: images classified at once.
    """

    settings: FaithfulnessConfig
    classifier: Classifier
    images: Float[np.ndarray, "n h w c"]
    others: Float[np.ndarray, "n h w c"]
    predicted: Int[np.ndarray, " n"]
    batch_size: int

    def sweep(self, maps: Float[np.ndarray, "n h w"], *, progress: bool | str = False) -> Sweep:
        """Overwrites every image in the order of its map; a text of ``progress`` labels a bar."""
        curves = map_examples(
            _Curves(self.settings.region, self.settings.regions_per_step),
            self.classifier,
            (self.images, self.others, maps, self.predicted),
            batch_size=max(1, self.batch_size // _AT_ONCE),
            progress=progress,
        )
        return Sweep(*curves)

    def sweep_randomly(self, seed: int) -> Sweep:
        """The mean sweep of several random maps of each image."""
        sweeps = []
        for key in jax.random.split(jax.random.key(seed), self.settings.num_random):
            keys = jax.random.split(key, len(self.images))
            maps = jax.vmap(random_map)(keys, jnp.asarray(self.images[..., :1]))
            sweeps.append(self.sweep(np.asarray(maps)[..., 0]))
        return Sweep(*np.mean(sweeps, axis=0))


def regions_replaced(settings: FaithfulnessConfig, image_size: int) -> Int[np.ndarray, " steps"]:
    """The number of regions replaced after each step of the full sweep over a square image."""
    total = (-(-image_size // settings.region)) ** 2
    return np.minimum(
        np.arange(-(-total // settings.regions_per_step) + 1) * settings.regions_per_step, total
    )


@dataclass(frozen=True)
class _Curves:
    region: int
    regions_per_step: int

    def __call__(
        self, classifier: Classifier, example: tuple[Array, Array, Array, Array]
    ) -> tuple[Float[Array, " steps"], Float[Array, " steps"]]:
        image, other, relevance, predicted = example
        probability = class_score(classifier, predicted, of="probability")
        replace = overwrite_with(other)
        degraded, preserved = (
            perturbation_curve(
                probability,
                image,
                relevance,
                replace,
                order=order,
                region=self.region,
                regions_per_step=self.regions_per_step,
                steps_per_batch=_AT_ONCE,
            )
            for order in ("most_relevant_first", "least_relevant_first")
        )
        return degraded, preserved
