"""What a training takes from its images: classes, channels, normalisation, and how many steps an
epoch has.
"""

import dataclasses
from typing import TypeVar

import numpy as np

from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Arrays, Workspace
from trainers import SupervisedConfig, count_steps, images_per_epoch

C = TypeVar("C", bound=SupervisedConfig)


def fit_to_images(settings: C, images: ImageSet, workspace: Workspace) -> C:
    """A training's settings with the classes, channels, normalisation and steps of its images.

    Args:
        settings: of the training.
        images: it is trained on.
        workspace: keeps the result.
    """
    found = workspace.cached("normalisation", images.identity, lambda: _moments(images))
    fitted = dataclasses.replace(
        settings,
        num_classes=len(images.class_names),
        in_channels=len(found["mean"]),
        mean=tuple(found["mean"].tolist()),
        std=tuple(found["std"].tolist()),
    )
    num_images = images_per_epoch(images.labels, balanced=fitted.balanced)
    return count_steps(fitted, num_images=num_images)


def _moments(images: ImageSet) -> Arrays:
    """Of each channel, in two sums over the images, rounded so that they name themselves."""
    count, total, squares = 0, 0.0, 0.0
    for chunk in images.chunks():
        count += chunk[..., 0].size
        total = total + chunk.sum((0, 1, 2), np.float64)
        squares = squares + np.square(chunk, dtype=np.float64).sum((0, 1, 2))
    mean = np.asarray(total) / count
    return {"mean": mean.round(4), "std": np.sqrt(np.asarray(squares) / count - mean**2).round(4)}
