"""Images grouped by what a frozen classifier decides on them; the labels of the data play no part."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int

from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_images
from cfx_jax.counterfactuals.cycle import decided_class
from cfx_jax.data.source import check_indices, load_arrays
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from trainers.relabelled import RelabelledSource

_BATCHES_READ = 16
"""Batches that are in memory at once while a source is read."""
_NAMES = ("decided 0", "decided 1")


def decide(
    classifier: Classifier,
    images: Float[np.ndarray, "n h w c"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Int[np.ndarray, " n"]:
    """The classes that a classifier of two classes decides on.

    Args:
        classifier: one image -> two logits.
        images: values in [0, 1].
        batch_size: images computed at once.
        mesh: devices to spread them over.

    Returns:
        0 or 1 for each image.

    Raises:
        InputError: another number of classes.
    """
    return map_examples(_decide, as_pytree(classifier), images, batch_size=batch_size, mesh=mesh)


def decide_source(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Int[np.ndarray, " n"]:
    """As ``decide``, for items of a random-access source, read in parts.

    Raises:
        InputError: another number of classes, or indices that do not fit the source.
    """
    positions, size = check_indices(source, indices), _BATCHES_READ * batch_size
    parts = [positions[first : first + size] for first in range(0, len(positions), size)]
    images = (load_arrays(source, part, fields=("image",))["image"] for part in parts)
    return np.concatenate(
        [decide(classifier, each, batch_size=batch_size, mesh=mesh) for each in images]
    )


def check_both_decided(decisions: Int[np.ndarray, " n"], *, name: str) -> None:
    """Checks that each class is decided on for some image.

    Raises:
        InputError: giving the count of each class.
    """
    counts = np.bincount(decisions, minlength=2)
    if not counts.all():
        raise InputError(
            f"classifier: expected decisions for both classes on the {name}, since each needs some,"
            f" got class 0 for"
            f" {counts[0]} and class 1 for {counts[1]} of them: add images of the other kind, train"
            f" the classifier"
            " further, or move its threshold with models.thresholded"
        )


def decide_validation(
    classifier: Classifier,
    validation: Mapping[str, np.ndarray],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> tuple[Float[np.ndarray, "n h w c"], Int[np.ndarray, " n"]]:
    """The validation images of a training that needs both decisions, and the decisions.

    Args:
        classifier, batch_size, mesh: as in ``decide``.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].

    Returns:
        The images, and 0 or 1 for each.

    Raises:
        InputError: images outside [0, 1], another number of classes, or one decision alone.
    """
    images = np.asarray(validation["image"])
    check_images(images, name="validation images")
    decisions = decide(classifier, images, batch_size=batch_size, mesh=mesh)
    check_both_decided(decisions, name="validation images")
    return images, decisions


def decided_source(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    balanced: bool,
    batch_size: int,
    mesh: Mesh | None = None,
) -> RelabelledSource:
    """The items that a training draws its batches from, with decisions only where batches are
    balanced by them.

    Args:
        classifier: one image -> logits, of two classes where balanced.
        source: random-access data set whose items hold ``image``.
        indices: the items to train on.
        balanced: whether batches are to hold as many images of each decision.
        batch_size: images decided at once.
        mesh: devices to spread them over.

    Returns:
        The items; without balance their labels are all 0, and nothing looks at them.

    Raises:
        InputError: indices that do not fit the source; where balanced, another number of classes,
            or one decision alone.
    """
    positions = check_indices(source, indices)
    if not balanced:
        return RelabelledSource(source, positions, np.zeros(len(positions), np.int64), _NAMES)
    decisions = decide_source(classifier, source, positions, batch_size=batch_size, mesh=mesh)
    check_both_decided(decisions, name="training images")
    return RelabelledSource(source, positions, decisions, _NAMES)


def _decide(classifier: Classifier, image: Float[Array, "h w c"]) -> Int[Array, ""]:
    return decided_class(classifier, image)
