"""Some items of a source with labels of a training's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class RelabelledSource:
    """Some items of a source with other labels; each holds ``image`` and ``label``.

    Attributes:
        source: random-access, its items with ``image``.
        positions: the items chosen.
        labels: of each of them.
        class_names: of these labels.
    """

    source: Any
    positions: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    class_names: Sequence[str]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        return {
            "image": self.source[int(self.positions[index])]["image"],
            "label": int(self.labels[index]),
        }
