"""What the TensorFlow Datasets (TFDS) builders of sets of CT scans have in common.

The slices of a scan are stored below one another as one PNG file of 8 bits, and what was marked in
it as another, on the scan's own grid. A step of 8 bits is 5.5 Hounsfield units of a window for
lungs and 0.3 of one for brains.
"""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import UInt8

from cfx_jax.data.ct_scan import read_ct_scan
from cfx_jax.data.nifti import read_nifti
from cfx_jax.data.published.builder import PublishedBuilder, in_order, png
from cfx_jax.errors import InputError, import_extra

Examples = Iterator[tuple[str, dict[str, Any]]]


class ScanRecord(Protocol):
    """What a reader tells of one scan."""

    @property
    def name(self) -> str:
        """Different for every scan of the set."""

    @property
    def scan(self) -> Path:
        """The NIfTI file."""

    @property
    def marks(self) -> Path | None:
        """The NIfTI file of what was marked in it, if any."""

    def facts(self) -> dict[str, Any]:
        """What else is known of it, as text and numbers."""


class ScanBuilder(PublishedBuilder):
    """A builder of scans; ``size`` are the numbers of slices, rows and columns.

    Args:
        has_air: see ``hounsfield_units``.
        options: what ``PublishedBuilder`` takes.
    """

    what = "scans"
    window: ClassVar[tuple[float, float]]  # HU that become 0 and 1
    most_marks: ClassVar[int]  # the highest value of the files of marks

    def __init__(self, *, has_air: bool = True, **options: Any) -> None:
        self._has_air = has_air
        super().__init__(**options)
        self._arguments["has_air"] = has_air

    @staticmethod
    def is_used(record: Any) -> bool:
        """Whether a scan becomes part of the set."""
        del record
        return True

    def features(self) -> dict[str, Any]:
        """The TFDS features of a scan."""
        slices, height, width = self._size
        return {
            "image": tfds.features.Image(shape=(slices * height, width, 1), encoding_format="png"),
            "marks": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
            "name": tfds.features.Text(),
        }

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        records = self.read(Path(dl_manager.manual_dir))
        used = [record for record in records if self.is_used(record)]
        self.info.metadata.update(
            digest=self.digest(records), left_out=len(records) - len(used), facts=[]
        )
        return {"images": self._generate_examples(used)}

    def _generate_examples(self, records: Sequence[ScanRecord]) -> Examples:
        # Scans are large: few at a time. Their own shapes are known when they are read; TFDS writes
        # the metadata last.
        examples = in_order(self._example, records, num_threads=min(4, os.cpu_count() or 1))
        for record, (shape, example) in zip(
            records, self._bar(examples, "scans", len(records)), strict=True
        ):
            self.info.metadata["facts"].append({**record.facts(), "native_shape": list(shape)})
            yield record.name, example

    def _example(self, record: ScanRecord) -> tuple[tuple[int, int, int], dict[str, Any]]:
        scan = read_ct_scan(
            record.scan, window=self.window, shape=self._size, has_air=self._has_air
        )
        tall = scan.slices.reshape(-1, scan.slices.shape[-1])
        marks = io.BytesIO(_plain_png(self._marks(record)))
        return scan.native_shape, {"image": png(tall), "marks": marks, "name": record.name}

    def _marks(self, record: ScanRecord) -> UInt8[np.ndarray, "nh w"]:
        """What was marked, slices below one another; a single 0 where nothing was."""
        if record.marks is None:
            return np.zeros((1, 1), np.uint8)
        marks = read_nifti(record.marks, num_sequences=1, labels=True, placed_as=record.scan).array
        if marks.min() < 0 or marks.max() > self.most_marks:
            raise InputError(
                f"'{record.marks}': expected values in 0..{self.most_marks}, got"
                f" {marks.min()}..{marks.max()}: download it "
                f"again from {self.page}"
            )
        return marks.astype(np.uint8).reshape(-1, marks.shape[-1])


def _plain_png(values: UInt8[np.ndarray, "h w"]) -> bytes:
    """A PNG file that holds the values themselves."""
    cv2 = import_extra("cv2", "writing image files")
    return cv2.imencode(".png", values)[1].tobytes()
