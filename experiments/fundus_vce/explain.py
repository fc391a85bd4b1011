"""Counterfactuals of test images towards both classes: those that the figures show and the claims
are about.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from cfx_jax.counterfactuals import Counterfactual
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluation, Evaluations
from experiments.fundus_vce.search import Search, part_of
from experiments.fundus_vce.train import NAMES
from experiments.shared.image_set import ImageSet, decisions


class Studied(NamedTuple):
    """Test images and their counterfactuals.

    Attributes:
        images: the first of each class, by the order of the shuffled test set alone; after them,
            for figures of failures, the first of each class that the ensemble takes for another,
            where it is not among them.
        sample: how many of the images the first rule chose: those that claims are about.
        radii: the radius of each norm p.
        probability: ``{classifier: (n, k)}`` of each class at the originals.
        vce: ``{(classifier, p, target): Counterfactual}``, arrays with leading axis n.
        sweep: ``{(radius, target): Counterfactual}`` of the ensemble in the last norm.
    """

    images: ImageSet
    sample: int
    radii: dict[float, float]
    probability: dict[str, np.ndarray]
    vce: dict[tuple[str, float, int], Counterfactual]
    sweep: dict[tuple[float, int], Counterfactual]

    def predicted(self, name: str) -> np.ndarray:
        """The class that a classifier gives each original (n,)."""
        return decisions(self.probability[name])


def explain(
    config: Config,
    data: Data,
    evaluations: Evaluations,
    search: Search,
    radii: Mapping[float, float] | None = None,
) -> Studied:
    """Finds the counterfactuals of the studied images, for every classifier, norm and target.

    Args:
        config: of the experiment.
        data: whose test images are studied.
        evaluations: of the classifiers on them.
        search: finds counterfactuals.
        radii: for each norm the radius, such as the one chosen on the tuning images; None for the
            configured ones.
    """
    settings = config.explanations
    chosen = (
        dict(zip(settings.norms, settings.radii, strict=True)) if radii is None else dict(radii)
    )
    positions, sample = studied_positions(evaluations["test", "ensemble"], settings.num_studied)
    images = data.test.take(positions)
    targets = range(len(data.class_names))
    vce = {}
    for name, (p, radius) in itertools.product(NAMES, chosen.items()):
        found = _towards_all(search, images, targets, name, p, (radius,))
        vce.update({(name, p, target): each for (_, target), each in found.items()})
    return Studied(
        images,
        sample,
        chosen,
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


def studied_positions(ensemble: Evaluation, count: int) -> tuple[np.ndarray, int]:
    """The test images to study: the first of each class, then the first of each class that the
    ensemble gets wrong.

    Args:
        ensemble: its answers on the test images.
        count: images of each class.

    Returns:
        Positions in the test set, and how many of them the first rule chose.
    """
    classes = np.unique(ensemble.label)
    first = np.concatenate([np.flatnonzero(ensemble.label == label)[:count] for label in classes])
    failures = [
        np.flatnonzero((ensemble.label == label) & ~ensemble.correct)[:1] for label in classes
    ]
    added = [position for position in np.concatenate(failures) if position not in first]
    return np.concatenate([first, np.asarray(added, int)]), len(first)
