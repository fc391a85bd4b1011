"""Training of a plain classifier with cross-entropy (Boreiko et al. 2022, "Visual explanations for
the detection of diabetic retinopathy from retinal fundus images", stage 1 and fine-tuning).

For images x with labels y, a network f and weights w of the classes (1 where there are none)::

    loss = sum_i w(y_i) cross_entropy(f(x_i), y_i) / sum_i w(y_i)

    step(state, batch):
        gradients = grad(loss)          # f in training mode: its batch statistics move
        parameters = optimiser(parameters, gradients)

Stage 1 is ``Config()``: SGD with Nesterov momentum, a cosine down to 0, classes balanced by
oversampling, the weights of highest balanced validation accuracy. The fine-tuning is
``FINE_TUNING``, started from the model of stage 1: three epochs with one triangle of the learning
rate, the weights chosen alike (the released code takes the last).

The source has ``image`` and ``label``, the validation too. ``train`` returns the network in
evaluation mode, images -> logits.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array
from jaxtyping import PRNGKeyArray

from cfx_jax.array_types import at_least_float32
from cfx_jax.errors import InputError
from cfx_jax.losses import cross_entropy, inverse_frequency
from cfx_jax.objectives import decision

from .shared import (
    Batch,
    Inputs,
    OptimiserSettings,
    RunSettings,
    Step,
    Trainer,
    descent_step,
    make_optimiser,
    training_labels,
)
from .shared.supervised import (
    SupervisedConfig,
    check_data,
    choose_model,
    finish,
    init,
    make_batches,
    make_evaluate,
)


@dataclass(frozen=True)
class Config(SupervisedConfig):
    """A plain classifier. Defaults: stage 1 of Boreiko et al. 2022."""

    select: Literal["balanced_accuracy", "accuracy", "none"] = "balanced_accuracy"
    """Validation metric by which the best weights are kept (paper: balanced accuracy); none for the
    last weights."""
    weighted: bool = False
    """Whether classes weigh inversely to their frequency in the loss (Charachon et al. 2021),
    instead of ``balanced``."""


FINE_TUNING = Config(
    optimiser=OptimiserSettings(
        rule="sgd",
        learning_rate=1e-3,  # paper
        weight_decay=5e-4,  # released code
        schedule="triangle",  # paper
        turn=1 / 3,  # top after epoch 1 of 3
    ),
    run=RunSettings(epochs=3, batch_size=128, eval_batch_size=128),  # paper: 3 epochs
)


def check(config: Config, inputs: Inputs) -> None:
    """Checks how classes are weighted, and the classes and channels of the data.

    Raises:
        InputError: ``weighted`` together with ``balanced``; data of other classes or channels.
    """
    if config.weighted and config.balanced:
        raise InputError(
            "weighted: expected it instead of balanced, which makes classes alike already: set one"
            " to False"
        )
    check_data(config, inputs)


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, {"loss", "accuracy"})``; a batch has ``image``
        ``(b, h, w, c)`` and ``label`` ``(b,)``. Batch statistics are computed over the whole batch,
        on any number of devices.

    Raises:
        InputError: an unknown model, optimiser or schedule; ``weighted`` without images of some
            class.
    """
    weights = None
    if config.weighted:
        weights = inverse_frequency(training_labels(inputs), config.num_classes)

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        # (b, k) and (b,)
        logits, labels = at_least_float32(network(batch["image"])), batch["label"]
        loss = cross_entropy(logits, labels, class_weights=weights)
        return {"loss": loss, "accuracy": jnp.mean(decision(logits) == labels)}

    optimiser = make_optimiser(config.optimiser, config.run)
    return descent_step(
        choose_model(config, inputs), optimiser, compute_loss, config.run, inputs.mesh
    )


TRAINER = Trainer(
    name="classifier",
    config=Config,
    selections={
        "balanced_accuracy": "validation_balanced_accuracy",
        "accuracy": "validation_accuracy",
        "none": None,
    },
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    takes=("model", "start", "augment"),
)
