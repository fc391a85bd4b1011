"""A public set of fundus photographs as a random-access source."""

from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.published.source import StoredSet, check_size
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import import_extra

NAMES = ("kaggle", "messidor", "idrid", "deepdrid")


class FundusSet(StoredSet):
    """A published set, prepared once and then read from the disk in any order.

    The first use prepares every photograph (contrast, crop to the eye, resize; see
    ``data.fundus``), which for the Kaggle set takes hours and goes on where it stopped; later ones
    open what is there. Items are dicts of ``image`` float32 (size, size, 3) in [0, 1], zero outside
    the eye; ``eye_mask`` bool (size, size); ``lesion_mask`` bool (size, size), the union of the
    kinds of lesion, empty where the set has no masks; ``grade`` int 0 to 4 and ``gradable`` int 0
    or 1, both -1 where unknown; ``patient`` and ``name`` str. The order is the reader's. It can be
    pickled and read by several threads.

    Args:
        name: "kaggle", "messidor", "idrid" or "deepdrid".
        raw_folder: the set as it was downloaded and unpacked, in the layout that ``read_NAME``
            describes. None opens a set that has been built, without a look at its raw files.
        work_folder: where the prepared photographs are kept, for all sets and sizes.
        size: side of the images in pixels.
        progress: whether to show a progress bar while photographs are prepared.

    Attributes:
        names, patients: of each item, arrays of str.
        grades, gradables: of each item, int64 arrays, -1 where unknown.
        dropped: name of each photograph that could not be used -> why.
        identity: a fingerprint of the set's facts, what was dropped, and the size; for caches of
            results.

    Raises:
        InputError: the name is unknown; the raw folder lacks something that the set has, or differs
            from the one that the set was built from; no photograph can be used; the work folder
            cannot be written; or there is no set to open.
    """

    def __init__(
        self,
        name: str,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: int = 224,
        progress: bool = True,
    ) -> None:
        check_choice(name, NAMES, name="name")
        check_size(size)
        import_extra("tensorflow_datasets", "storing fundus photographs")
        from cfx_jax.data.fundus_sets.builder import BUILDERS

        super().__init__(
            name,
            BUILDERS[name](size=size, progress=progress, data_dir=work_folder),
            raw_folder,
            size,
        )
        self.names, self.patients = self._facts("name"), self._facts("patient")
        self.grades, self.gradables = (
            self._facts(key).astype(np.int64) for key in ("grade", "gradable")
        )
        self.dropped: dict[str, str] = dict(self._metadata["dropped"])

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._record(index)
        return {
            "image": unit_range(record["image"]),
            "eye_mask": record["eye_mask"][..., 0] > 0,
            "lesion_mask": record["lesion_mask"][..., 0] > 0,
            "grade": int(record["grade"]),
            "gradable": int(record["gradable"]),
            "patient": record["patient"].decode(),
            "name": record["name"].decode(),
        }
