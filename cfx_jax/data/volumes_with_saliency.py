"""Volumes of a source, each with its saliency map beside it, wherever the maps are kept."""

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.data.source import ImageSource, labels_of


class VolumesWithSaliency(abc.ABC):
    """A source whose items have their maps beside them: ``saliency`` float32 (s, h, w, 1).

    Args:
        source: random-access, the ``image`` of its items (s, h, w, c), with labels.

    Attributes:
        source, class_names: the source, and its classes.
        labels: of each item.

    Raises:
        InputError: a label is not one of the classes.
    """

    def __init__(self, source: ImageSource) -> None:
        self.source, self.class_names, self.labels = source, source.class_names, labels_of(source)

    @abc.abstractmethod
    def saliency_of(
        self, index: int, volume: Float[np.ndarray, "s h w c"]
    ) -> Float[np.ndarray, "s h w 1"]:
        """The map of the volume at a place of the source."""

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        index = range(len(self))[index]
        item = self.source[index]
        return {**item, "saliency": self.saliency_of(index, item["image"])}
