"""CheXpert as a TensorFlow Datasets (TFDS) builder, which needs no TensorFlow to build or to read.

TFDS has a builder of its own, ``chexpert``, which needs TensorFlow and keeps the files' sizes.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from cfx_jax.data.published.builder import PublishedBuilder, in_order, png
from cfx_jax.data.published.pictures import read_picture
from cfx_jax.data.radiology_sets import chexpert
from cfx_jax.data.radiology_sets.chexpert import CheXpertRecord

Examples = Iterator[tuple[str, dict[str, Any]]]


class CheXpertRadiographs(PublishedBuilder):
    """All radiographs of CheXpert, see ``read_chexpert``, resized to squares."""

    name = "chexpert_radiographs"
    page = chexpert.PAGE
    what = "radiographs"
    read = staticmethod(chexpert.read_chexpert)
    digest = staticmethod(chexpert.digest)

    def features(self) -> dict[str, Any]:
        """The TFDS features of a radiograph."""
        return {"image": self._image(channels=1), "name": tfds.features.Text()}

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        records = self.read(Path(dl_manager.manual_dir))
        facts = [
            {key: value for key, value in each._asdict().items() if key != "image"}
            for each in records
        ]
        self.info.metadata.update(digest=self.digest(records), facts=facts)
        return {"images": self._generate_examples(records)}

    def _generate_examples(self, records: Sequence[CheXpertRecord]) -> Examples:
        examples = in_order(self._example, records, num_threads=os.cpu_count() or 1)
        yield from self._bar(examples, "radiographs", len(records))

    def _example(self, record: CheXpertRecord) -> tuple[str, dict[str, Any]]:
        picture = read_picture(
            record.image, channels=1, page=self.page, size=(self._size, self._size)
        )
        return record.name, {"image": png(picture), "name": record.name}
