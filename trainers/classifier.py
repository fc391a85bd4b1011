"""Training of a plain classifier with cross-entropy (Boreiko et al. 2022, stage 1, and their
fine-tuning).

Stage 1 is ``Config()``: SGD with Nesterov momentum, a cosine down to 0, classes balanced by
oversampling, the weights of highest balanced validation accuracy. The fine-tuning is
``FINE_TUNING``, started from the model of stage 1: three epochs with one triangle of the learning
rate, the weights chosen alike (the released code takes the last).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.checks import check_choice
from cfx_jax.data.source import check_indices, labels_of
from cfx_jax.errors import InputError
from cfx_jax.losses.cross_entropy import cross_entropy, inverse_frequency
from cfx_jax.objectives import decision
from trainers.nnx_views import ModelFactory, graph_of, training_view, variables_of
from trainers.optimiser import OptimiserConfig
from trainers.result import load_model
from trainers.running import Batch, State, Step
from trainers.supervised import (
    SupervisedConfig,
    choose_model,
    make_evaluate,
    make_update,
    run_training,
    scheduled,
)
from trainers.supervised import init as init


@dataclass(frozen=True)
class Config(SupervisedConfig):
    """A plain classifier. Defaults: stage 1 of Boreiko et al. 2022."""

    select: Literal["balanced_accuracy", "accuracy", "none"] = "balanced_accuracy"
    """Validation metric of which the best weights are kept (paper: balanced accuracy); none for the
    last weights."""
    weighted: bool = False
    """Whether classes weigh inversely to their frequency in the loss (Charachon et al. 2021),
    instead of ``balanced``.
    """


FINE_TUNING = Config(
    optimiser=OptimiserConfig(learning_rate=1e-3, nesterov=False, schedule="triangle"),
    epochs=3,
)


def make_step(
    config: Config,
    *,
    model: ModelFactory | None = None,
    class_weights: Float[np.ndarray, " k"] | None = None,
) -> Step:
    """One step of training.

    Args:
        config: names the model and the optimiser.
        model: as in ``init``.
        class_weights: of the terms of the loss; None for 1.

    Returns:
        Pure ``step(state, key, batch) -> (state, {"loss", "accuracy"})``; a batch has ``image``
        ``(b, h, w, c)`` and ``label`` ``(b,)``. Batch statistics are those of the whole batch, over
        however many devices it is split.
    """
    graphdef, update = graph_of(choose_model(config, model)), make_update(config)

    def step(state: State, key: PRNGKeyArray, batch: Batch) -> tuple[State, dict[str, Array]]:
        del key

        def loss_of(params: Any) -> tuple[Array, tuple[Any, Array]]:
            module = training_view(graphdef, params, state.rest)
            logits = module(batch["image"])
            correct = decision(logits) == batch["label"]
            loss = cross_entropy(logits, batch["label"], class_weights=class_weights)
            return loss, (variables_of(module)[1], jnp.mean(correct))

        (loss, (rest, accuracy)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            state.params
        )
        return update(state, gradients, rest), {"loss": loss, "accuracy": accuracy}

    return step


def train(
    config: Config,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains a classifier, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training.
        source: random-access data set whose items hold ``image`` and ``label``.
        train_indices: the items to train on.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1] and ``label`` ``(m,)``.
        workdir: folder of this training.
        model: makes the model from ``nnx.Rngs``; None for the configuration's.
        start: a model to go on from instead of random weights.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected model in evaluation mode.

    Raises:
        InputError: as ``training.fit``; an unknown ``select``; validation images or labels that
            cannot be used; ``weighted`` together with ``balanced``, or without images of some
            class.
    """
    check_choice(config.select, ("balanced_accuracy", "accuracy", "none"), name="select")
    if config.weighted and config.balanced:
        raise InputError(
            "weighted: expected it instead of balanced, which makes classes alike already: set one"
            " to False"
        )
    labels = labels_of(source)[check_indices(source, train_indices)]
    config = scheduled(config, labels)
    class_weights = inverse_frequency(labels, config.num_classes) if config.weighted else None
    return run_training(
        "classifier",
        config,
        make_step(config, model=model, class_weights=class_weights),
        make_evaluate(config, validation, model=model, mesh=mesh),
        None if config.select == "none" else f"validation_{config.select}",
        (source, train_indices, validation),
        workdir,
        model=model,
        start=start,
        augment=augment,
        mesh=mesh,
        progress=progress,
    )


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected model of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best model so far of a training that was stopped.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: no such training, no readable checkpoint, another model, or a training that is
            not finished.
    """
    return load_model(
        "classifier", Config, workdir, init, choose_model, model=model, unfinished=unfinished
    )
