"""Sets of computed tomography (CT): how scans are stored, and sources of them.

The slices of a scan are stored below one another as one PNG file of 8 bits, and what was marked in
it as another, on the scan's own grid. A step of 8 bits is 5.5 Hounsfield units (HU) of a window for
lungs and 0.3 of one for brains.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int, UInt8

from cfx_jax.checks import check_count
from cfx_jax.data.ct_scan import read_ct_scan
from cfx_jax.data.nifti import read_nifti
from cfx_jax.data.sets.stored.pictures import plain_png, png
from cfx_jax.data.sets.stored.spec import Example, Kind, SetSpec
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.data.slice_resizing import resize_labels, slice_indices
from cfx_jax.errors import InputError


class ScanRecord(Protocol):
    """One scan, as a reader lists it."""

    @property
    def name(self) -> str:
        """A name that no other scan of the set has."""

    @property
    def scan(self) -> Path:
        """The NIfTI file of the scan."""

    @property
    def marks(self) -> Path | None:
        """The NIfTI file of the marks in it, if there are any."""

    def facts(self) -> dict[str, Any]:
        """Other facts of the scan, as text and numbers."""


class StoredScans(StoredSet):
    """Scans as a random-access source; ``size`` are the numbers of slices, rows and columns.

    Arguments, attributes and errors as of ``StoredSet``.
    """

    @cached_property
    def native_shapes(self) -> Int[np.ndarray, "n 3"]:
        """Numbers of slices, rows and columns of each scan as it was published."""
        return self._facts("native_shape")

    def places(self, index: int) -> Int[np.ndarray, " s"]:
        """The places of an item's slices in the published scan, for ``to_native_grid``."""
        return slice_indices(int(self.native_shapes[index][0]), self.size[0])

    def native_marks(self, index: int) -> UInt8[np.ndarray, "n H W"]:
        """The marks in a scan, on its own grid of voxels.

        Args:
            index: the item.

        Returns:
            Whole numbers, 0 where nothing was marked.

        Raises:
            InputError: the scan has no such file.
        """
        example, shape = self._example(index), self.native_shapes[index]
        if example["marks"].size != np.prod(shape):
            raise InputError(
                f"index: expected a scan in which something was marked, got {index}:"
                f" '{example['name'].decode()}'"
            )
        return example["marks"].reshape(shape)

    def marks(self, index: int) -> UInt8[np.ndarray, "s h w"]:
        """The marks in an item's own slices at their size; else as ``native_marks``."""
        return resize_labels(self.native_marks(index)[self.places(index)], self.size[1:])

    @staticmethod
    def _check_size(size: Any) -> None:
        if not isinstance(size, tuple) or len(size) != 3:
            raise InputError(
                f"shape: expected numbers of slices, rows and columns, got {size}: give e.g. (11,"
                " 128, 128)"
            )
        for number in size:
            check_count(number, name="shape")


def scan_spec(
    name: str,
    read: Callable[[str | Path], Sequence[ScanRecord]],
    examples: Callable[[Any, tuple[int, int, int]], list[Example]],
    *,
    page: str,
    stored_name: str,
) -> SetSpec:
    """A set of scans; arguments as of ``SetSpec``."""
    return SetSpec(
        name=name,
        stored_name=stored_name,
        page=page,
        entries="scans",
        read=read,
        features={"image": Kind.GREY, "marks": Kind.MARKS, "name": Kind.TEXT},
        examples=examples,
        at_once=4,  # scans are large
    )


def scan_example(
    record: ScanRecord,
    shape: tuple[int, int, int],
    *,
    window: tuple[float, float],
    most_marks: int,
    page: str,
    has_air: bool = True,
) -> Example:
    """Reads a scan and what was marked in it.

    Args:
        record: the scan.
        shape: numbers of slices, rows and columns wanted.
        window: HU that become 0 and 1.
        most_marks: the highest value that a file of marks may hold.
        page: the address from which the set is downloaded.
        has_air: see ``hounsfield_units``.

    Returns:
        The example, with the scan's own shape among the facts.

    Raises:
        InputError: a file cannot be used, see ``read_ct_scan``, or holds other marks.
    """
    scan = read_ct_scan(record.scan, window=window, shape=shape, has_air=has_air)
    below_one_another = scan.slices.reshape(-1, scan.slices.shape[-1])
    fields = {
        "image": png(below_one_another),
        "marks": plain_png(_read_marks(record, most_marks, page)),
        "name": record.name,
    }
    return Example(record.name, fields, {**record.facts(), "native_shape": list(scan.native_shape)})


def _read_marks(record: ScanRecord, most_marks: int, page: str) -> UInt8[np.ndarray, "nh w"]:
    """The marks in a scan, slices below one another; a single 0 where there are none."""
    if record.marks is None:
        return np.zeros((1, 1), np.uint8)
    marks = read_nifti(record.marks, num_sequences=1, labels=True, placed_as=record.scan).array
    if marks.min() < 0 or marks.max() > most_marks:
        raise InputError(
            f"'{record.marks}': expected values in 0..{most_marks}, got"
            f" {marks.min()}..{marks.max()}: download it again from {page}"
        )
    return marks.astype(np.uint8).reshape(-1, marks.shape[-1])
