"""The sets as TensorFlow Datasets (TFDS) builders, which need no TensorFlow to build or to read.

``RSNAPneumonia`` and ``MSDBrainTumour`` drive them; by hand, with TFDS alone:

    builder = MSDBrain(data_dir=folder, size=224)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw_folder))
    examples = builder.as_data_source("images")

The split is called ``images`` and holds the whole set; see ``published.builder`` for what all
builders share.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float, Int

from cfx_jax.data.dicom import read_dicom
from cfx_jax.data.published.builder import PublishedBuilder, in_order, png
from cfx_jax.data.radiology_sets import msd, rsna
from cfx_jax.data.radiology_sets.msd import BrainRecord, BrainSlices, read_slices
from cfx_jax.data.radiology_sets.rsna import MOST_BOXES, Box, ChestRecord
from cfx_jax.data.sources.resizing import resize
from cfx_jax.errors import InputError

Examples = Iterator[tuple[str, dict[str, Any]]]


class RSNA(PublishedBuilder):
    """The RSNA pneumonia set, see ``read_rsna``: the normal images and those with opacities."""

    name = "rsna_pneumonia"
    page = rsna.PAGE
    what = "radiographs"
    read = staticmethod(rsna.read_rsna)
    digest = staticmethod(rsna.digest)

    def features(self) -> dict[str, Any]:
        """The TFDS features of a radiograph."""
        return {
            "image": self._image(channels=1),
            "boxes": tfds.features.Tensor(shape=(MOST_BOXES, 4), dtype=np.int64),
            "num_boxes": np.int64,
            "label": np.int64,
            "name": tfds.features.Text(),
        }

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        records = self.read(Path(dl_manager.manual_dir))
        kept = [record for record in records if record.label is not None]
        facts = [{"name": record.name, "label": record.label} for record in kept]
        self.info.metadata.update(
            digest=self.digest(records), left_out=len(records) - len(kept), facts=facts
        )
        return {"images": self._generate_examples(kept)}

    def _generate_examples(self, records: Sequence[ChestRecord]) -> Examples:
        examples = in_order(self._example, records, num_threads=os.cpu_count() or 1)
        yield from self._bar(examples, "radiographs", len(records))

    def _example(self, record: ChestRecord) -> tuple[str, dict[str, Any]]:
        image = read_dicom(record.image)
        if image.shape[-1] != 1:
            raise InputError(
                f"'{record.image}': expected a grey image, got colour: download it again from"
                f" {self.page}"
            )
        boxes = np.array(
            [scaled_box(box, image.shape[:2], self._size) for box in record.boxes], int
        ).reshape(-1, 4)
        resized = resize(image[..., 0], (self._size, self._size))
        return record.name, {
            "image": png(resized.clip(0, 1)),
            "boxes": np.pad(boxes, ((0, MOST_BOXES - len(boxes)), (0, 0))),
            "num_boxes": len(boxes),
            "label": record.label,
            "name": record.name,
        }


class MSDBrain(PublishedBuilder):
    """The brain tumours of the Medical Segmentation Decathlon, see ``read_msd_brain``: axial slices
    of T1 after gadolinium."""

    name = "msd_brain_tumour"
    page = msd.PAGE
    what = "volumes"
    read = staticmethod(msd.read_msd_brain)
    digest = staticmethod(msd.digest)

    def features(self) -> dict[str, Any]:
        """The TFDS features of a slice."""
        return {
            "image": self._image(channels=1),
            "lesion_mask": self._image(channels=1),
            "body_mask": self._image(channels=1),
            "patient": tfds.features.Text(),
            "slice": np.int64,
        }

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        records = self.read(Path(dl_manager.manual_dir))
        self.info.metadata.update(digest=self.digest(records), left_out=0, facts=[])
        return {"images": self._generate_examples(records)}

    def _generate_examples(self, records: Sequence[BrainRecord]) -> Examples:
        # Which slices show the body is known when their volume is read; TFDS writes the metadata at
        # the end.
        volumes = in_order(self._slices, records, num_threads=min(4, os.cpu_count() or 1))
        for record, slices in zip(
            records, self._bar(volumes, "volumes", len(records)), strict=True
        ):
            self.info.metadata["left_out"] += msd.NUM_SLICES - len(slices.numbers)
            for number, image, tumour, body in zip(*slices, strict=True):
                facts = {
                    "patient": record.name,
                    "slice": int(number),
                    "tumour_pixels": int(tumour.sum()),
                }
                self.info.metadata["facts"].append(facts)
                example = {"image": png(image), "lesion_mask": png(tumour), "body_mask": png(body)}
                yield (
                    f"{record.name}_{number:03d}",
                    {**example, "patient": record.name, "slice": int(number)},
                )

    def _slices(self, record: BrainRecord) -> BrainSlices:
        return read_slices(record, size=self._size)


def scaled_box(box: Box, shape: tuple[int, int], size: int) -> Int[np.ndarray, "4"]:
    """A box in pixels of the resized image: those whose centre is in the box, or the one at its
    centre if none is.

    Args:
        box: y0, x0, y1, x1 in pixels of the original image.
        shape: height and width of the original image.
        size: side of the resized image.

    Returns:
        y0, x0, y1, x1, half-open, within the image.
    """
    ends: Float[np.ndarray, "2 2"] = np.array(box).reshape(2, 2) * size / np.array(shape)
    low, high = np.ceil(ends - 0.5).astype(int)
    middle = np.floor(ends.mean(axis=0)).astype(int)
    empty = high <= low
    low, high = np.where(empty, middle, low), np.where(empty, middle + 1, high)
    return np.concatenate([low.clip(0, size - 1), high.clip(1, size)])
