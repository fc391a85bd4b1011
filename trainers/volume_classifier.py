"""Training of a classifier of volumes with or without saliency maps: ACAT, its baseline and its
competitors (Fontanella et al. 2023, "ACAT: Adversarial Counterfactual Attention for Classification
and Detection in Medical Imaging", appendix C, and the released code).

For volumes x with classes y, saliency maps s where the network f takes them, and weights w of the
classes::

    loss = sum_i w(y_i) cross_entropy(f(x_i, s_i), y_i) / sum_i w(y_i)

    step(state, batch):
        gradients = grad(loss)          # f in training mode: its batch statistics move
        parameters = Adam(parameters, gradients)

With sides (none, left, right, both; published for IST-3) f gives logits of a lesion and logits of
its side, and the loss has a term for each (``losses.multi_task_terms``).

The baseline is ``Config()``; what has a saliency branch starts from the baseline's weights with
``FROM_BASELINE``, and the variables that the baseline lacks start at random.

Deviations:

- Classes are weighted by their frequencies in the training set, not in the whole data set.
- All networks are selected alike.

The source has ``image`` (s, h, w, c), ``label``, and ``saliency`` (s, h, w, 1) where the network
takes it (``data.SaliencySource`` puts maps beside volumes); the validation too. A ``start`` gives
parameters and batch statistics where it has the same names (``models.warm_start``), but for the
parts named by ``skip``. ``train`` returns the network in evaluation mode: volumes, or volumes and
their maps, -> logits ``(b, k)`` or ``models.HalfBrainLogits``.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from cfx_jax.checks import InputError, check_classes, check_images
from cfx_jax.data import check_saliency, random_volume_flip
from cfx_jax.losses import inverse_frequency
from cfx_jax.models import build_volume_model, warm_start

from .shared import (
    Batch,
    Evaluate,
    Inputs,
    ModelFactory,
    OptimiserSettings,
    RunSettings,
    State,
    Step,
    Trainer,
    TrainingBatches,
    descent_step,
    evaluation_view,
    first_state,
    give_network,
    graph_of,
    labelled_batches,
    make_optimiser,
    measure_validation,
    training_labels,
    with_run,
)
from .shared.volume_predictions import PredictVolume, compute_terms, decide_classes, score_volumes

_SIDES = ("none", "left", "right", "both")
_MIRRORED_SIDES = (0, 2, 1, 3)


@dataclass(frozen=True)
class Config:
    """A classifier of volumes. Defaults: the baseline of ACAT's released code."""

    model: str = "slice_resnet50"
    """Name of the architecture, as in cfx_jax.models.volumes.build; acat_ in front for ACAT
    (released: ResNet-50 on slices, their mean)."""
    saliency: bool = False
    """Whether the network takes a saliency map of each volume too."""
    sides: bool = False
    """Whether the network also names the side of a lesion: classes none, left, right, both
    (published for IST-3)."""
    num_classes: int = 2
    """Number of classes of a network that names no side (released: without and with COVID-19)."""
    in_channels: int = 1
    """Channels of the volumes."""
    num_slices: int = 11
    """Slices of each volume, for networks that weigh them (published: 11)."""
    weighted: bool = True
    """Whether classes weigh inversely to their frequency in the loss (released: yes); with sides,
    lesion and none do."""
    horizontal_flip: bool = True
    """Whether training volumes are mirrored from left to right with probability 0.5; sides are
    exchanged (released: yes, no for networks with saliency maps)."""
    vertical_flip: bool = True
    """Whether training volumes are mirrored from front to back with probability 0.5 (released: yes,
    no with saliency)."""
    optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(
            rule="adam",  # released
            learning_rate=1e-4,  # released; from the baseline 1e-5
            weight_decay=5e-5,  # released
            schedule="cosine_by_epoch",  # released
            smallest=1e-7,  # released
        )
    )
    """How weights move."""
    select: Literal["accuracy", "balanced_accuracy", "none"] = "accuracy"
    """Validation metric by which the best weights are kept, the later ones of equals; none for the
    last weights (released: accuracy for the baseline, the last weights of the others)."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=200,  # published; 100 from the baseline's weights
            batch_size=8,  # released; volumes
            eval_batch_size=8,
        )
    )
    """How long the training runs."""


FROM_BASELINE = Config(
    model="acat_slice_resnet50",
    saliency=True,
    horizontal_flip=False,  # released
    vertical_flip=False,  # released
    optimiser=OptimiserSettings(
        rule="adam",
        learning_rate=1e-5,  # released
        weight_decay=5e-5,  # released
        schedule="cosine_by_epoch",
        smallest=1e-7,  # released
    ),
    run=RunSettings(epochs=100, batch_size=8, eval_batch_size=8),  # published: 100 epochs
)
"""ACAT and its competitors: half as long with a tenth of the rate, from the baseline's weights,
which ``train`` gets as ``start``. Unlike in the released code, they are selected as the baseline
is."""


def build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    """The network of a configuration."""
    return build_volume_model(
        config.model,
        num_classes=config.num_classes,
        in_channels=config.in_channels,
        num_slices=config.num_slices,
        rngs=rngs,
    )


def check(config: Config, inputs: Inputs) -> None:
    """Checks that the data and the configuration have the same classes.

    Raises:
        InputError: another number of classes.
    """
    expected, names = _count_classes(config), inputs.source.class_names
    if len(names) != expected:
        wanted = ", ".join(_SIDES) if config.sides else "num_classes"
        raise InputError(
            f"source: expected {expected} classes ({wanted}), got {', '.join(names)}: change"
            " num_classes or sides, or relabel them"
        )


def make_batches(config: Config, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` (b, s, h, w, c), ``label`` (b,), and ``saliency`` (b, s, h, w, 1)."""
    flip = random_volume_flip(
        horizontal=config.horizontal_flip,
        vertical=config.vertical_flip,
        mirrored=_MIRRORED_SIDES if config.sides else None,
    )
    fields = ("saliency",) if config.saliency else ()
    return labelled_batches(config.run, inputs, balanced=False, fields=fields, augment_item=flip)


