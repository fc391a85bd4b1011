"""Training of a classifier of several labels that do not exclude each other (Singla et al. 2020,
"Explanation by Progressive Exaggeration", authors' code, whose classifiers of faces and radiographs
are DenseNets trained so).

For images x with k labels y of 0 or 1 each, and a network f with a sigmoid for each label::

    loss = mean over images and labels of -(y log sigmoid(f(x)) + (1 - y) log sigmoid(-f(x)))

    step(state, batch):
        x = x moved up the loss within attack_radius, where that is not 0
        gradients = grad(loss)          # f in training mode: its batch statistics move
        parameters = optimiser(parameters, gradients)

Deviations:

- A validation can select the weights.
- Images can be attacked.

``train`` needs ``targets``, 0 or 1 for each label ``(n, k)``; the validation's ``label`` is ``(m,
k)``. It returns the network in evaluation mode, images -> logits ``(b, k)``;
``models.one_label(models.per_image(network), label)`` is the classifier of one label.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, Int, PRNGKeyArray, Shaped

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import InputError, check_at_least, check_count
from cfx_jax.metrics import roc_auc

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    OptimiserSettings,
    RunSettings,
    Step,
    Trainer,
    TrainingBatches,
    descent_step,
    make_optimiser,
    target_batches,
    validation_images,
)
from .shared.supervised import (
    SupervisedConfig,
    check_channels,
    choose_model,
    describe_weights,
    finish,
    init,
    make_predict,
)


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
    optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(
            rule="adamw",  # released: Adam, the same where nothing decays
            learning_rate=1e-4,  # released
            momentum=0.9,
            weight_decay=0.0,
            schedule="constant",
        )
    )
    """How weights move."""
    attack_radius: float = 0.0
    """Training images are moved by at most this Euclidean distance, of images in [0, 1], to where
    the loss is higher (ours; Madry et al. 2018, "Towards Deep Learning Models Resistant to
    Adversarial Attacks"). 0 leaves them (released)."""
    attack_steps: int = 2
    """Steps of that ascent, in the direction of the gradient."""
    balanced: bool = False
    """Always False: several labels cannot be balanced at once (released: no)."""
    select: Literal["auc", "accuracy", "none"] = "none"
    """Validation metric by which the best weights are kept; none for the last weights (released).
    """
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=5,  # released; 10 for 40 labels
            batch_size=32,  # released
            checkpoint_every=1000,
            eval_batch_size=128,
        )
    )
    """How long the training runs."""


