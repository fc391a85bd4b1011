"""Counterfactuals of test images towards both classes: those that the figures show and the claims are about."""

import itertools
from typing import NamedTuple

import numpy as np

from cfx_jax.counterfactuals import Counterfactual
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluations
from experiments.fundus_vce.search import Search, part_of
from experiments.fundus_vce.train import NAMES
from experiments.image_set import ImageSet


class Studied(NamedTuple):
    """Test images and their counterfactuals.

    Attributes:
        images: the first of each class, by the order of the shuffled test set alone, and the first of the finding that the
            ensemble misses, if there is one.
        probability: ``{classifier: (n, k)}`` of each class at the originals.
        vce: ``{(classifier, p, target): Counterfactual}``, arrays with leading axis n.
        sweep: ``{(radius, target): Counterfactual}`` of the ensemble in the last norm.
    """

    images: ImageSet
    probability: dict[str, np.ndarray]
    vce: dict[tuple[str, float, int], Counterfactual]
    sweep: dict[tuple[float, int], Counterfactual]

    def predicted(self, name: str) -> np.ndarray:
        """The class that a classifier gives each original (n,)."""
        return self.probability[name].argmax(axis=1)


def explain(config: Config, data: Data, evaluations: Evaluations, search: Search) -> Studied:
    """Finds the counterfactuals of the studied images, for every classifier, norm and target."""
    settings = config.explanations
    positions = _studied(data, evaluations, settings.num_studied)
    images = data.test.take(positions)
    targets = range(len(data.class_names))
    vce = {}
    for name, (p, radius) in itertools.product(NAMES, zip(settings.norms, settings.radii, strict=True)):
        found = _towards_all(search, images, targets, name, p, (radius,))
        vce.update({(name, p, target): each for (_, target), each in found.items()})
    return Studied(
        images,
        {name: evaluations["test", name].probability[positions] for name in NAMES},
        vce,
        _towards_all(search, images, targets, "ensemble", settings.norms[-1], settings.sweep),
    )


def _towards_all(
    search: Search, images: ImageSet, targets: range, name: str, p: float, radii: tuple[float, ...]
) -> dict[tuple[float, int], Counterfactual]:
    """Counterfactuals of every image for every radius and target, as one list of examples."""
    keys = list(itertools.product(radii, targets))
    everyone = np.arange(len(images))
    found = search.find(
        "studied",
        images,
        np.tile(everyone, len(keys)),
        np.repeat([target for _, target in keys], len(images)),
        classifier=name,
        p=p,
        radii=np.repeat([radius for radius, _ in keys], len(images)),
    )
    return {key: part_of(found, number * len(images) + everyone) for number, key in enumerate(keys)}


def _studied(data: Data, evaluations: Evaluations, count: int) -> np.ndarray:
    ensemble = evaluations["test", "ensemble"]
    first = [np.flatnonzero(ensemble.label == label)[:count] for label in np.unique(ensemble.label)]
    missed = np.flatnonzero((ensemble.label == data.finding) & ~ensemble.correct)[:1]
    chosen = np.concatenate(first)
    return np.concatenate([chosen, np.setdiff1d(missed, chosen)])
