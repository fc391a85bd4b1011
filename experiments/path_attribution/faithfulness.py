"""Table 2 and Figure 2: do maps name what the classifier uses?

The regions of an image are overwritten by the regions of an image of the other class, in the order
of a map's values. The classifier decides after each step. The overwriting image comes from the
independent adversary, the same for all methods. Most relevant first gives the AOPC (Samek et al.
2017) and the degradation, least relevant first the preservation; the relevance score R joins the
last two.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import (
    Interval,
    area_over_perturbation_curve,
    bootstrap_interval,
    relevance_score,
)
from experiments.charachon_shared import RANDOM, Groups, Setup
from experiments.path_attribution.explained_images import Explained
from experiments.path_attribution.generators import find_turned
from experiments.path_attribution.overwriting import Overwriting, Sweep, regions_replaced
from experiments.path_attribution.published import GROUPS

_RESAMPLES = 500  # a score of a group is no mean, and takes its time


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
        sweeps: the sweeps of each method; "Random" is the mean of several random maps.
        regions: how many regions are replaced after each step, (steps,).
        groups: images that are drawn together.
        turned: share of the balanced subset whose decision the adversary turns over.
    """

    predicted: Int[np.ndarray, " n"]
    sweeps: Mapping[str, Sweep]
    regions: Int[np.ndarray, " steps"]
    groups: Groups = Groups()
    turned: float = 1.0

    def group(self, name: str) -> Bool[np.ndarray, " n"]:
        """The images of one group of Table 2: "ALL", or "0" or "1" for the predicted class."""
        return (
            np.full(len(self.predicted), True) if name == GROUPS[0] else self.predicted == int(name)
        )

    def relevance(self, method: str, group: str) -> Interval | None:
        """R of one method and group with its bootstrap interval; None for fewer than two images."""
        return self._interval(group, self.sweeps[method].areas, _relevance, bounds=(0.0, 1.0))

    def relevance_margin(
        self, first: str, others: Sequence[str], group: str, *, sign: int = 1
    ) -> Interval | None:
        """The least lead in R of one method on several others, on the same images.

        A lead is ``sign`` times the difference. With sign 1 the least is above 0 where the one
        method is the best of all, with -1 where it is the worst. None for fewer than two images.
        """
        areas = np.stack([self.sweeps[method].areas for method in (first, *others)], axis=1)

        def least(drawn: Float[np.ndarray, "m k 2"]) -> float:
            scores = np.array([_relevance(of_method) for of_method in np.moveaxis(drawn, 1, 0)])
            return float((sign * (scores[0] - scores[1:])).min())

        return self._interval(group, areas, least)

    def above_random(self, method: str) -> Float[np.ndarray, "n steps"]:
        """The AOPC up to each step, less the AOPC of random maps."""
        return self.aopc(method) - self.aopc(RANDOM)

    def aopc(self, method: str) -> Float[np.ndarray, "n steps"]:
        """The AOPC up to each step."""
        return area_over_perturbation_curve(self.sweeps[method].degraded)

    def step_of(self, regions: int) -> int:
        """The first step after which that many regions are replaced, or the last step."""
        return int(np.searchsorted(self.regions[:-1], regions))

    def _interval(
        self,
        group: str,
        values: np.ndarray,
        statistic: Callable[[np.ndarray], float],
        bounds: tuple[float, float] | None = None,
    ) -> Interval | None:
        chosen = self.group(group)
        groups = self.groups.of(chosen).names
        if len(np.unique(np.flatnonzero(chosen) if groups is None else groups)) < 2:
            return None
        return bootstrap_interval(
            values[chosen],
            statistic=statistic,
            groups=groups,
            bounds=bounds,
            num_resamples=_RESAMPLES,
        )


def measure_faithfulness(
    setup: Setup[Any],
    explained: Explained,
    others: Float[np.ndarray, "n h w c"],
    maps: Mapping[str, Float[np.ndarray, "n h w"]],
) -> Faithfulness | NotMeasured:
    """Overwrites the images of the balanced subset in the order of every method's map.

    Args:
        setup: the classifier, and the workspace, which keeps the curves.
        explained: the images; those whose decision the adversary does not turn over are left out,
            as configured.
        others: the adversary of each explained image.
        maps: the map of each explained image, by method.

    Returns:
        The sweeps, or why there are none: an adversary that turns over too few images.
    """
    config, _, network, workspace = setup
    settings, batch_size, rows = config.faithfulness, config.batch_size, explained.perturbed
    predicted = explained.predicted[rows]
    turned = find_turned(settings, network.classifier, others[rows], predicted, batch_size)
    if turned.too_few:
        return NotMeasured(turned.too_few)
    rows, predicted = rows[turned.kept], predicted[turned.kept]
    images = explained.images.take(rows)
    overwriting = Overwriting(
        settings,
        network.classifier,
        explained.images.arrays["image"][rows],
        others[rows],
        predicted,
        batch_size,
    )
    shared = [settings, network.identity, images.identity, overwriting.others]

    def keep(name: str, depends: object, compute: Callable[[], Sweep]) -> Sweep:
        identity = [*shared, depends]
        return Sweep(**workspace.cached(f"sweep {name}", identity, lambda: compute()._asdict()))

    randomly = partial(overwriting.sweep_randomly, config.seed)
    sweeps = {RANDOM: keep(RANDOM, config.seed, randomly)}
    for name, values in maps.items():
        by_map = partial(overwriting.sweep, values[rows], progress=name)
        sweeps[name] = keep(name, values[rows], by_map)
    return Faithfulness(
        predicted,
        sweeps,
        regions_replaced(settings, images.shape[0]),
        explained.groups.of(rows),
        turned.share,
    )


def _relevance(areas: Float[np.ndarray, "n 2"]) -> float:
    return relevance_score(*areas.T)
