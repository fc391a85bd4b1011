"""Trainings of classifiers: settings that the images decide, the run, and the check after it."""

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flax import nnx

from cfx_jax.diagnosis import check_diagnosis
from cfx_jax.models import per_image
from experiments.shared.images import ImageSet
from experiments.shared.notices import notify
from experiments.shared.workspace import Arrays, Workspace
from trainers.supervised import SupervisedConfig, scheduled

C = TypeVar("C", bound=SupervisedConfig)


def fit_to_images(settings: C, images: ImageSet, workspace: Workspace) -> C:
    """A training's settings with the classes, channels, normalisation and steps of its images.

    Args:
        settings: of the training.
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
    return scheduled(fitted, images.labels)


def _moments(images: ImageSet) -> Arrays:
    """Mean and standard deviation of each channel, rounded to four decimals."""
    count, total, squares = 0, 0.0, 0.0
    for chunk in images.chunks():
        count += chunk[..., 0].size
        total = total + chunk.sum((0, 1, 2), np.float64)
        squares = squares + np.square(chunk, dtype=np.float64).sum((0, 1, 2))
    mean = np.asarray(total) / count
    return {"mean": mean.round(4), "std": np.sqrt(np.asarray(squares) / count - mean**2).round(4)}


def train_network(
    name: str,
    trainer: Any,
    settings: SupervisedConfig,
    images: ImageSet,
    validation: ImageSet,
    folder: Path,
    **options: Any,
) -> nnx.Module:
    """Trains a classifier, or reads it from its folder, and checks that it can be explained.

    Args:
        name: what is printed at its start.
        trainer: the module of the trainer.
        settings: of the training.
        images: it is trained on.
        validation: images by which the weights are chosen.
        folder: keeps the weights.
        options: of the trainer.

    Raises:
        InputError: a network that cannot be explained, see ``check_diagnosis``.
    """
    print(f"{name}: {settings.num_steps} steps in {folder}", flush=True)
    arrays = validation.arrays
    model: nnx.Module = trainer.train(
        settings, images.source, images.indices, arrays, folder, **options
    )
    check_diagnosis(per_image(model), arrays["image"][:4], show=notify)
    return model
