"""Training of a classifier of several labels that do not exclude each other, each with a sigmoid of
its own (Singla et al. 2020, authors' code, whose classifiers of faces and radiographs are DenseNets
trained so).

``models.one_label(models.per_image(network), label)`` is the classifier of one label. Deviation: a
validation can select the weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray, Shaped

from cfx_jax.callables import call
from cfx_jax.checks import check_choice, check_images
from cfx_jax.errors import InputError
from cfx_jax.metrics import roc_auc
from cfx_jax.parallel import data_mesh, map_examples
from trainers.descent import descent_step
from trainers.identity import describe_data, digest
from trainers.nnx_views import ModelFactory, classifier_of, graph_of, trained
from trainers.optimiser import OptimiserConfig, make_optimiser
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, check_batch_size, run
from trainers.supervised import SupervisedConfig, choose_model, scheduled, starting_model
from trainers.supervised import init as init
from trainers.targets import batches_with_targets

_TRAINER = "multi_label"


@dataclass(frozen=True)
class Config(SupervisedConfig):
    """A classifier of several labels. Defaults: the authors' DenseNet of faces."""

    model: str = "densenet121"
    """Name of the architecture, as in cfx_jax.models.images.build (released: DenseNet-121)."""
    num_classes: int = 5
    """Number of labels, one logit for each (released: young, smiling, black hair, no beard, bangs).
    """
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Subtracted from images in [0, 1], for each channel (released: images in [-1, 1])."""
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Divisor of images after that, for each channel (released)."""
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(
            name="adam", learning_rate=1e-4, momentum=0.9, weight_decay=0.0, schedule="constant"
        )
    )
    """How weights move (released: Adam, 1e-4)."""
    epochs: float = 5
    """Passes over the training images, where num_steps is 0 (released: 5; 10 for 40 labels)."""
    batch_size: int = 32
    """Images of one step, over all devices (released: 32)."""
    balanced: bool = False
    """Always False: several labels cannot be balanced at once (released: no)."""
    checkpoint_every: int = 1000
    """Steps between checkpoints; at most so much is lost when the training is stopped."""
    select: Literal["auc", "accuracy", "none"] = "none"
    """Validation metric of which the best weights are kept; none for the last weights (released).
    """


def make_step(config: Config, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: names the model and the optimiser.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``target`` ``(b, k)``, 0 or 1 for each label. Metrics: ``loss``, the mean cross-entropy
        of all labels in nats, and ``accuracy``, the share of labels that are right.

    Raises:
        InputError: an unknown model, optimiser or schedule.
    """

    def judge(module: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        logits, labels = module(batch["image"]), batch["target"]
        loss = optax.sigmoid_binary_cross_entropy(logits, labels.astype(logits.dtype)).mean()
        return {"loss": loss, "accuracy": ((logits >= 0) == labels).mean()}

    return descent_step(
        choose_model(config, model), make_optimiser(config.optimiser, config.num_steps), judge
    )


def make_evaluate(
    config: Config,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1] and ``label`` ``(n, k)``, 0 or 1.
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``: ``validation_accuracy_0`` and ``validation_auc_0`` of the first label
        and so on, and ``validation_accuracy`` and ``validation_auc``, their means over the labels.

    Raises:
        InputError: images outside [0, 1]; labels of another shape or other than 0 and 1; a label
            that all images have, or none has.
    """
    images, labels = np.asarray(validation["image"]), np.asarray(validation["label"])
    check_images(images, name="validation images")
    _check_labels(labels, len(images), config.num_classes, name="validation labels")
    alike = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
    if alike.size:
        raise InputError(
            f"validation labels: expected images with and without each label, got"
            f" {labels[0, alike[0]]} for all of label"
            f" {alike[0]}: take more images"
        )
    graphdef = graph_of(choose_model(config, model))

    def evaluate(state: State) -> dict[str, float]:
        classifier = classifier_of(graphdef, state.params, state.rest)
        logits = map_examples(
            call, classifier, images, batch_size=config.eval_batch_size, mesh=mesh
        )
        return scores(logits, labels)

    return evaluate


def scores(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, "n k"]) -> dict[str, float]:
    """Accuracy, at a probability of one half, and area under the ROC curve of each label, and their
    means.

    Args:
        logits: of each label.
        labels: 0 or 1, both for each label.

    Returns:
        By the names of ``make_evaluate``.
    """
    found = {
        "accuracy": ((logits >= 0) == labels).mean(axis=0),
        "auc": np.array([roc_auc(*each) for each in zip(logits.T, labels.T, strict=True)]),
    }
    each = {
        f"validation_{name}_{i}": float(value)
        for name, values in found.items()
        for i, value in enumerate(values)
    }
    return each | {f"validation_{name}": float(values.mean()) for name, values in found.items()}


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    labels: Int[np.ndarray, "n k"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains a classifier, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on.
        labels: 0 or 1 for each label of these items, in their order.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1] and ``label`` ``(m, k)``.
        workdir: folder of this training.
        model: makes the model from ``nnx.Rngs``; None for the configuration's.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected model in evaluation mode, images -> logits ``(b, k)``.

    Raises:
        InputError: as ``training.fit``; an unknown ``select``; ``balanced``; images or labels that
            cannot be used.
    """
    _check(config, validation, named_model=model is None)
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    config = scheduled(config, np.zeros(len(train_indices), int))
    start = starting_model(config, model, workdir)
    labels = np.asarray(labels)
    _check_labels(labels, len(labels), config.num_classes, name="labels")
    selected = run(
        _TRAINER,
        config,
        make_step(config, model=model),
        lambda key: init(key, config, model=model, start=start),
        batches_with_targets(
            source,
            train_indices,
            labels,
            batch_size=config.batch_size,
            seed=config.seed,
            augment=augment,
            name="labels",
        ),
        workdir,
        evaluate=make_evaluate(config, validation, model=model, mesh=mesh),
        select=None if config.select == "none" else f"validation_{config.select}",
        data={
            **describe_data(
                source,
                train_indices,
                {"label": validation["label"]},
                augment,
                None,
                weights=config.weights,
            ),
            "labels": digest(labels),
        },
        mesh=mesh,
        progress=progress,
    )
    return trained(choose_model(config, model), selected.params, selected.rest)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected model of a training; arguments, result and errors as
    ``trainers.classifier.load``.
    """
    return load_model(
        _TRAINER, Config, workdir, init, choose_model, model=model, unfinished=unfinished
    )


def _check(config: Config, validation: Mapping[str, np.ndarray], *, named_model: bool) -> None:
    check_choice(config.select, ("auc", "accuracy", "none"), name="select")
    if config.balanced:
        raise InputError(
            "balanced: expected False, since several labels cannot be balanced at once, got True"
        )
    channels = np.shape(validation["image"])[-1]
    if named_model and channels != config.in_channels:
        raise InputError(
            f"in_channels: expected {channels} as the images have, got {config.in_channels}"
        )


def _check_labels(
    labels: Shaped[np.ndarray, "n k"], number: int, num_labels: int, *, name: str
) -> None:
    if labels.shape != (number, num_labels):
        raise InputError(
            f"{name}: expected 0 or 1 for each of {num_labels} labels, shape"
            f" {(number, num_labels)}, got shape"
            f" {labels.shape}: num_classes is the number of labels"
        )
    other = labels[~np.isin(labels, (0, 1))]
    if other.size:
        hint = (
            "turn -1 into 0, by `labels > 0`"
            if (other == -1).any()
            else "decide on uncertain ones first"
        )
        raise InputError(f"{name}: expected 0 and 1, got {other[0]}: {hint}")
