"""MosMed, "COVID19_1110" (Morozov et al. 2020): chest CT of 1,110 patients of Moscow.

They are from spring 2020, each graded by how much of the lungs the pneumonia has changed.

The folder is what the archive unpacks to, or the one around it:

    dataset_registry.xlsx             study_id,category,study_file,mask_file
                                      copies of the set have it as .csv
    studies/CT-0/study_0001.nii.gz    254 studies without findings
    studies/CT-1/study_0255.nii.gz    684 with at most a quarter of the lung changed
    studies/CT-2, CT-3, CT-4          125, 45 and 2 with up to a half, three quarters, and more
    masks/study_0255_mask.nii.gz      what is changed, in 50 studies of CT-1

The paths in the table start with a slash at the folder. Every tenth slice of each scan was
published, 8 mm apart, of 512 x 512 pixels in Hounsfield units. The licence, CC BY-NC-ND 3.0, does
not allow prepared images to be passed on.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.hounsfield import LUNG
from cfx_jax.data.sets.stored.listing import check_files, check_names, first_file, inner_folder
from cfx_jax.data.sets.stored.scans import StoredScans, scan_example, scan_spec
from cfx_jax.data.sets.stored.spec import Example
from cfx_jax.data.sets.stored.tables import read_rows
from cfx_jax.errors import InputError

PAGE = "https://mosmed.ai/datasets/covid19_1110"
GRADES = ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")
_TABLES = ("dataset_registry.xlsx", "dataset_registry.csv")
_COLUMNS = ("category", "study_file", "mask_file")


class MosMedRecord(NamedTuple):
    """One study of the set.

    Attributes:
        name: "study_0001"; each is another patient.
        scan: the NIfTI file.
        grade: 0 to 4, the number of ``GRADES``.
        marks: the NIfTI file of the mask, 1 where the lung is changed; None where there is none.
    """

    name: str
    scan: Path
    grade: int
    marks: Path | None = None

    @property
    def is_used(self) -> bool:
        """True unless the study is graded CT-1, which is dropped for training, and has no mask."""
        return self.grade != 1 or self.marks is not None

    def facts(self) -> dict[str, Any]:
        """The facts of the study beside its files."""
        return {"name": self.name, "grade": self.grade, "has_mask": self.marks is not None}

    def content(self) -> object:
        """The facts of the study beside its files, and the sizes of those that are used."""
        files = [file for file in (self.scan, self.marks) if file is not None and self.is_used]
        return self.facts(), [file.stat().st_size for file in files]


class MosMed(StoredScans):
    """The chest scans of MosMed, without findings or with moderate to severe ones of COVID-19.

    Items are dicts of

    - ``image`` float32 (s, h, w, 1) in [0, 1], which is -1,000 to 400 Hounsfield units stored with
      8 bits;
    - ``label`` int, 0 for CT-0 and 1 for the other grades;
    - ``grade`` int, 0 to 4;
    - ``patient`` str;
    - of masked studies ``lesion_mask`` bool (s, h, w).

    Fontanella et al. (2023) classify CT-0 against CT-2 to CT-4 in 11 slices of 128 pixels (426
    studies, 172 of them positive), split 70-15-15: ``data.split(source.labels, {"train": 0.7,
    "validation": 0.15, "test": 0.15}, seed=0)``. They score saliency maps by the 50 masks, all of
    studies graded CT-1: ``part="masked"``, and ``native_marks`` with
    ``data.to_native_grid(saliency, source.places(index), source.native_shapes[index])`` on the
    published grid.

    Args:
        raw_folder, work_folder, progress: see ``StoredSet``; raw files as ``read_mosmed``.
        part: "labelled" for all studies that are not graded CT-1, "masked" for those with a mask.
        shape: numbers of slices, rows and columns of an item.

    Attributes:
        class_names: ("no findings", "COVID-19").
        labels, grades, patients, native_shapes: the label, grade, patient and native shape of each
            item.
        left_out: how many studies are in neither part; they are not stored.
        identity: see ``StoredSet``, which lists the errors too; there may be no such study.
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
        super().__init__(SPEC, raw_folder, work_folder, size=shape, progress=progress, part=part)
        self._is_masked = part == "masked"
        self._keep(self._facts("has_mask") if self._is_masked else self._facts("grade") != 1)
        if not len(self):
            raise InputError(
                f"part: expected studies that are {part}, the set has none: give the other part"
            )
        self.grades, self.patients = self._facts("grade").astype(np.int64), self._facts("name")
        self.labels = (self.grades > 0).astype(np.int64)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = {
            "image": super().__getitem__(index)["image"],
            "label": int(self.labels[index]),
            "grade": int(self.grades[index]),
            "patient": str(self.patients[index]),
        }
        return {**item, "lesion_mask": self.marks(index) > 0} if self._is_masked else item


def read_mosmed(folder: str | Path) -> list[MosMedRecord]:
    """Lists the studies of MosMed, all grades; none is opened.

    Args:
        folder: holds the table and ``studies``, or a folder ``COVID19_1110`` with them.

    Returns:
        The studies in the order of the table.

    Raises:
        InputError: the table is missing or damaged, a row cannot be understood, a study occurs
            twice, or the file of one that is used is missing. Studies graded CT-1 that have no mask
            may be missing.
    """
    top = inner_folder(Path(folder), "COVID19_1110")
    table = first_file(top, _TABLES)
    records = [_record(row, top, table) for row in read_rows(table, _COLUMNS, page=PAGE)]
    check_names([record.name for record in records], top, what="study")
    used = [record for record in records if record.is_used]
    check_files([record.scan for record in used], top, what="scan")
    check_files([record.marks for record in used if record.marks], top, what="mask")
    return records


def _record(row: dict[str, str], top: Path, table: Path) -> MosMedRecord:
    """The record of a row."""
    scan = Path(row["study_file"].lstrip("/"))
    if row["category"] not in GRADES or not scan.name.endswith((".nii.gz", ".nii")):
        raise InputError(
            f"'{table}': expected a category out of {', '.join(GRADES)} and a study_file like"
            f" '/studies/CT-0/study_0001.nii.gz', got the row {','.join(row.values())}: correct the"
            " row"
        )
    marks = top / row["mask_file"].lstrip("/") if row["mask_file"] else None
    return MosMedRecord(scan.name.split(".")[0], top / scan, GRADES.index(row["category"]), marks)


def _examples(record: MosMedRecord, shape: tuple[int, int, int]) -> list[Example]:
    if not record.is_used:
        return []
    return [scan_example(record, shape, window=LUNG, most_marks=1, page=PAGE)]


SPEC = scan_spec("mosmed", read_mosmed, _examples, page=PAGE, stored_name="mosmed_covid19_1110")
