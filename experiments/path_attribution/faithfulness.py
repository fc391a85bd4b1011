"""Table 2 and Figure 2: what the classifier says while the regions of an image are overwritten by
those of an image of the other class, in the order that each map gives them.

The overwriting image comes from the independent adversary; the same for all methods. Most relevant
first gives the AOPC (Samek et al. 2017) and the degradation, least relevant first the preservation;
the relevance score R joins the last two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from cfx_jax.attributions import random_map
from cfx_jax.metrics import (
    Interval,
    area_over_perturbation_curve,
    area_under_perturbation_curve,
    bootstrap_interval,
    overwrite_with,
    perturbation_curve,
    relevance_score,
)
from cfx_jax.objectives import Classifier, class_score
from cfx_jax.parallel import map_examples
from experiments.path_attribution.config import FaithfulnessConfig
from experiments.path_attribution.published import GROUPS, RANDOM
from experiments.shared.image_set import PATIENTS

_RESAMPLES = 500  # a score of a group is no mean, and takes its time
_AT_ONCE = 32  # steps of one image that are classified at once


class Sweep(NamedTuple):
    """The probability of the explained class while regions are replaced, (n, steps); the first of
    the image itself.

    Attributes:
        degraded: most relevant regions first.
        preserved: least relevant regions first.
    """

    degraded: Float[np.ndarray, "n steps"]
    preserved: Float[np.ndarray, "n steps"]

    @property
    def areas(self) -> Float[np.ndarray, "n 2"]:
        """Degradation and preservation of each image, each in [0, 1], higher is better."""
        return np.stack(
            [
                1 - area_under_perturbation_curve(self.degraded),
                area_under_perturbation_curve(self.preserved),
            ],
            axis=1,
        )


class NotMeasured(NamedTuple):
    """Why there are no sweeps.

    Attributes:
        reason: one or more sentences for a reader of the report.
    """

    reason: str


class Faithfulness(NamedTuple):
    """The sweeps of every method.

    Attributes:
        predicted: the classifier's decision on each image, which is the class explained, (n,).
        sweeps: by method; "Random" is the mean of several random maps.
        regions: how many regions are replaced after each step, (steps,).
        groups: images that are drawn together, of one patient or of one picture; or None.
        turned: share of the balanced subset whose decision the adversary turns over.
        group_unit: what the groups are, in words.
    """

    predicted: Int[np.ndarray, " n"]
    sweeps: Mapping[str, Sweep]
    regions: Int[np.ndarray, " steps"]
    groups: np.ndarray | None = None
    turned: float = 1.0
    group_unit: str = PATIENTS

    def group(self, name: str) -> Bool[np.ndarray, " n"]:
        """The images of one group of Table 2: "ALL", or "0" or "1" for the predicted class."""
        return (
            np.full(len(self.predicted), True) if name == GROUPS[0] else self.predicted == int(name)
        )

    def relevance(self, method: str, group: str) -> Interval | None:
        """R of one method and group, with its bootstrap interval; None for fewer than two images."""
        return self._interval(group, self.sweeps[method].areas, _relevance, bounds=(0.0, 1.0))

    def relevance_margin(
        self, first: str, others: Sequence[str], group: str, *, sign: int = 1
    ) -> Interval | None:
        """The least of ``sign`` times R of one method less R of each of some others, on the same
        images.

        With sign 1 it is above 0 where the one method is the best of all, with -1 where it is the
        worst. None for fewer than two images.
        """
        areas = np.stack([self.sweeps[each].areas for each in (first, *others)], axis=1)

        def least(drawn: Float[np.ndarray, "m k 2"]) -> float:
            scores = np.array([_relevance(each) for each in np.moveaxis(drawn, 1, 0)])
            return float((sign * (scores[0] - scores[1:])).min())

        return self._interval(group, areas, least)

    def above_random(self, method: str) -> Float[np.ndarray, "n steps"]:
        """The AOPC up to each step, less that of random maps."""
        return self.aopc(method) - self.aopc(RANDOM)

    def aopc(self, method: str) -> Float[np.ndarray, "n steps"]:
        """The AOPC up to each step."""
        return area_over_perturbation_curve(self.sweeps[method].degraded)

    def step_of(self, regions: int) -> int:
        """The first step after which that many regions are replaced; the last where there are not
        so many.
        """
        return int(np.searchsorted(self.regions[:-1], regions))

    def _interval(
        self,
        group: str,
        values: np.ndarray,
        statistic: Callable[[np.ndarray], float],
        bounds: tuple[float, float] | None = None,
    ) -> Interval | None:
        chosen = self.group(group)
        groups = None if self.groups is None else self.groups[chosen]
        if len(np.unique(np.flatnonzero(chosen) if groups is None else groups)) < 2:
            return None
        return bootstrap_interval(
            values[chosen],
            statistic=statistic,
            groups=groups,
            bounds=bounds,
            num_resamples=_RESAMPLES,
        )


def sweep(
    settings: FaithfulnessConfig,
    classifier: Classifier,
    images: Float[np.ndarray, "n h w c"],
    others: Float[np.ndarray, "n h w c"],
    maps: Float[np.ndarray, "n h w"],
    predicted: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    progress: bool | str = False,
) -> Sweep:
    """Overwrites every image region by region, in both orders.

    Args:
        settings: side of the regions and how many go at once.
        classifier: one image -> two logits.
        images: in [0, 1].
        others: what they are overwritten with.
        maps: one relevance map for each.
        predicted: the class explained, 0 or 1.
        batch_size: images classified at once.
        progress: whether to show a bar; a text is its label.
    """
    curves = map_examples(
        _Curves(settings.region, settings.regions_per_step),
        classifier,
        (images, others, maps, predicted),
        batch_size=max(1, batch_size // _AT_ONCE),
        progress=progress,
    )
    return Sweep(*curves)


def random_sweep(
    settings: FaithfulnessConfig,
    classifier: Classifier,
    images: Float[np.ndarray, "n h w c"],
    others: Float[np.ndarray, "n h w c"],
    predicted: Int[np.ndarray, " n"],
    *,
    seed: int,
    batch_size: int,
) -> Sweep:
    """The mean sweep of several random maps of each image; arguments as ``sweep``."""
    found = []
    for key in jax.random.split(jax.random.key(seed), settings.num_random):
        keys = jax.random.split(key, len(images))
        maps = np.asarray(jax.vmap(random_map)(keys, jnp.asarray(images[..., :1])))[..., 0]
        found.append(
            sweep(settings, classifier, images, others, maps, predicted, batch_size=batch_size)
        )
    return Sweep(*np.mean(found, axis=0))


def regions_replaced(settings: FaithfulnessConfig, image_size: int) -> Int[np.ndarray, " steps"]:
    """How many regions are replaced after each step of the full sweep over a square image."""
    total = (-(-image_size // settings.region)) ** 2
    return np.minimum(
        np.arange(-(-total // settings.regions_per_step) + 1) * settings.regions_per_step, total
    )


def _relevance(areas: Float[np.ndarray, "n 2"]) -> float:
    return relevance_score(*areas.T)


@dataclass(frozen=True)
class _Curves:
    region: int
    regions_per_step: int

    def __call__(
        self, classifier: Classifier, example: tuple[Array, Array, Array, Array]
    ) -> tuple[Float[Array, " steps"], Float[Array, " steps"]]:
        image, other, relevance, predicted = example
        probability, replace = (
            class_score(classifier, predicted, of="probability"),
            overwrite_with(other),
        )
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
