"""MosMed and IST-3 as random-access sources of volumes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.radiology_sets.scan_source import StoredScans, check_scan_shape
from cfx_jax.errors import InputError, import_extra


class MosMed(StoredScans):
    """The chest scans of MosMed, without findings or with moderate to severe ones of COVID-19.

    The first use reads every scan that is used, which takes minutes; later ones open what is
    stored. Items are dicts of ``image`` float32 (s, h, w, 1) in [0, 1], which is -1,000 to 400
    Hounsfield units stored with 8 bits; ``label`` int, 0 for CT-0 and 1 for the other grades;
    ``grade`` int, 0 to 4; ``patient`` str; and of masked studies ``lesion_mask`` bool (s, h, w). It
    can be pickled and read by several threads.

    Fontanella et al. (2023) classify CT-0 against CT-2 to CT-4 in 11 slices of 128 pixels (426
    studies, 172 of them positive), split 70-15-15: ``data.split(source.labels, {"train": 0.7,
    "validation": 0.15, "test": 0.15}, seed=0)``. They score saliency maps by the 50 masks, all of
    studies graded CT-1: ``part="masked"``, and ``native_marks`` with
    ``data.to_native_grid(saliency, source.places(index), source.native_shapes[index])`` on the
    published grid.

    Args:
        raw_folder: the set as it was downloaded and unpacked, see ``read_mosmed``. None opens a set
            that has been built.
        work_folder: where the prepared scans are kept, for all sets and sizes.
        part: "labelled" for all studies that are not graded CT-1, "masked" for those with a mask.
        shape: numbers of slices, rows and columns of an item.
        progress: whether to show a progress bar while scans are prepared.

    Attributes:
        class_names: ("no findings", "COVID-19").
        labels, grades, patients, native_shapes: of each item.
        left_out: how many studies are in neither part.
        identity: a fingerprint of the set's facts, the part and the shape; for caches of results.

    Raises:
        InputError: the part or the shape is none; the raw folder lacks something that the set has,
            or differs from the one that the set was built from; a scan cannot be used; the work
            folder cannot be written; or there is no set to open, or it has no such study.
    """

    class_names = ("no findings", "COVID-19")

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        part: Literal["labelled", "masked"] = "labelled",
        shape: tuple[int, int, int] = (11, 128, 128),
        progress: bool = True,
    ) -> None:
        check_choice(part, ("labelled", "masked"), name="part")
        check_scan_shape(shape)
        import_extra("tensorflow_datasets", "storing scans")
        from cfx_jax.data.radiology_sets.ct_builder import MosMedScans

        builder = MosMedScans(data_dir=work_folder, size=shape, progress=progress)
        super().__init__(f"mosmed {part}", builder, raw_folder, shape)
        self._is_masked = part == "masked"
        grades = self._facts("grade")
        self._use(self._facts("has_mask") if self._is_masked else grades != 1)
        if not len(self):
            raise InputError(
                f"part: expected studies that are {part}, the set has none: give the other part"
            )
        self.grades, self.patients = (
            grades[self._indices].astype(np.int64),
            self._facts("name")[self._indices],
        )
        self.labels = (self.grades > 0).astype(np.int64)
        self.left_out: int = self._metadata["left_out"]

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._scan(index)
        item = {
            "image": self._image(record),
            "label": int(self.labels[index]),
            "grade": int(self.grades[index]),
            "patient": self._name(record),
        }
        return {**item, "lesion_mask": self.marks(index) > 0} if self._is_masked else item


class IST3(StoredScans):
    """Head scans of the Third International Stroke Trial, with and without an acute infarct.

    The first use reads every scan, which takes a while; later ones open what is stored. Items are
    dicts of ``image`` float32 (s, h, w, 1) in [0, 1], which is 0 to 80 Hounsfield units stored with
    8 bits; ``label`` int, 1 with a lesion; ``side`` int, 0 none, 1 left, 2 right, 3 both;
    ``infarct_size`` int, 0 to 4; ``territory`` int, 0 to 6, counted from 1 in ``ist3.TERRITORIES``;
    ``patient`` and ``name`` str. It can be pickled and read by several threads.

    Patients have several scans: split by ``data.split(source.sides, {"train": 0.7, "validation":
    0.15, "test": 0.15}, seed=0, groups=source.patients)``. Fontanella et al. (2023) take 11 slices
    of 400 x 500 pixels; which of the two are columns, and their window, are not published. Here 500
    are the rows, since heads are longer than wide. Their registration to an atlas, cropping and
    choice of scans ("Fontanella et al. (b)") are not part of this source.

    Args:
        raw_folder: the scans and their table, see ``read_ist3``. None opens a set that has been
            built.
        work_folder: where the prepared scans are kept, for all sets and sizes.
        shape: numbers of slices, rows and columns of an item.
        columns: names of the table's columns, see ``read_ist3``.
        has_air: whether the scans show the air around the head; False where it has been blackened,
            see ``hounsfield_units``.
        progress: whether to show a progress bar while scans are prepared.

    Attributes:
        class_names: ("no lesion", "lesion").
        labels, sides, infarct_sizes, territories, patients, names, native_shapes: of each item.
        has_atlas: of each item, whether ``marks`` and ``native_marks`` give the number of each
            voxel's territory.
        identity: a fingerprint of the set's facts and the shape; for caches of results.

    Raises:
        InputError: the shape is none; the raw folder lacks something that its table has, or differs
            from the one that the set was built from; a scan cannot be used; the work folder cannot
            be written; or there is no set to open.
    """

    class_names = ("no lesion", "lesion")

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        shape: tuple[int, int, int] = (11, 500, 400),
        columns: Mapping[str, str] | None = None,
        has_air: bool = True,
        progress: bool = True,
    ) -> None:
        check_scan_shape(shape)
        import_extra("tensorflow_datasets", "storing scans")
        from cfx_jax.data.radiology_sets.ct_builder import IST3Scans

        builder = IST3Scans(
            data_dir=work_folder, size=shape, columns=columns, has_air=has_air, progress=progress
        )
        super().__init__("ist3", builder, raw_folder, shape)
        self._use(np.ones(self._length, bool))
        self.sides, self.infarct_sizes, self.territories = (
            self._facts(key).astype(np.int64) for key in ("side", "infarct_size", "territory")
        )
        self.labels = (self.sides > 0).astype(np.int64)
        self.patients, self.names, self.has_atlas = (
            self._facts(key) for key in ("patient", "name", "has_atlas")
        )

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._scan(index)
        return {
            "image": self._image(record),
            "label": int(self.labels[index]),
            "side": int(self.sides[index]),
            "infarct_size": int(self.infarct_sizes[index]),
            "territory": int(self.territories[index]),
            "patient": str(self.patients[index]),
            "name": self._name(record),
        }
