"""What trainings of a classifier share: configuration, first state, validation and the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.callables import call
from cfx_jax.checks import check_classes, check_images
from cfx_jax.errors import InputError
from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.models import build
from cfx_jax.objectives import decision
from cfx_jax.parallel import data_mesh, map_examples
from cfx_jax.training.checkpoint import has_checkpoint
from trainers.epochs import by_steps
from trainers.identity import describe_data
from trainers.nnx_views import ModelFactory, classifier_of, graph_of, trained, variables_of
from trainers.optimiser import OptimiserConfig, make_optimiser
from trainers.pretrained import with_pretrained
from trainers.running import Evaluate, State, Step, batches_of, check_batch_size, run

C = TypeVar("C", bound="SupervisedConfig")


@dataclass(frozen=True)
class SupervisedConfig:
    """What every training of a classifier has to say. Defaults: Boreiko et al. 2022."""

    model: str = "resnet50"
    """Name of the architecture, as in cfx_jax.models.images.build (paper: ResNet-50)."""
    weights: str = ""
    """File of weights to start from, such as torchvision's of ImageNet; the last layer starts anew.
    Empty: random weights (the paper names none, the released code has none)."""
    num_classes: int = 2
    """Number of classes (paper: healthy, diabetic retinopathy)."""
    in_channels: int = 3
    """Channels of the images."""
    mean: tuple[float, ...] = (0.41859, 0.28518, 0.20822)
    """Subtracted from images in [0, 1], for each channel (released code, for its fundus images)."""
    std: tuple[float, ...] = (0.30146, 0.21559, 0.16516)
    """Divisor of images after that, for each channel (released code)."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """How weights move."""
    epochs: float = 500
    """Passes over the training images, where num_steps is 0 (paper: 500). A balanced pass shows
    every image of the largest class once and the others more often."""
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have."""
    batch_size: int = 128
    """Images of one step, over all devices (paper: 128)."""
    balanced: bool = True
    """Whether each batch holds as many images of each class (paper: DR oversampled)."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for one epoch (released code)."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for one epoch; at most so much is lost when the training is
    stopped.
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 128
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


def scheduled(config: C, labels: Int[np.ndarray, " n"]) -> C:
    """A configuration whose steps are counted out for its training images; one that names them is
    unchanged.

    An epoch has as many steps as it has whole batches, at least one: 395 for the 31,744 images of
    Boreiko et al., of which 25,338 are healthy.

    Args:
        config: of the training.
        labels: the classes of the training images.

    Raises:
        InputError: ``epochs`` not above 0, or so few that they make no step; no training images.
    """
    if not len(labels):
        raise InputError("train_indices: expected at least one training image, got none")
    largest, classes = np.bincount(labels).max(), len(np.unique(labels))
    return by_steps(config, num_images=int(largest * classes) if config.balanced else len(labels))


def starting_model(
    config: SupervisedConfig, model: ModelFactory | None, workdir: str | Path | None = None
) -> nnx.Module | None:
    """The model that a training starts from where its configuration names a file of weights; None
    where it names none.

    Its last layer is the one that the training's seed draws. None too where ``workdir`` holds a
    checkpoint, from which the training goes on: the file is not read again.

    Raises:
        InputError: as ``with_pretrained``.
    """
    if not config.weights or (workdir is not None and has_checkpoint(workdir)):
        return None
    init_key, _ = jax.random.split(jax.random.key(config.seed))
    return with_pretrained(choose_model(config, model)(nnx.Rngs(init_key)), config.weights)


def choose_model(config: SupervisedConfig, model: ModelFactory | None) -> ModelFactory:
    """The given factory, or the one that builds the configuration's model."""
    if model is not None:
        return model
    return lambda rngs: build(
        config.model,
        num_classes=config.num_classes,
        in_channels=config.in_channels,
        mean=config.mean,
        std=config.std,
        rngs=rngs,
    )


