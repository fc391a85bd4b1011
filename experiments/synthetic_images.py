"""The images of a synthetic world, drawn once and kept in the workspace."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cfx_jax.data import ImageSource, load_arrays
from experiments.image_set import ImageSet, StoredImages
from experiments.stages import Arrays, Workspace


def draw(
    name: str,
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    workspace: Workspace,
) -> Arrays:
    """Some fields of all images.

    Args:
        name: of the world, in the stage's.
        world: makes the source.
        options: of the world, on which the images depend.
        fields: those that are kept.
        workspace: keeps them.
    """

    def compute() -> Arrays:
        source = world(**options)
        return load_arrays(source, np.arange(len(source)), fields=fields, progress=True)

    return workspace.cached(f"synthetic-{name}", options, compute)


def draw_images(
    name: str,
    world: Callable[..., ImageSource],
    options: Mapping[str, Any],
    fields: Sequence[str],
    workspace: Workspace,
) -> tuple[ImageSet, Arrays]:
    """All images as a set, and their fields; arguments as of ``draw``."""
    arrays = draw(name, world, options, fields, workspace)
    stored = StoredImages(arrays, world(**options).class_names)
    return ImageSet.whole(stored, ["synthetic", name, options]), arrays
