"""Images with the bin of a frozen classifier's probability as their label; the labels of the data
play no part.
"""

from typing import Any

import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int

from cfx_jax.callables import as_pytree
from cfx_jax.counterfactuals.progressive import check_two_classes, class_1_probability
from cfx_jax.data import bin_counts, probability_bins
from cfx_jax.data.source import check_indices, load_arrays
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from trainers.relabelled import RelabelledSource

_BATCHES_READ = 16
"""Batches that are in memory at once while a source is read."""


def source_probabilities(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    batch_size: int,
    mesh: Mesh | None = None,
) -> Float[np.ndarray, " n"]:
    """The classifier's probability of class 1 at items of a random-access source, read in parts.

    Args:
        classifier: one image -> two logits.
        source: its items hold ``image``.
        indices: the items.
        batch_size: images computed at once.
        mesh: devices to spread them over.

    Returns:
        One probability for each item, for ``data.bins.probability_bins`` and ``calibrated_sample``.

    Raises:
        InputError: another number of classes, or indices that do not fit the source.
    """
    positions, size, frozen = (
        check_indices(source, indices),
        _BATCHES_READ * batch_size,
        as_pytree(classifier),
    )
    parts = (positions[first : first + size] for first in range(0, len(positions), size))
    images = (load_arrays(source, part, fields=("image",))["image"] for part in parts)
    return np.concatenate(
        [
            map_examples(_probability, frozen, each, batch_size=batch_size, mesh=mesh)
            for each in images
        ]
    )


def binned_source(
    classifier: Classifier,
    source: Any,
    indices: Int[np.ndarray, " n"],
    *,
    num_bins: int,
    batch_size: int,
    mesh: Mesh | None = None,
) -> RelabelledSource:
    """Items of a source, each labelled with the bin of the classifier's probability at it.

    Args:
        classifier, source, indices, batch_size, mesh: as in ``source_probabilities``.
        num_bins: equal parts of [0, 1].

    Returns:
        The items; a warning counts bins with few of them.

    Raises:
        InputError: as ``source_probabilities``; a classifier that never leaves one bin.
    """
    values = source_probabilities(classifier, source, indices, batch_size=batch_size, mesh=mesh)
    bins = probability_bins(values, num_bins=num_bins)
    bin_counts(bins, num_bins=num_bins)
    return RelabelledSource(
        source, np.asarray(indices), bins, tuple(f"bin {each}" for each in range(num_bins))
    )


def _probability(classifier: Classifier, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    check_two_classes(classifier, image)
    return class_1_probability(classifier, image)