def check(config: Config, inputs: Inputs) -> None:
    """Checks the settings, the channels of the images and the labels.

    Raises:
        InputError: ``balanced``; other channels; an attack out of range; targets of another shape
            or other than 0 and 1.
    """
    if config.balanced:
        raise InputError(
            "balanced: expected False, since several labels cannot be balanced at once, got True"
        )
    check_channels(config, inputs)
    check_at_least(config.attack_radius, 0.0, name="attack_radius")
    check_count(config.attack_steps, name="attack_steps")
    targets = np.asarray(inputs.targets)
    check_labels(targets, len(targets), config.num_classes, name="labels")


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` and ``target`` (b, k); errors as ``target_batches``."""
    batches = target_batches(config.run, inputs, name="labels", validation=("label",))
    return batches._replace(depends={**batches.depends, **describe_weights(config)})


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image`` ``(b, h, w, c)``
        and ``target`` ``(b, k)``, 0 or 1 for each label. Metrics: ``loss``, the mean cross-entropy
        of all labels in nats, and ``accuracy``, the share of labels that are right.

    Raises:
        InputError: an unknown model, optimiser or schedule.
    """

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        images, labels = batch["image"], batch["target"]  # (b, h, w, c) and (b, k)
        if config.attack_radius:
            images = _attacked(config, network, images, labels)
        logits = at_least_float32(network(images))
        loss = _cross_entropy(logits, labels).mean()
        return {"loss": loss, "accuracy": ((logits >= 0) == labels).mean()}

    optimiser = make_optimiser(config.optimiser, config.run)
    return descent_step(
        choose_model(config, inputs), optimiser, compute_loss, config.run, inputs.mesh
    )


def _cross_entropy(logits: Float[Array, "b k"], labels: Int[Array, "b k"]) -> Array:
    return optax.sigmoid_binary_cross_entropy(logits, labels.astype(logits.dtype))


def _attacked(
    config: Config, network: Any, images: Float[Array, "b h w c"], labels: Int[Array, "b k"]
) -> Float[Array, "b h w c"]:
    """Images moved up the loss by normalised gradients, in the ball around each and in [0, 1].

    The network is in evaluation mode, so that running averages see each batch once.
    """
    frozen = nnx.view(network, use_running_average=True, raise_if_not_found=False)
    ascend = jax.grad(lambda moved: _cross_entropy(at_least_float32(frozen(moved)), labels).sum())
    moved, step = images, 1.5 * config.attack_radius / config.attack_steps
    for _ in range(config.attack_steps):  # unrolled: a compiled loop of convolutions is slow
        moved = moved + step * _shortened(ascend(moved), jnp.inf)
        moved = jnp.clip(images + _shortened(moved - images, config.attack_radius), 0, 1)
    return jax.lax.stop_gradient(moved)


def _shortened(vectors: Float[Array, "b h w c"], radius: float) -> Float[Array, "b h w c"]:
    """Vectors of length at most ``radius``; of length 1 where that is infinite."""
    lengths = jnp.sqrt(jnp.square(vectors).sum((1, 2, 3), keepdims=True) + 1e-12)
    return vectors / lengths if radius == jnp.inf else vectors * jnp.minimum(1, radius / lengths)


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)`` and ``label`` ``(n, k)``, 0 or 1.

    Returns:
        ``state -> metrics``: ``validation_accuracy_0`` and ``validation_auc_0`` of the first label
        and so on, and ``validation_accuracy`` and ``validation_auc``, their means over the labels.

    Raises:
        InputError: images outside [0, 1]; labels of another shape or other than 0 and 1; a label
            that all images have, or none has.
    """
    images, labels = validation_images(inputs), np.asarray(inputs.validation["label"])
    check_labels(labels, len(images), config.num_classes, name="validation labels")
    constant = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
    if constant.size:
        raise InputError(
            "validation labels: expected images with and without each label, got"
            f" {labels[0, constant[0]]} for all of label {constant[0]}: take more images"
        )
    predict = make_predict(config, inputs, images)
    return lambda state: score_labels(predict(state), labels)


def score_labels(
    logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, "n k"]
) -> dict[str, float]:
    """Accuracy and area under the ROC curve of each label, and their means.

    Args:
        logits: the logit of each label; one counts as found at a probability of one half.
        labels: 0 or 1, both for each label.

    Returns:
        By the names of ``make_evaluate``.
    """
    scores = {
        "accuracy": ((logits >= 0) == labels).mean(axis=0),  # (k,)
        "auc": np.array([roc_auc(*columns) for columns in zip(logits.T, labels.T, strict=True)]),
    }
    of_labels = {
        f"validation_{name}_{label}": float(value)
        for name, values in scores.items()
        for label, value in enumerate(values)
    }
    return of_labels | {f"validation_{name}": float(of.mean()) for name, of in scores.items()}


def check_labels(
    labels: Shaped[np.ndarray, "n k"], number: int, num_labels: int, *, name: str
) -> None:
    """Checks several labels of images.

    Args:
        labels: the labels of each image.
        number: the number of the images.
        num_labels: k.
        name: the name of the labels in the message.

    Raises:
        InputError: another shape, or values other than 0 and 1.
    """
    if labels.shape != (number, num_labels):
        raise InputError(
            f"{name}: expected 0 or 1 for each of {num_labels} labels, shape"
            f" {(number, num_labels)}, got shape {labels.shape}: num_classes is the number of"
            " labels"
        )
    other = labels[~np.isin(labels, (0, 1))]
    if other.size:
        uncertain = "decide on uncertain ones first"
        hint = "turn -1 into 0, by `labels > 0`" if (other == -1).any() else uncertain
        raise InputError(f"{name}: expected 0 and 1, got {other[0]}: {hint}")


TRAINER = Trainer(
    name="multi_label",
    config=Config,
    selections={"auc": "validation_auc", "accuracy": "validation_accuracy", "none": None},
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=finish,
    needs=("targets",),
    takes=("model", "augment"),
)