def init(
    key: PRNGKeyArray,
    config: SupervisedConfig,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the model and the optimiser.
        model: makes another model from ``nnx.Rngs``; None for the configuration's.
        start: a model to go on from instead of random weights; it is not changed.

    Returns:
        Parameters, other variables and a fresh state of the optimiser.

    Raises:
        InputError: an unknown model, optimiser or schedule.
    """
    params, rest = variables_of(
        choose_model(config, model)(nnx.Rngs(key)) if start is None else start
    )
    return State(params, rest, make_optimiser(config.optimiser, config.num_steps).init(params))


def make_update(config: SupervisedConfig) -> Callable[[State, Any, Any], State]:
    """The optimiser's step: ``(state, gradients, new rest) -> state``."""
    transformation = make_optimiser(config.optimiser, config.num_steps)

    def update(state: State, gradients: Any, rest: Any) -> State:
        updates, opt_state = transformation.update(gradients, state.opt_state, state.params)
        return State(optax.apply_updates(state.params, updates), rest, opt_state)

    return update


def make_evaluate(
    config: SupervisedConfig,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state.

    Args:
        config: of the training.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1] and ``label`` ``(n,)``.
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> {"validation_accuracy", "validation_balanced_accuracy"}``, of the model in
        evaluation mode.

    Raises:
        InputError: images outside [0, 1], labels that are no class.
    """
    images, labels = validation["image"], np.asarray(validation["label"])
    check_images(jnp.asarray(images), name="validation images")
    check_classes(jnp.asarray(labels), config.num_classes, name="validation labels")
    graphdef = graph_of(choose_model(config, model))

    def evaluate(state: State) -> dict[str, float]:
        classifier = classifier_of(graphdef, state.params, state.rest)
        logits = map_examples(
            call, classifier, images, batch_size=config.eval_batch_size, mesh=mesh
        )
        return scores("validation", logits, labels)

    return evaluate


def scores(
    prefix: str, logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> dict[str, float]:
    """Accuracy and balanced accuracy under names that begin with ``prefix``."""
    correct = np.asarray(decision(logits)) == labels
    return {
        f"{prefix}_accuracy": accuracy(correct),
        f"{prefix}_balanced_accuracy": balanced_accuracy(correct, labels),
    }


def run_training(
    trainer: str,
    config: SupervisedConfig,
    step: Step,
    evaluate: Evaluate,
    select: str | None,
    data: tuple[Any, Int[np.ndarray, " n"], Mapping[str, np.ndarray]],
    workdir: str | Path,
    *,
    model: ModelFactory | None,
    start: nnx.Module | None,
    augment: Callable[..., Any] | None,
    mesh: Mesh | None,
    progress: bool,
) -> nnx.Module:
    """Trains, or goes on with, a classifier; gives the selected model in evaluation mode."""
    source, indices, validation = data
    if config.weights and start is not None:
        raise InputError(
            f"weights: expected none, since the training starts from a given model, got"
            f" {config.weights!r}"
        )
    first = starting_model(config, model, workdir) if start is None else start
    mesh = data_mesh() if mesh is None else mesh
    _check_data(config, source, validation, mesh, model is None)
    selected = run(
        trainer,
        config,
        step,
        lambda key: init(key, config, model=model, start=first),
        batches_of(
            source,
            indices,
            batch_size=config.batch_size,
            seed=config.seed,
            balanced=config.balanced,
            augment=augment,
        ),
        workdir,
        evaluate=evaluate,
        select=select,
        data=describe_data(
            source, indices, {"label": validation["label"]}, augment, start, weights=config.weights
        ),
        mesh=mesh,
        progress=progress,
    )
    return trained(choose_model(config, model), selected.params, selected.rest)


def _check_data(
    config: SupervisedConfig,
    source: Any,
    validation: Mapping[str, np.ndarray],
    mesh: Mesh,
    named_model: bool,
) -> None:
    check_batch_size(config.batch_size, mesh)
    if len(source.class_names) != config.num_classes:
        raise InputError(
            f"num_classes: expected {len(source.class_names)} as the data has"
            f" ({', '.join(source.class_names)}), got"
            f" {config.num_classes}: change one of them"
        )
    channels = np.shape(validation["image"])[-1]
    if named_model and channels != config.in_channels:
        raise InputError(
            f"in_channels: expected {channels} as the images have, got {config.in_channels}"
        )
