"""Parts that trainings of image classifiers share: settings, first state and validation."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax import files
from cfx_jax.checks import InputError, check_classes
from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.models import (
    FindingClassifier,
    build,
    by_torchvision_names,
    import_weights,
    read_tensors,
    torchvision_name,
)
from cfx_jax.objectives import decision
from cfx_jax.parallel import apply_to_examples

from .batches import labelled_batches
from .networks import Evaluate, ModelFactory, State, classifier_of, first_state, graph_of
from .optimisers import OptimiserSettings, make_optimiser
from .run_settings import RunSettings
from .trainer import Inputs, TrainingBatches, give_network
from .validation import validation_images

Model = TypeVar("Model", bound=nnx.Module)

_COLOURS = 3


@dataclass(frozen=True)
class SupervisedConfig:
    """Settings that every training of a classifier has. Defaults: Boreiko et al. 2022."""

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
    optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(
            rule="sgd",  # paper
            learning_rate=0.01,  # paper; fine-tuning 0.001
            momentum=0.9,  # released code
            nesterov=True,  # released code; fine-tuning: no
            weight_decay=5e-4,  # released code
            schedule="cosine",  # paper; fine-tuning: triangle
        )
    )
    """How weights move."""
    balanced: bool = True
    """Whether each batch holds as many images of each class (paper: DR oversampled)."""
    run: RunSettings = field(
        default_factory=lambda: RunSettings(
            epochs=500,  # paper
            batch_size=128,  # paper
            evaluate_every=0,  # released code: each epoch
            eval_batch_size=128,
        )
    )
    """How long the training runs."""


def _build(config: SupervisedConfig, rngs: nnx.Rngs) -> nnx.Module:
    return build(
        config.model,
        num_classes=config.num_classes,
        in_channels=config.in_channels,
        mean=config.mean,
        std=config.std,
        rngs=rngs,
    )


finish = give_network(_build)
"""The ``finish`` of all trainers of classifiers: it gives the network in evaluation mode."""


def choose_model(config: SupervisedConfig, inputs: Inputs) -> ModelFactory:
    """The given factory, or the one that builds the configuration's network."""
    return inputs.choose(_build, config)


def init(key: PRNGKeyArray, config: SupervisedConfig, inputs: Inputs) -> State:
    """The state before the first step: weights of ``inputs.start``, of the file, or random ones.

    Where a training goes on from a checkpoint, the weights of the file are not imported again. The
    file must still be there: every start compares its digest with the first start's.

    Raises:
        InputError: an unknown network, optimiser or schedule; as ``with_pretrained``.
    """
    optimiser = make_optimiser(config.optimiser, config.run)
    if inputs.start is not None:
        return first_state(inputs.start, optimiser)
    network = choose_model(config, inputs)(nnx.Rngs(key))
    if config.weights and not inputs.resumed:
        network = with_pretrained(network, config.weights)
    return first_state(network, optimiser)


def make_evaluate(config: SupervisedConfig, inputs: Inputs) -> Evaluate:
    """The validation of a state on ``image`` ``(n, h, w, c)`` and ``label`` ``(n,)``.

    Returns:
        ``state -> {"validation_accuracy", "validation_balanced_accuracy"}``, of the network in
        evaluation mode.

    Raises:
        InputError: images outside [0, 1], labels that are no class.
    """
    images, labels = validation_images(inputs), np.asarray(inputs.validation["label"])
    check_classes(jnp.asarray(labels), config.num_classes, name="validation labels")
    predict = make_predict(config, inputs, images)
    return lambda state: score_logits("validation", predict(state), labels)


def make_predict(
    config: SupervisedConfig, inputs: Inputs, images: Float[np.ndarray, "n h w c"]
) -> Callable[[State], Float[np.ndarray, "n k"]]:
    """Makes the function that computes a state's logits of some images.

    Returns:
        ``state -> logits`` of the network in evaluation mode.
    """
    graphdef, size = graph_of(choose_model(config, inputs)), config.run.eval_batch_size

    def predict(state: State) -> Float[np.ndarray, "n k"]:
        classifier = classifier_of(graphdef, state.params, state.rest)
        return apply_to_examples(classifier, images, batch_size=size, mesh=inputs.mesh)

    return predict


