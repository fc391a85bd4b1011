"""The classifiers, one sigmoid a label, and the label of one of them that is explained."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.data import Transform, compose, random_noise
from cfx_jax.diagnosis import check_diagnosis
from cfx_jax.metrics import roc_auc
from cfx_jax.models import one_label, per_image
from cfx_jax.parallel import apply_to_examples
from experiments.progressive_exaggeration.data import Data
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import (
    Classifier,
    ImageSet,
    InputError,
    fit_to_images,
    notify,
    predict,
    run_training,
)
from trainers import count_steps, multi_label, weights_digest, with_run

EXPLAINED, JUDGE, ORACLE = "classifier", "judge", "oracle"
_JUDGE_SEED = 1_000
"""Added to the seed of the explained classifier's training, for the trainings of the judges."""


class Network(NamedTuple):
    """A trained classifier of some labels.

    Attributes:
        model: the network, which takes batches of images, in evaluation mode.
        logits: the logits of the test images (n, k).
        auc: area under the ROC curve of each label on the test images (k,).
        identity: what the weights depend on.
    """

    model: nnx.Module
    logits: Float[np.ndarray, "n k"]
    auc: Float[np.ndarray, " k"]
    identity: object

    @property
    def outputs(self) -> Partial:
        """One image -> the logits of all labels."""
        return per_image(self.model)

    def of_label(self, label: int) -> Classifier:
        """One image -> the two logits of a label."""
        return one_label(self.outputs, label)

    def probabilities(
        self, images: Float[np.ndarray, "n h w c"], *, batch_size: int
    ) -> Float[np.ndarray, "n k"]:
        """The probability of each label for every image, ``batch_size`` images at once."""
        return np.asarray(
            jax.nn.sigmoid(apply_to_examples(self.outputs, images, batch_size=batch_size))
        )


class Subject(NamedTuple):
    """A label of a classifier.

    Attributes:
        setup: the settings, the images that the classifier was tested on and that explainers are
            trained on, and the workspace.
        network: the classifier of all labels.
        label: position of the explained one.
        queries: the test images that are explained, as many of either decision.
    """

    setup: Setup
    network: Network
    label: int
    queries: ImageSet

    @property
    def data(self) -> Data:
        """The images, with the labels of the classifier."""
        return self.setup.data

    @property
    def classifier(self) -> Classifier:
        """One image -> two logits."""
        return self.network.of_label(self.label)

    @property
    def identity(self) -> object:
        """Everything that the classifier's answers depend on."""
        return [self.network.identity, self.label]

    @property
    def probability(self) -> Float[np.ndarray, " n"]:
        """The probability of the label, for every test image."""
        return np.asarray(jax.nn.sigmoid(self.network.logits[:, self.label]))

    @property
    def query_labels(self) -> Int[np.ndarray, "n k"]:
        """The true labels of each query, 0 or 1."""
        return self.data.test.labels[self.data.test.rows_of(self.queries)]

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The group of each query, of one person or one picture, whose queries are drawn together.

        None is returned where every query is a group of its own.
        """
        groups = self.data.test.groups
        return None if groups is None else groups[self.data.test.rows_of(self.queries)]

    @property
    def unit(self) -> str:
        """The units that intervals are over, in words."""
        return "queries" if self.groups is None else self.data.test.group_unit

    @property
    def units(self) -> dict[str, Any]:
        """The units that intervals are over, as options of claims."""
        return {"groups": self.groups, "unit": "queries", "group_unit": self.data.test.group_unit}


def train_network(name: str, setup: Setup) -> Network:
    """Trains a classifier of all labels of the data, or reads it from the workspace.

    Args:
        name: ``EXPLAINED`` or another, or ``JUDGE`` or ``ORACLE`` for the same training from
            another seed.
        setup: the settings, and the images with the labels that it is to have.

    Raises:
        InputError: one that cannot be explained, see ``diagnose``; judges are not asked.
    """
    config, data, workspace = setup
    seed = config.classifier.run.seed + (_JUDGE_SEED if name in (JUDGE, ORACLE) else 0)
    settings = dataclasses.replace(normalised(setup), num_classes=len(data.names))
    settings = count_steps(with_run(settings, seed=seed), num_images=len(data.train.images.labels))
    images = data.train.images.identity, data.validation.images.identity
    identity = [
        settings,
        weights_digest(settings.weights),
        data.names,
        *images,
        config.mirrored,
        config.noise,
    ]
    model = run_training(
        name,
        multi_label.TRAINER,
        settings,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels, "label": data.validation.labels},
        workspace.folder(name, identity),
        targets=data.train.labels,
        augment=_with_noise(setup.augmentation, config.noise),
    )
    if name not in (JUDGE, ORACLE):
        check_diagnosis(
            one_label(per_image(model), data.explained),
            data.validation.images.read(slice(4)),
            show=notify,
        )
    stored = workspace.cached(
        f"logits {name}",
        [identity, data.test.images.identity],
        lambda: {"logits": predict(per_image(model), data.test.images, progress="test")},
    )
    auc = np.array(
        [
            roc_auc(logits, truth)
            for logits, truth in zip(stored["logits"].T, data.test.labels.T, strict=True)
        ]
    )
    return Network(model, stored["logits"], auc, identity)


def subject_of(setup: Setup, network: Network) -> Subject:
    """The explained label of images, with the first test images of either decision as its queries.

    Raises:
        InputError: a classifier that never decides on one of the two.
    """
    config, data, label = setup.config, setup.data, setup.data.explained
    decided = network.logits[:, label] >= 0
    number = min(config.num_explained // 2, int(decided.sum()), int((~decided).sum()))
    if number == 0:
        raise InputError(
            f"classifier of {data.names[label]!r}: expected decisions both ways on the test images,"
            f" got {'yes' if decided[0] else 'no'} for all {len(decided)}: train longer"
            " (--classifier.run.num-steps)"
        )
    queries = data.test.images.take(np.sort(first_of_either(decided, number)))
    return Subject(setup, network, label, queries)


def first_of_either(decided: Bool[np.ndarray, " n"], number: int) -> Int[np.ndarray, " m"]:
    """Positions of the first images of either decision, at most ``number`` of each.

    The images without the label come before the others.
    """
    return np.concatenate(
        [np.flatnonzero(decided == decision)[:number] for decision in (False, True)]
    )


def normalised(setup: Setup) -> multi_label.Config:
    """The classifier's settings with the channels and the normalisation of the images."""
    config, images = setup.config, setup.data.train.images
    if config.normalisation == "images":
        return fit_to_images(config.classifier, images, setup.workspace)
    channels = images.shape[-1]
    return dataclasses.replace(
        config.classifier, in_channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels
    )


def _with_noise(transform: Transform | None, most: float) -> Transform | None:
    """The augmentation of a classifier: noise of at most this standard deviation comes last."""
    if not most:
        return transform
    noise = random_noise(scale=(0.0, most))
    return compose(transform, noise) if transform else noise
