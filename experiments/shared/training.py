"""Trainings of classifiers: settings that the images decide, the run, and the check after it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Int

from cfx_jax.compilation import call
from cfx_jax.diagnosis import check_diagnosis
from cfx_jax.models import per_image
from experiments.shared.image_set import ImageSet
from experiments.shared.notices import notify
from experiments.shared.workspace import Arrays, Workspace
from trainers import (
    SupervisedConfig,
    Trainer,
    count_steps,
    describe_length,
    images_per_epoch,
    train,
)

C = TypeVar("C", bound=SupervisedConfig)

_call = jax.jit(call)


def fit_to_images(settings: C, images: ImageSet, workspace: Workspace) -> C:
    """A training's settings with the classes, channels, normalisation and steps of its images.

    Args:
        settings: the settings of the training.
        images: it is trained on.
        workspace: keeps the result.
    """
    moments = workspace.cached("normalisation", images.identity, lambda: _moments(images))
    fitted = dataclasses.replace(
        settings,
        num_classes=len(images.class_names),
        in_channels=len(moments["mean"]),
        mean=tuple(moments["mean"].tolist()),
        std=tuple(moments["std"].tolist()),
    )
    num_images = images_per_epoch(images.labels, balanced=fitted.balanced)
    return count_steps(fitted, num_images=num_images)


def with_image_shape(config: Any, shape: tuple[int, int, int]) -> Any:
    """A configuration with the channels and size that images set in the trainings it holds.

    Args:
        config: a dataclass that may hold others.
        shape: height, width and channels of the images.

    Returns:
        The same, with ``in_channels`` and a ``size`` of two numbers as they are in the training.
    """
    height, width, channels = shape
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name == "in_channels":
            changes[field.name] = channels
        elif field.name == "size" and isinstance(value, tuple):
            changes[field.name] = (height, width)
        elif dataclasses.is_dataclass(value):
            changes[field.name] = with_image_shape(value, shape)
    return dataclasses.replace(config, **changes)


def _moments(images: ImageSet) -> Arrays:
    """Mean and standard deviation of each channel, rounded to four decimals."""
    count, total, squares = 0, 0.0, 0.0
    for chunk in images.chunks():
        count += chunk[..., 0].size
        total = total + chunk.sum((0, 1, 2), np.float64)
        squares = squares + np.square(chunk, dtype=np.float64).sum((0, 1, 2))
    mean = np.asarray(total) / count
    return {"mean": mean.round(4), "std": np.sqrt(np.asarray(squares) / count - mean**2).round(4)}


def run_training(
    name: str,
    trainer: Trainer[Any],
    settings: Any,
    source: Any,
    indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    folder: Path,
    **options: Any,
) -> Any:
    """Prints what is trained, how long and where; then trains it, or reads it from its folder.

    Args:
        name: the name that is printed.
        trainer, settings, source, indices, validation, options: as ``trainers.train`` has them.
        folder: keeps the weights.

    Returns:
        As ``trainers.train``.

    Raises:
        InputError: as ``trainers.train``.
    """
    print(f"{name}: {describe_length(settings.run)} in {folder}", flush=True)
    return train(trainer, settings, source, indices, validation, folder, **options)


def train_network(
    name: str,
    trainer: Trainer[Any],
    settings: SupervisedConfig,
    images: ImageSet,
    validation: ImageSet,
    folder: Path,
    **options: Any,
) -> nnx.Module:
    """Trains a classifier, or reads it from its folder, and checks that it can be explained.

    Args:
        name: the name that is printed at the start.
        trainer: the trainer of the classifier.
        settings: the settings of the training.
        images: it is trained on.
        validation: images by which the weights are chosen.
        folder: keeps the weights.
        options: the options of the trainer.

    Raises:
        InputError: a network that cannot be explained, see ``check_diagnosis``.
    """
    arrays = validation.arrays
    model: nnx.Module = run_training(
        name, trainer, settings, images.source, images.indices, arrays, folder, **options
    )
    # Jitted, since each operation of a network compiles by itself elsewhere: a hundred programs.
    classifier = Partial(_call, per_image(model))
    check_diagnosis(classifier, arrays["image"][:4], show=notify)
    return model