def score_logits(
    prefix: str, logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> dict[str, float]:
    """Accuracy and balanced accuracy under names that begin with ``prefix``."""
    correct = np.asarray(decision(logits)) == labels
    return {
        f"{prefix}_accuracy": accuracy(correct),
        f"{prefix}_balanced_accuracy": balanced_accuracy(correct, labels),
    }


def check_data(config: SupervisedConfig, inputs: Inputs) -> None:
    """Checks that the data and the configuration agree on classes and channels.

    Raises:
        InputError: the data has another number of classes or channels than the configuration, or
            both a file of weights and a model to start from are given.
    """
    names = inputs.source.class_names
    if len(names) != config.num_classes:
        raise InputError(
            f"num_classes: expected {len(names)} as the data has ({', '.join(names)}), got"
            f" {config.num_classes}: change one of them"
        )
    if config.weights and inputs.start is not None:
        raise InputError(
            "weights: expected none, since the training starts from a given model, got"
            f" {config.weights!r}"
        )
    check_channels(config, inputs)


def check_channels(config: SupervisedConfig, inputs: Inputs) -> None:
    """Checks that the configuration's own network takes the channels of the images.

    Raises:
        InputError: the images have another number of channels than ``in_channels``.
    """
    channels = np.shape(inputs.validation["image"])[-1]
    if inputs.model is None and channels != config.in_channels:
        raise InputError(
            f"in_channels: expected {channels} as the images have, got {config.in_channels}"
        )


def make_batches(config: SupervisedConfig, inputs: Inputs) -> TrainingBatches:
    """Batches of ``image`` and ``label``; errors as ``labelled_batches``."""
    batches = labelled_batches(config.run, inputs, balanced=config.balanced)
    return batches._replace(depends={**batches.depends, **describe_weights(config)})


def describe_weights(config: SupervisedConfig) -> dict[str, str]:
    """The digest of the file that a training starts from; empty where there is none."""
    return {"start": f"file {weights_digest(config.weights)}"} if config.weights else {}


def with_pretrained(model: Model, file: str | os.PathLike[str]) -> Model:
    """A copy of a network whose layers have the weights of a file, but for the last layer.

    A model of grey images takes the sum of a convolution's three kernels of colour. It gives what
    the network of the file gives for the grey image in three equal channels, if that normalises
    all three channels alike. The model keeps its own normalisation: build it with the mean and the
    deviation of your images.

    Args:
        model: a ``ResNet``, ``EfficientNet``, ``InceptionV3`` or ``DenseNet``, or a
            ``FindingClassifier`` over one, whose own layers after the feature maps keep their
            weights; it is not changed.
        file: a file of tensors by names that ``models.import_weights`` takes, as
            ``models.read_tensors`` takes it, such as torchvision's ResNet-50 or timm's
            EfficientNet-B0.

    Returns:
        The copy, in the mode of ``model``.

    Raises:
        InputError: a file that cannot be read or is of another architecture, naming what is missing
            or left over.
    """
    tensors = read_tensors(file)
    try:
        if isinstance(model, FindingClassifier):
            copy = nnx.clone(model)
            copy.backbone = _import(model.backbone, tensors)
            return copy
        return _import(model, tensors)
    except InputError as error:
        raise InputError(f"weights: {file} does not fit {type(model).__name__}: {error}") from None


def weights_digest(file: str | os.PathLike[str]) -> str:
    """The first twelve hexadecimal digits of the SHA-256 of a file's content.

    Args:
        file: as in ``with_pretrained``; an empty name for no file, whose digest is empty.

    Raises:
        InputError: the file cannot be read.
    """
    if not os.fspath(file):
        return ""
    try:
        path = Path(file)
        status = path.stat()
        return _digest(path, (status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise InputError(
            f"weights: expected a file of weights, {file} cannot be read: {error.strerror}"
        ) from None


@lru_cache
def _digest(path: Path, status: tuple[int, ...]) -> str:
    """Reads a file once as long as its status stays: many trainings may name the same one."""
    del status
    return files.digest(path)[:12]


def _import(network: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    tensors = by_torchvision_names(network, tensors)
    variables = nnx.to_flat_state(nnx.state(network, (nnx.Param, nnx.BatchStat)))
    shapes = {torchvision_name(network, path): value.shape for path, value in variables}
    last = torchvision_name(network, ("head", "kernel")).removesuffix(".weight")
    # A backbone of a FindingClassifier has no last layer of its own.
    has_last = any(name.startswith(f"{last}.") for name in shapes)
    fitting = {name: _to_grey(tensor, shapes.get(name, ())) for name, tensor in tensors.items()}
    if not has_last:
        fitting = {
            name: tensor for name, tensor in fitting.items() if not name.startswith(f"{last}.")
        }
    return import_weights(network, fitting, keep=(last,) if has_last else ())


def _to_grey(tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A convolution's kernel of three colours, summed where the network's takes one channel."""
    is_of_colours = tensor.ndim == 4 and tensor.shape[1] == _COLOURS
    takes_grey = len(shape) == 4 and shape[2] == 1
    return tensor.sum(axis=1, keepdims=True) if is_of_colours and takes_grey else tensor
