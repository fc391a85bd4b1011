"""Settings that a training takes from its images: classes, channels, normalisation, steps."""

import dataclasses
from typing import TypeVar

import numpy as np

from experiments.shared.images import ImageSet
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
