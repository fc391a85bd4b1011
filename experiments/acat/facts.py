"""Facts of scans by which maps are judged: lesions, organs and territories."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from cfx_jax.data import to_native_grid
from cfx_jax.data.sets import IST3, MosMed
from experiments.shared import Arrays


class FactsOfScans(Protocol):
    """The facts of several scans, by their positions, read when they are asked for.

    The facts of a scan are a dict of ``image`` (s, h, w, 1) and, where they are known:

    - ``territory``, the number of the lesion's territory, or 0;
    - ``atlas`` (s, h, w), the number of each voxel's territory;
    - ``lesion_mask`` and ``organ`` (s, h, w), the voxels of the lesion, of the brain or the lung;
    - ``counterfactual`` (s, h, w, 1), the same scan without its finding;
    - ``native``, the mask on the grid of the published scan.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Mapping[str, Any]: ...


class Native(NamedTuple):
    """A mask on the grid of the published scan.

    Attributes:
        mask: (n, H, W).
        places: the places of the slices that networks see, among these n.
    """

    mask: Bool[np.ndarray, "n H W"]
    places: Int[np.ndarray, " s"]

    def on_grid(self, saliency: Float[np.ndarray, "s h w"]) -> Float[np.ndarray, "n H W"]:
        """A map of the slices that networks see, on the same grid."""
        return to_native_grid(saliency, self.places, self.mask.shape)


class StoredFacts:
    """Facts in memory, arrays by their names with the scans as leading axis."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays["image"])

    def __getitem__(self, position: int) -> Mapping[str, Any]:
        return {name: values[position] for name, values in self._arrays.items()}


class MosMedFacts:
    """The facts of MosMed's masked scans."""

    def __init__(self, source: MosMed) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, position: int) -> Mapping[str, Any]:
        item = self._source[position]
        native = Native(self._source.native_marks(position) > 0, self._source.places(position))
        return {"image": item["image"], "lesion_mask": item["lesion_mask"], "native": native}


class IST3Facts:
    """The facts of IST-3's scans.

    Without an atlas, neither a voxel nor the lesion belongs to a territory.
    """

    def __init__(self, source: IST3, images: Float[np.ndarray, "n s h w 1"]) -> None:
        self._source, self._images = source, images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, position: int) -> Mapping[str, Any]:
        image = np.asarray(self._images[position])
        has_atlas = bool(self._source.has_atlas[position])
        atlas: UInt8[np.ndarray, "s h w"] = (
            self._source.marks(position) if has_atlas else np.zeros(image.shape[:3], np.uint8)
        )
        territory = int(self._source.territories[position])
        is_known = bool((atlas == territory).any()) and territory > 0
        return {
            "image": image,
            "atlas": atlas,
            "organ": atlas > 0,
            "territory": territory if is_known else 0,
        }


class ChosenFacts:
    """The facts of chosen scans, by their positions among all."""

    def __init__(self, facts: FactsOfScans, positions: Sequence[int]) -> None:
        self._facts, self._positions = facts, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: int) -> Mapping[str, Any]:
        return self._facts[self._positions[position]]