def init(key: PRNGKeyArray, config: Config, inputs: Inputs) -> State:
    """The state before the first step.

    Raises:
        InputError: an unknown network; numbers out of range; a start of other sizes, or with
            nothing in common.
    """
    network = inputs.choose(build, config)(nnx.Rngs(key))
    if inputs.start is not None:
        network = warm_start(network, inputs.start, skip=inputs.skip).model
    return first_state(network, make_optimiser(config.optimiser, config.run))


def make_step(config: Config, inputs: Inputs) -> Step:
    """One step of training.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch is one of ``make_batches``.
        Metrics: ``loss``, its terms, which are ``cross_entropy`` or ``lesion`` and ``side``, and
        ``accuracy``.

    Raises:
        InputError: numbers out of range; classes to be weighted that no training volume has.
    """
    weights = [1.0] * (2 if config.sides else config.num_classes)
    if config.weighted:
        labels = training_labels(inputs)
        # With sides lesion and none are weighted. Of two classes these are the published weights,
        # each the share of the other, but for a factor that the weighted mean cancels.
        weights = (
            inverse_frequency((labels > 0).astype(int), 2).tolist()
            if config.sides
            else inverse_frequency(labels, config.num_classes).tolist()
        )
    make = _make_shared_step if isinstance(inputs.model, Hashable) else _make_step
    return make(with_run(config, seed=0), inputs.model, inputs.mesh, tuple(weights))


def _make_step(
    config: Config, model: ModelFactory | None, mesh: Mesh | None, weights: tuple[float, ...]
) -> Step:
    predict = make_predict(config)

    def compute_loss(network: Any, key: PRNGKeyArray, batch: Batch) -> dict[str, Array]:
        del key
        logits, labels = predict.batch(network, batch), batch["label"]
        terms = compute_terms(logits, labels, jnp.asarray(weights, jnp.float32))
        correct = decide_classes(logits) == labels
        return {"loss": sum(terms.values(), jnp.zeros(())), **terms, "accuracy": correct.mean()}

    optimiser = make_optimiser(config.optimiser, config.run)
    factory = Inputs(model=model).choose(build, config)
    return descent_step(factory, optimiser, compute_loss, config.run, mesh)


# Trainings of the same network that differ by their seeds share a step, so that it is traced and
# compiled once.
_make_shared_step = lru_cache(maxsize=32)(_make_step)


def make_predict(config: Config) -> PredictVolume:
    """The function by which the networks of a configuration predict a volume."""
    return PredictVolume(config.saliency, config.sides, config.num_classes)


def make_evaluate(config: Config, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, s, h, w, c)``, ``label`` and ``saliency``.

    Returns:
        ``state -> metrics`` of the network in evaluation mode, as ``score_volumes`` returns them.

    Raises:
        InputError: volumes outside [0, 1], labels that are no class, or maps that do not fit the
            volumes.
    """
    examples, labels = _check_validation(config, inputs), np.asarray(inputs.validation["label"])
    graphdef, predict = graph_of(inputs.choose(build, config)), make_predict(config)

    def evaluate(state: State) -> dict[str, float]:
        network = evaluation_view(graphdef, state.params, state.rest)
        logits = measure_validation(config.run, inputs, predict, network, examples)
        return score_volumes(logits, labels)

    return evaluate


TRAINER = Trainer(
    name="volume_classifier",
    config=Config,
    selections={
        "accuracy": "validation_accuracy",
        "balanced_accuracy": "validation_balanced_accuracy",
        "none": None,
    },
    check=check,
    make_batches=make_batches,
    init=init,
    make_step=make_step,
    make_evaluate=make_evaluate,
    finish=give_network(build),
    takes=("model", "start", "skip"),
    ties="later",
)


def _count_classes(config: Config) -> int:
    """The number of classes that the labels of a training name."""
    return len(_SIDES) if config.sides else config.num_classes


def _check_validation(config: Config, inputs: Inputs) -> dict[str, np.ndarray]:
    """The fields of the validation that the network sees."""
    images = np.asarray(inputs.validation["image"])
    if images.ndim != 5:
        raise InputError(
            f"validation volumes: expected volumes (n, s, h, w, c), got shape {images.shape}"
        )
    check_images(images.reshape(-1, *images.shape[2:]), name="validation volumes")
    labels = np.asarray(inputs.validation["label"])
    check_classes(labels, _count_classes(config), name="validation labels")
    if not config.saliency:
        return {"image": images}
    if "saliency" not in inputs.validation:
        raise InputError(
            "validation: expected saliency, since the network takes maps, got none: give (n, s, h,"
            " w, 1)"
        )
    maps = np.asarray(inputs.validation["saliency"])
    check_saliency(maps, images.shape, name="validation saliency")
    return {"image": images, "saliency": maps}
