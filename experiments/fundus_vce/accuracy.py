"""Table 1: what each classifier says of the test images, as they are and under attack."""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from cfx_jax.metrics import robustly_correct
from experiments.fundus_vce.classifiers import NAMES, Classifiers
from experiments.fundus_vce.setup import Setup
from experiments.shared import (
    PATIENTS,
    Arrays,
    Classifier,
    ImageSet,
    decisions,
    predict,
    probabilities,
    source_digest,
)

ATTACK = (
    "cfx_jax.metrics.robustness",
    "cfx_jax.objectives",
    "cfx_jax.compilation",
    "cfx_jax.optimise",
    "cfx_jax.geometry",
    "cfx_jax.models.views.ensemble",
)
"""The code of robust accuracy: other losses, steps or surrogates give other numbers."""


class Evaluation(NamedTuple):
    """One classifier on one test set.

    Attributes:
        labels: the true classes (n,).
        probability: the probability of each class (n, k).
        robust: whether each of the first m images stays right under attack (m,).
        groups: images that are drawn together (n,), of one patient or of one picture; or None.
        group_unit: what the groups are, in words.
    """

    labels: np.ndarray
    probability: np.ndarray
    robust: np.ndarray
    groups: np.ndarray | None = None
    group_unit: str = PATIENTS

    @property
    def correct(self) -> np.ndarray:
        """Whether each image is classified right (n,)."""
        return decisions(self.probability) == self.labels

    @property
    def attacked(self) -> "Evaluation":
        """The part on the images that were attacked."""
        count = len(self.robust)
        groups = None if self.groups is None else self.groups[:count]
        return self._replace(
            labels=self.labels[:count], probability=self.probability[:count], groups=groups
        )


Evaluations = dict[tuple[str, str], Evaluation]
"""The evaluations by test set and classifier."""


def evaluate(setup: Setup, classifiers: Classifiers) -> Evaluations:
    """Measures every classifier on every test set, clean and under attack."""
    config, data, workspace = setup
    settings = [config.robust_accuracy, config.seed, source_digest(*ATTACK)]
    depends = [classifiers.identity, classifiers.temperatures, settings]
    evaluations: Evaluations = {}
    for (place, images), name in itertools.product(data.tests.items(), NAMES):
        label = f"attack on {name}, {place}"
        compute = partial(_measure, setup, classifiers.ordinary[name], images, label)
        stage = f"evaluation-{place}-{name}"
        arrays = workspace.cached(stage, [depends, images.identity, name], compute)
        evaluations[place, name] = Evaluation(
            images.labels, **arrays, groups=images.groups, group_unit=images.group_unit
        )
    return evaluations


def _measure(setup: Setup, classifier: Classifier, images: ImageSet, label: str) -> Arrays:
    """The probabilities of all images, and which of the first ones stay right under attack."""
    config, settings = setup.config, setup.config.robust_accuracy
    count = min(settings.num_images, len(images)) if settings.num_images else len(images)
    attacked = images.take(np.arange(count))
    robust = robustly_correct(
        jax.random.key(config.seed),
        classifier,
        attacked.arrays["image"],
        attacked.labels,
        radius=settings.radius,
        num_steps=settings.num_steps,
        num_restarts=settings.num_restarts,
        batch_size=config.batch_size,
        progress=label,
    )
    return {"probability": probabilities(predict(classifier, images)), "robust": robust}
