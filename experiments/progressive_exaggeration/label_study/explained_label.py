"""The label of a classifier that is explained, on test images of either decision."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.data import Data
from experiments.progressive_exaggeration.label_study.classifiers import Network
from experiments.shared import ImageSet


class Subject(NamedTuple):
    """A label of a classifier.

    Attributes:
        data: the images that the classifier was tested on, and that explainers are trained on.
        network: the classifier of all labels.
        label: position of the explained one.
        queries: the test images that are explained, as many of either decision.
    """

    data: Data
    network: Network
    label: int
    queries: ImageSet

    @property
    def classifier(self) -> Classifier:
        """One image -> two logits."""
        return self.network.of_label(self.label)

    @property
    def identity(self) -> object:
        """Everything that the classifier's answers depend on."""
        return [self.network.identity, self.label]

    @property
    def probability(self) -> Float[np.ndarray, " n"]:
        """The probability of the label, for every test image."""
        return np.asarray(jax.nn.sigmoid(self.network.logits[:, self.label]))

    @property
    def query_labels(self) -> Int[np.ndarray, "n k"]:
        """The true labels of each query, 0 or 1."""
        return self.data.test.labels[self.data.test.rows_of(self.queries)]

    @property
    def groups(self) -> Shaped[np.ndarray, " n"] | None:
        """The group of each query, of one person or one picture, whose queries are drawn together.

        None is returned where every query is a group of its own.
        """
        groups = self.data.test.groups
        return None if groups is None else groups[self.data.test.rows_of(self.queries)]

    @property
    def unit(self) -> str:
        """The units that intervals are over, in words."""
        return "queries" if self.groups is None else self.data.test.group_unit

    @property
    def units(self) -> dict[str, Any]:
        """The units that intervals are over, as options of claims."""
        return {"groups": self.groups, "unit": "queries", "group_unit": self.data.test.group_unit}


def subject_of(config: Config, data: Data, network: Network, label: int) -> Subject:
    """A label with the first test images of either decision as its queries.

    Raises:
        InputError: a classifier that never decides on one of the two.
    """
    decided = network.logits[:, label] >= 0
    number = min(config.num_explained // 2, int(decided.sum()), int((~decided).sum()))
    if number == 0:
        raise InputError(
            f"classifier of {data.names[label]!r}: expected decisions both ways on the test images,"
            f" got {'yes' if decided[0] else 'no'} for all {len(decided)}: train longer"
            " (--classifier.run.num-steps)"
        )
    return Subject(
        data, network, label, data.test.images.take(np.sort(first_of_either(decided, number)))
    )


def first_of_either(decided: Bool[np.ndarray, " n"], number: int) -> Int[np.ndarray, " m"]:
    """Positions of the first images of either decision, at most ``number`` of each.

    The images without the label come before the others.
    """
    return np.concatenate(
        [np.flatnonzero(decided == decision)[:number] for decision in (False, True)]
    )
