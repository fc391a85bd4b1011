"""What the random-access sources of CT scans have in common."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from cfx_jax.checks import check_count
from cfx_jax.data.published.source import StoredSet
from cfx_jax.data.slices import resize_labels, slice_indices
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import InputError


class StoredScans(StoredSet):
    """Scans stored by a ``ScanBuilder``, of which a source uses some.

    Attributes:
        native_shapes: numbers of slices, rows and columns of each scan as it was published.
    """

    def __len__(self) -> int:
        return len(self._indices)

    def _use(self, used: Bool[np.ndarray, " m"]) -> None:
        """Makes items of the stored scans that are used."""
        self._indices = np.flatnonzero(used)
        self.native_shapes: Int[np.ndarray, "n 3"] = self._facts("native_shape")[self._indices]

    def places(self, index: int) -> Int[np.ndarray, " s"]:
        """Where an item's slices lie in the published scan, for ``to_native_grid``."""
        return slice_indices(int(self.native_shapes[index][0]), self.size[0])

    def native_marks(self, index: int) -> UInt8[np.ndarray, "n H W"]:
        """What was marked in a scan, on its own grid of voxels.

        Args:
            index: the item.

        Returns:
            Whole numbers, 0 where nothing was marked.

        Raises:
            InputError: the scan has no such file.
        """
        record, shape = self._scan(index), self.native_shapes[index]
        if record["marks"].size != np.prod(shape):
            raise InputError(
                f"index: expected a scan in which something was marked, got {index}:"
                f" '{self._name(record)}'"
            )
        return record["marks"].reshape(shape)

    def marks(self, index: int) -> UInt8[np.ndarray, "s h w"]:
        """What was marked, in the item's own slices at their size; arguments and errors as
        ``native_marks``.
        """
        return resize_labels(self.native_marks(index)[self.places(index)], self.size[1:])

    def _scan(self, index: int) -> dict[str, Any]:
        """What is stored of an item; the item's number is one of those that the source uses."""
        return self._records[int(self._indices[index])]

    def _image(self, record: dict[str, Any]) -> Float[np.ndarray, "s h w 1"]:
        return unit_range(record["image"]).reshape(*self.size, 1)

    def _name(self, record: dict[str, Any]) -> str:
        return record["name"].decode()


def check_scan_shape(shape: tuple[int, int, int]) -> None:
    """Checks numbers of slices, rows and columns.

    Raises:
        InputError: they are not three, or one is below 1.
    """
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise InputError(
            f"shape: expected numbers of slices, rows and columns, got {shape}: give e.g. (11, 128,"
            f" 128)"
        )
    for number in shape:
        check_count(number, name="shape")
