"""The sets as random-access sources."""

from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.data.published.source import StoredSet, check_size
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import import_extra

LEAST_TUMOUR = 10 / 224**2  # share of a slice's pixels that makes it positive


class RSNAPneumonia(StoredSet):
    """The normal chest radiographs and those with opacities of the RSNA pneumonia set.

    The first use reads every file, which takes minutes; later ones open what is stored. Items are
    dicts of ``image`` float32 (size, size, 1) in [0, 1]; ``label`` int, 1 with opacities; ``boxes``
    int (4, 4), y0, x0, y1, x1 of each marked opacity, half-open in pixels, padded with zeros;
    ``num_boxes`` int, how many there are; ``annotation_mask`` bool (size, size), the boxes' union;
    ``patient`` str. It can be pickled and read by several threads.

    Charachon et al. train on 80 % and choose and test on 10 % each: ``data.split(source.labels,
    {"train": 0.8, "validation": 0.1, "test": 0.1}, seed=0)``.

    Args:
        raw_folder: the set as it was downloaded and unpacked, see ``read_rsna``. None opens a set
            that has been built.
        work_folder: where the prepared images are kept, for all sets and sizes.
        size: side of the images in pixels.
        progress: whether to show a progress bar while images are prepared.

    Attributes:
        class_names: ("normal", "opacity").
        labels: of each item.
        patients: of each item; one image each, see ``read_rsna``.
        left_out: how many images are of the third class, which is neither.
        identity: a fingerprint of the set's facts and the size; for caches of results.

    Raises:
        InputError: the raw folder lacks something that the set has, or differs from the one that
            the set was built from; an image cannot be read; the work folder cannot be written; or
            there is no set to open.
    """

    class_names = ("normal", "opacity")

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: int = 224,
        progress: bool = True,
    ) -> None:
        check_size(size)
        import_extra("tensorflow_datasets", "storing radiographs")
        from cfx_jax.data.radiology_sets.builder import RSNA

        super().__init__(
            "rsna", RSNA(data_dir=work_folder, size=size, progress=progress), raw_folder, size
        )
        self.labels, self.patients = self._facts("label").astype(np.int64), self._facts("name")
        self.left_out: int = self._metadata["left_out"]

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._record(index)
        mask = np.zeros((self.size, self.size), bool)
        for top, left, bottom, right in record["boxes"]:
            mask[top:bottom, left:right] = True
        return {
            "image": unit_range(record["image"]),
            "label": int(record["label"]),
            "boxes": record["boxes"],
            "num_boxes": int(record["num_boxes"]),
            "annotation_mask": mask,
            "patient": record["name"].decode(),
        }


class MSDBrainTumour(StoredSet):
    """Axial slices of T1-weighted brain images after gadolinium, of the Medical Segmentation
    Decathlon.

    The first use reads every volume, which takes minutes; later ones open what is stored. Items are
    dicts of ``image`` float32 (size, size, 1), each slice scaled to [0, 1] by itself and stored
    with 8 bits; ``label`` int, 1 with at least 0.02 % of tumour (ten pixels of 224 x 224);
    ``lesion_mask`` bool (size, size), the tumour without its edema; ``body_mask`` bool (size,
    size); ``patient`` str; ``slice`` int, from the feet. The order is that of the patients, from
    the feet upwards. It can be pickled and read by several threads.

    Charachon et al. train on 363 patients, choose on 48 and test on 73:
    ``split_patients(source.patients, {"train": 363 / 484, "validation": 48 / 484, "test": 73 /
    484}, seed=0)``; which patients these were is theirs alone.

    Args:
        raw_folder: the set as it was downloaded and unpacked, see ``read_msd_brain``. None opens a
            set that has been built.
        work_folder: where the prepared images are kept, for all sets and sizes.
        size: side of the images in pixels.
        progress: whether to show a progress bar while images are prepared.

    Attributes:
        class_names: ("no tumour", "tumour").
        labels, patients, slices: of each item.
        left_out: how many slices show nothing.
        identity: a fingerprint of the set's facts and the size; for caches of results.

    Raises:
        InputError: the raw folder lacks something that the set has, or differs from the one that
            the set was built from; a volume cannot be used; the work folder cannot be written; or
            there is no set to open.
    """

    class_names = ("no tumour", "tumour")

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: int = 224,
        progress: bool = True,
    ) -> None:
        check_size(size)
        import_extra("tensorflow_datasets", "storing brain images")
        from cfx_jax.data.radiology_sets.builder import MSDBrain

        super().__init__(
            "msd_brain",
            MSDBrain(data_dir=work_folder, size=size, progress=progress),
            raw_folder,
            size,
        )
        self.labels = (self._facts("tumour_pixels") >= LEAST_TUMOUR * size**2).astype(np.int64)
        self.patients, self.slices = self._facts("patient"), self._facts("slice")
        self.left_out: int = self._metadata["left_out"]

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._record(index)
        return {
            "image": unit_range(record["image"]),
            "label": int(self.labels[index]),
            "lesion_mask": record["lesion_mask"][..., 0] > 0,
            "body_mask": record["body_mask"][..., 0] > 0,
            "patient": record["patient"].decode(),
            "slice": int(record["slice"]),
        }
