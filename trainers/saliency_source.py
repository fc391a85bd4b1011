"""Volumes together with their saliency maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.data.source import labels_of
from cfx_jax.errors import InputError


@dataclass(frozen=True, eq=False)
class SaliencySource:
    """Volumes of a source, each with ``saliency``; its items hold that, ``image`` and ``label``.

    Attributes:
        source: random-access, the ``image`` of its items (s, h, w, c).
        maps: of every item, (s, h, w, 1) float32; an array, or anything that reads them by position.
    """

    source: Any
    maps: Sequence[Float[np.ndarray, "s h w 1"]] | Float[np.ndarray, "n s h w 1"]

    def __post_init__(self) -> None:
        if len(self.maps) != len(self.source):
            raise InputError(
                f"maps: expected one for each of the {len(self.source)} volumes, got {len(self.maps)}: make them for every"
                " item, in the source's order"
            )

    @property
    def class_names(self) -> Sequence[str]:
        """Of the volumes."""
        return self.source.class_names

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Of the volumes."""
        return labels_of(self.source)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        item, saliency = self.source[index], np.asarray(self.maps[index])
        check_saliency(saliency, item["image"].shape, name=f"map {index}")
        return {"image": item["image"], "label": item["label"], "saliency": saliency}


def check_saliency(maps: Float[np.ndarray, "..."], shape: tuple[int, ...], *, name: str) -> None:
    """Checks saliency maps: of one channel, on the grid of their volumes, float32 and finite.

    Args:
        maps: one map (s, h, w, 1) or several.
        shape: that of the volume or volumes.
        name: what the message calls them.

    Raises:
        InputError: naming what is wrong.
    """
    expected = (*shape[:-1], 1)
    if maps.shape != expected or maps.dtype != np.float32:
        raise InputError(
            f"{name}: expected float32 of shape {expected}, got {maps.dtype} of shape {maps.shape}: make maps on the slices"
            " and the size that the network sees"
        )
    if not np.isfinite(maps).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: make them again, or leave out these volumes"
        )
