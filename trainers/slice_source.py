"""The slices of volumes as images, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from cfx_jax.data.source import labels_of
from cfx_jax.errors import InputError


@dataclass(frozen=True, eq=False)
class SliceSource:
    """Slice ``j`` of volume ``i`` is image ``i * num_slices + j``, with its volume's label.

    Each slice reads its whole volume: hold volumes in memory (``data.ArraySource``) where reading
    them takes long.

    Attributes:
        source: random-access, the ``image`` of its items (s, h, w, c).
        num_slices: s, the same in every volume.
    """

    source: Any
    num_slices: int

    @property
    def class_names(self) -> Sequence[str]:
        """Of the volumes."""
        return self.source.class_names

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Of every slice."""
        return np.repeat(labels_of(self.source), self.num_slices)

    def __len__(self) -> int:
        return len(self.source) * self.num_slices

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        number, row = divmod(index, self.num_slices)
        volume = self.source[number]
        if volume["image"].ndim != 4 or len(volume["image"]) != self.num_slices:
            raise InputError(
                f"volume {number}: expected {self.num_slices} slices (s, h, w, c), got shape"
                f" {volume['image'].shape}:"
                " sample as many slices of each volume first"
            )
        return {"image": volume["image"][row], "label": volume["label"]}
