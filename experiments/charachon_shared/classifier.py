"""The classifier that is explained: trained, diagnosed, and measured on the test images."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval, roc_auc
from cfx_jax.models import FindingClassifier, Parts, build, parts, per_image
from experiments.charachon_shared.augmentation import training_augmentation
from experiments.charachon_shared.config import CharachonConfig
from experiments.charachon_shared.data import Data, Groups
from experiments.shared import (
    Classifier,
    InputError,
    Workspace,
    decisions,
    fit_to_images,
    predict,
    train_network,
)
from trainers import ModelFactory, weights_digest
from trainers import classifier as trainer


class Network(NamedTuple):
    """The trained classifier, and its answers to the test images.

    Attributes:
        model: the network, which takes batches of images, in evaluation mode.
        classifier: one image -> two logits, a pytree.
        parts: its feature maps and its head, for Grad-CAM.
        logits: the logits of the test images (n, 2).
        auc: area under the ROC curve on the test images, with its interval over them; it stands
            beside every table.
        identity: what the weights depend on.
    """

    model: nnx.Module
    classifier: Classifier
    parts: Parts
    logits: Float[np.ndarray, "n 2"]
    auc: Interval
    identity: object


def train_classifier(config: CharachonConfig, data: Data, workspace: Workspace) -> Network:
    """Trains the classifier, or reads it from the workspace.

    Raises:
        InputError: a network that cannot be explained: what ``diagnose`` finds, or one class for
            all images.
    """
    settings = fit_to_images(config.classifier, data.train, workspace)
    weights = weights_digest(settings.weights)
    identity = [
        settings,
        weights,
        config.head,
        data.train.identity,
        data.validation.identity,
        config.augmentation,
    ]
    model = train_network(
        "classifier",
        trainer.TRAINER,
        settings,
        data.train,
        data.validation,
        workspace.folder("classifier", identity),
        model=_factory(config, settings),
        augment=training_augmentation(config),
    )
    classifier = per_image(model)
    check_decides_both(predict(classifier, data.validation), data.class_names)
    stored = workspace.cached(
        "logits",
        [identity, data.test.identity],
        lambda: {"logits": predict(classifier, data.test, progress="test")},
    )
    auc = auc_interval(stored["logits"], data.test.labels == data.finding, data.groups)
    return Network(model, classifier, parts(model), stored["logits"], auc, identity)


def check_decides_both(logits: Float[np.ndarray, "n 2"], class_names: tuple[str, ...]) -> None:
    """Checks that a classifier decides on each of the two classes for some image.

    Args:
        logits: the logits of the validation images.
        class_names: the names of the two classes.

    Raises:
        InputError: naming the class that it always decides on.
    """
    decided = decisions(logits)
    if len(np.unique(decided)) < 2:
        raise InputError(
            "classifier: expected decisions for both classes on the validation images, got"
            f" {class_names[decided[0]]!r} for all {len(decided)}: train longer"
            " (--classifier.run.num-steps), or move its threshold with models.thresholded"
        )


def describe_start(config: CharachonConfig) -> str:
    """Says in a sentence which weights the classifier's training started from."""
    if config.classifier.weights:
        return f"Its training started from the weights of {Path(config.classifier.weights).name}."
    paper = "(paper: from ImageNet's; --classifier.weights FILE)"
    return f"Its training started from random weights {paper}."


def log_odds(logits: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """The log-odds of the finding: they order images as its probability, and do not saturate."""
    return logits[:, 1] - logits[:, 0]


def auc_interval(
    logits: Float[np.ndarray, "n 2"], positive: np.ndarray, groups: Groups
) -> Interval:
    """The area under the ROC curve of two logits, with its bootstrap interval.

    Images are drawn, or groups of them, as many of either class in every draw, so the area is
    defined on each. Where all images are of one class it is not, and all three numbers are NaN.
    """
    if len(np.unique(positive)) < 2:
        return Interval(np.nan, np.nan, np.nan)
    values = np.stack([log_odds(logits), positive.astype(float)], axis=1)
    options: dict[str, Any] = {"groups": groups.names, "strata": positive, "bounds": (0.0, 1.0)}
    return bootstrap_interval(values, statistic=_auc, num_resamples=500, **options)


def _auc(values: Float[np.ndarray, "m 2"]) -> float:
    return roc_auc(values[:, 0], values[:, 1])


def _factory(config: CharachonConfig, settings: trainer.Config) -> ModelFactory | None:
    """Chooses the factory of the network: None for the trainer's own, with one linear layer."""
    return None if config.head == "linear" else partial(_with_hidden_layer, settings)


def _with_hidden_layer(settings: trainer.Config, rngs: nnx.Rngs) -> nnx.Module:
    options: dict[str, Any] = {
        "in_channels": settings.in_channels,
        "mean": settings.mean,
        "std": settings.std,
    }
    return FindingClassifier(build(settings.model, num_classes=2, **options, rngs=rngs), rngs=rngs)
