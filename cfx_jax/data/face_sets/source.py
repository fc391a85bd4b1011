"""CelebA as a random-access source of two classes."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.face_sets.celeba import ATTRIBUTES
from cfx_jax.data.published.source import StoredSet, check_size
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import import_extra


class CelebA(StoredSet):
    """The photographs of CelebA, with and without one of its 40 attributes.

    The first use reads every file, which takes a while; later ones open what is stored, whatever
    the attribute. Items are dicts of ``image`` float32 (size, size, 3) in [0, 1], the middle of the
    photograph, see ``crop_face``; ``label`` int, 1 with the attribute; ``attributes`` int (40,),
    all of them; ``name`` str. It can be pickled and read by several threads.

    The authors' parts are ``np.flatnonzero(source.parts == "train")`` and so on; nobody is in two
    of them. Other splits should keep people apart: ``data.split(source.labels, {"train": 0.8,
    "test": 0.2}, seed=0, groups=source.people)``.

    Args:
        raw_folder: the set as it was downloaded and unpacked, see ``read_celeba``. None opens a set
            that has been built.
        work_folder: where the prepared images are kept, for all sets and sizes.
        attribute: the one that the label tells, out of ``celeba.ATTRIBUTES``.
        size: side of the images in pixels.
        progress: whether to show a progress bar while images are prepared.

    Attributes:
        class_names: e.g. ("not smiling", "smiling").
        labels: of each item.
        attributes: of each item, int64 (n, 40), in the order of ``attribute_names``.
        attribute_names: ``celeba.ATTRIBUTES``.
        names, parts: of each item; the parts are "train", "validation" and "test".
        people: the number of who it is, of each item; None where the set was built without the
            table of identities.
        identity: a fingerprint of the set's facts, the attribute and the size; for caches of
            results.

    Raises:
        InputError: the attribute is unknown; the raw folder lacks something that the set has, or
            differs from the one that the set was built from; a photograph cannot be used; the work
            folder cannot be written; or there is no set to open.
    """

    attribute_names = ATTRIBUTES

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        attribute: str = "Smiling",
        size: int = 128,
        progress: bool = True,
    ) -> None:
        check_choice(attribute, ATTRIBUTES, name="attribute")
        check_size(size)
        import_extra("tensorflow_datasets", "storing photographs")
        from cfx_jax.data.face_sets.builder import CelebAFaces

        builder = CelebAFaces(data_dir=work_folder, size=size, progress=progress)
        super().__init__("celeba", builder, raw_folder, size)
        self.identity = hashlib.sha256(repr((self.identity, attribute)).encode()).hexdigest()
        shown = attribute.lower().replace("_", " ")
        self.class_names = (f"not {shown}", shown)
        letters = self._facts("attributes").astype(f"U{len(ATTRIBUTES)}").view("U1")
        self.attributes = (letters.reshape(-1, len(ATTRIBUTES)) == "1").astype(np.int64)
        self.labels = self.attributes[:, ATTRIBUTES.index(attribute)]
        self.names, self.parts = self._facts("name"), self._facts("part")
        people = self._facts("person")
        self.people = None if people.dtype == object else people

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._record(index)
        return {
            "image": unit_range(record["image"]),
            "label": int(self.labels[index]),
            "attributes": self.attributes[index],
            "name": record["name"].decode(),
        }
