"""Table 1: accuracy, balanced accuracy and robust accuracy of each classifier on each test set."""

from typing import NamedTuple

import jax
import numpy as np

from cfx_jax.metrics import robustly_correct, robustness
from cfx_jax.objectives import Classifier
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.train import NAMES, Classifiers
from experiments.image_set import ImageSet, predict, probabilities
from experiments.stages import Arrays, Workspace, source_digest


class Evaluation(NamedTuple):
    """One classifier on one test set.

    Attributes:
        label: the true classes (n,).
        probability: of each class (n, k).
        robust: whether each of the first m images stays right under attack (m,).
        patients: whom each image shows (n,), where several show one; or None.
    """

    label: np.ndarray
    probability: np.ndarray
    robust: np.ndarray
    patients: np.ndarray | None = None

    @property
    def correct(self) -> np.ndarray:
        """Whether each image is classified right (n,)."""
        return self.probability.argmax(axis=1) == self.label

    @property
    def attacked(self) -> "Evaluation":
        """The part on the images that were attacked."""
        count = len(self.robust)
        patients = None if self.patients is None else self.patients[:count]
        return Evaluation(self.label[:count], self.probability[:count], self.robust, patients)


Evaluations = dict[tuple[str, str], Evaluation]
"""By (test set, classifier)."""


def evaluate(config: Config, data: Data, classifiers: Classifiers, workspace: Workspace) -> Evaluations:
    """Every classifier on every test set, clean and under attack."""
    attack = source_digest(robustness)  # other losses or surrogates give other numbers
    depends = [classifiers.identity, classifiers.temperatures, config.robust_accuracy, config.seed, attack]
    found: Evaluations = {}
    for place, images in data.tests.items():
        for name in NAMES:

            def compute(images=images, name=name, place=place) -> Arrays:  # type: ignore[no-untyped-def]
                return _measure(config, classifiers.ordinary[name], images, f"attack on {name}, {place}")

            found[place, name] = Evaluation(
                images.labels,
                **workspace.cached(f"evaluation-{place}-{name}", [depends, images.identity, name], compute),
                patients=images.patients,
            )
    return found


def _measure(config: Config, classifier: Classifier, images: ImageSet, label: str) -> Arrays:
    settings = config.robust_accuracy
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
        batch_size=4 * config.batch_size,
        progress=label,
    )
    return {"probability": probabilities(predict(classifier, images)), "robust": robust}
