"""The test images that are explained: those with an annotation, and as many of either label."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.charachon_shared import Groups, Setup, find_annotated
from experiments.shared import ImageSet, InputError, decisions, predict, probabilities


class Explained(NamedTuple):
    """Test images, and the classifier's probabilities and decisions.

    Attributes:
        images: the images, in the order of the test set.
        probability: the probability of the finding, (n,).
        predicted: the classifier's decision, (n,).
        localised: rows with an annotation, on which Table 1 is measured; none where the images have
            no annotations.
        perturbed: rows of the balanced subset of Table 2 and Figure 2.
        groups: images that are drawn together.
    """

    images: ImageSet
    probability: np.ndarray
    predicted: Int[np.ndarray, " n"]
    localised: Int[np.ndarray, " m"]
    perturbed: Int[np.ndarray, " k"]
    groups: Groups


def choose_images(setup: Setup[Any]) -> Explained:
    """Chooses the images by their labels, annotations and the order of the shuffled test set alone.

    Raises:
        InputError: fewer than two annotated images where there are annotations, or none of some
            label.
    """
    config, data, network, _ = setup
    marked = np.empty(0, np.int64) if data.annotation is None else find_annotated(config, data)
    perturbed = _balance(data.test.labels, config.faithfulness.num_images)
    positions = np.union1d(marked, perturbed)
    images = data.test.take(positions)
    logits = predict(network.classifier, images)
    return Explained(
        images,
        probabilities(logits)[:, data.finding],
        decisions(logits),
        np.searchsorted(positions, marked),
        np.searchsorted(positions, perturbed),
        Groups(images.groups, images.group_unit),
    )


def _balance(labels: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """The first positions of either label, as many of one as of the other, at most ``count``."""
    positions = [np.flatnonzero(labels == label) for label in (0, 1)]
    half = min(count // 2, *map(len, positions))
    if half < 1:
        raise InputError(
            "--faithfulness.num-images: expected at least one test image of each label, got"
            f" {count // 2} wanted of {len(positions[0])} and {len(positions[1])}: raise it, or"
            " --test"
        )
    return np.sort(np.concatenate([of_label[:half] for of_label in positions]))
