"""CelebA as a TensorFlow Datasets (TFDS) builder, which needs no TensorFlow to build or to read.

TFDS has a builder of its own, ``celeb_a``, which downloads the set and keeps whole photographs.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from cfx_jax.data.face_sets import celeba
from cfx_jax.data.face_sets.celeba import FaceRecord, crop_face
from cfx_jax.data.published.builder import PublishedBuilder, in_order, png
from cfx_jax.data.published.pictures import read_picture
from cfx_jax.data.sources.resizing import resize

Examples = Iterator[tuple[str, dict[str, Any]]]


class CelebAFaces(PublishedBuilder):
    """The photographs of CelebA, see ``read_celeba``, cropped by ``crop_face`` and resized.

    Deviation from the released code of Singla et al. (2020), which resizes linearly: what shrinks,
    to less than 150 pixels, is averaged over areas.
    """

    name = "celeba_faces"
    page = celeba.PAGE
    what = "photographs"
    read = staticmethod(celeba.read_celeba)
    digest = staticmethod(celeba.digest)

    def features(self) -> dict[str, Any]:
        """The TFDS features of a photograph."""
        return {"image": self._image(channels=3), "name": tfds.features.Text()}

    def _split_generators(self, dl_manager: Any) -> dict[str, Examples]:
        records = self.read(Path(dl_manager.manual_dir))
        facts = [
            {key: value for key, value in each._asdict().items() if key != "image"}
            for each in records
        ]
        self.info.metadata.update(digest=self.digest(records), facts=facts)
        return {"images": self._generate_examples(records)}

    def _generate_examples(self, records: Sequence[FaceRecord]) -> Examples:
        examples = in_order(self._example, records, num_threads=os.cpu_count() or 1)
        yield from self._bar(examples, "photographs", len(records))

    def _example(self, record: FaceRecord) -> tuple[str, dict[str, Any]]:
        photograph = read_picture(record.image, channels=3, page=self.page)
        face = crop_face(photograph, name=f"'{record.image}'")
        resized = resize(face, (self._size, self._size))
        # OpenCV writes blue first.
        return record.name, {"image": png(resized[..., ::-1]), "name": record.name}
