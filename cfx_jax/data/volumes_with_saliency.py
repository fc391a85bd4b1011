"""Volumes of a source, each with its saliency map beside it, wherever the maps are kept."""

import abc
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_array
from cfx_jax.data.image_source import ImageSource, labels_of
from cfx_jax.errors import InputError


class VolumesWithSaliency(abc.ABC):
    """A source whose items have their maps beside them: ``saliency`` float32 (s, h, w, 1).

    Args:
        source: random-access, the ``image`` of its items (s, h, w, c), with labels.

    Attributes:
        source, class_names: the source, and its classes.
        labels: the label of each item.

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


class Maps(Protocol):
    """Maps read by position: an array in memory or in a file, a sequence, or what computes them."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Float[np.ndarray, "s h w 1"]: ...


class SaliencySource(VolumesWithSaliency):
    """Volumes of a source, each with ``saliency``.

    Args:
        source: random-access, the ``image`` of its items (s, h, w, c).
        maps: the map of every item, (s, h, w, 1) float32; an array, or anything that reads them by
            position.

    Attributes:
        source, class_names: the source, and its classes.
        labels: the label of each item.
        maps: the argument of the same name.

    Raises:
        InputError: not as many maps as volumes; and for an item, see ``check_saliency``.
    """

    def __init__(self, source: ImageSource, maps: Maps) -> None:
        super().__init__(source)
        if len(maps) != len(source):
            raise InputError(
                f"maps: expected one for each of the {len(source)} volumes, got {len(maps)}: make"
                " them for every item, in the source's order"
            )
        self.maps = maps

    def saliency_of(
        self, index: int, volume: Float[np.ndarray, "s h w c"]
    ) -> Float[np.ndarray, "s h w 1"]:
        """The map of the volume at a place of the source; errors as ``check_saliency``."""
        saliency = np.asarray(self.maps[index])
        check_saliency(saliency, volume.shape, name=f"map {index}")
        return saliency


def check_saliency(maps: Float[np.ndarray, "..."], shape: tuple[int, ...], *, name: str) -> None:
    """Checks saliency maps: of one channel, on the grid of their volumes, float32 and finite.

    Args:
        maps: one map (s, h, w, 1) or several.
        shape: the shape of the volume, or of the volumes.
        name: the arguments' name in messages.

    Raises:
        InputError: naming what is wrong.
    """
    check_array(maps, name=name)
    expected = (*shape[:-1], 1)
    if maps.shape != expected or maps.dtype != np.float32:
        raise InputError(
            f"{name}: expected float32 of shape {expected}, got {maps.dtype} of shape {maps.shape}:"
            " make maps on the slices and the size that the network sees"
        )
    if not np.isfinite([maps.min(), maps.max()]).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: make them again, or leave out"
            " these volumes"
        )
