"""Table 1: accuracy, balanced and robust accuracy of each classifier, and their intervals.

Intervals are over groups of images where an image set has them.
"""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    paired_difference_interval,
    robustly_correct,
)
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


def share_interval(answers: Bool[np.ndarray, " n"], groups: np.ndarray | None) -> Interval:
    """The interval of the share of right answers."""
    return bootstrap_interval(answers.astype(float), groups=groups)


def balanced_interval(
    answers: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"], groups: np.ndarray | None
) -> Interval:
    """The interval of the balanced accuracy, the mean over classes of the share of right answers.

    Every draw has as many images of each class.
    """
    values = np.stack([answers.astype(float), labels], axis=1)
    return bootstrap_interval(
        values, statistic=_balanced, groups=groups, strata=labels, bounds=(0.0, 1.0)
    )


def balanced_difference_interval(
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    labels: Int[np.ndarray, " n"],
    groups: np.ndarray | None,
) -> Interval:
    """The interval of the difference of two balanced accuracies, the first answers' less the
    second's.

    Both are about the same images. Where no draw differs, such as for answers that are all alike,
    the intervals of the classes' differences are combined instead, as Newcombe combines the
    intervals of two shares.
    """
    values = np.stack([first.astype(float) - second.astype(float), labels], axis=1)
    interval = bootstrap_interval(values, statistic=_balanced, groups=groups, strata=labels)
    if not np.isnan(interval.low):
        return interval
    classes = []
    for label in np.unique(labels):
        chosen = labels == label
        chosen_groups = None if groups is None else groups[chosen]
        classes.append(
            paired_difference_interval(first[chosen], second[chosen], groups=chosen_groups)
        )
    estimate, low, high = np.asarray(classes).T
    below, above = (float(np.linalg.norm(ends - estimate) / len(classes)) for ends in (low, high))
    return Interval(interval.estimate, interval.estimate - below, interval.estimate + above)


def _balanced(values: Float[np.ndarray, "n 2"]) -> float:
    """The mean of the first column within each class (second column), averaged over classes."""
    measure, labels = values.T
    return float(np.mean([measure[labels == label].mean() for label in np.unique(labels)]))
