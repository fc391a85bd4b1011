"""MosMed, "COVID19_1110" (Morozov et al. 2020): chest CT of 1,110 patients of Moscow's hospitals in
spring 2020, each graded by how much of the lungs the pneumonia has changed.

The folder is what the archive unpacks to, or the one around it:

    dataset_registry.xlsx                     study_id,category,study_file,mask_file; copies of the
    set have it as .csv studies/CT-0/study_0001.nii.gz            254 studies without findings
    studies/CT-1/study_0255.nii.gz            684 with at most a quarter of the lung changed
    studies/CT-2, CT-3, CT-4                  125, 45 and 2 with up to a half, up to three quarters,
    and more masks/study_0255_mask.nii.gz              what is changed, in 50 studies of CT-1

The paths in the table start with a slash at the folder. Every tenth slice of each scan was
published, 8 mm apart, of 512 x 512 pixels in Hounsfield units. The licence, CC BY-NC-ND 3.0, does
not allow prepared images to be passed on.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.data.published import check_files, check_names, read_rows
from cfx_jax.data.user_files import is_folder, is_regular
from cfx_jax.errors import InputError

PAGE = "https://mosmed.ai/datasets/covid19_1110"
GRADES = ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")
_TABLES = ("dataset_registry.xlsx", "dataset_registry.csv")
_COLUMNS = ("category", "study_file", "mask_file")


class MosMedRecord(NamedTuple):
    """One study.

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
        """Whether the study is used: not graded CT-1, which is dropped for training, or masked."""
        return self.grade != 1 or self.marks is not None

    def facts(self) -> dict[str, Any]:
        """What is known of the study beside its files."""
        return {"name": self.name, "grade": self.grade, "has_mask": self.marks is not None}


def digest(records: Iterable[MosMedRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie, and of the sizes of
    those that are used.
    """
    facts = [(each.facts(), _sizes(each)) for each in records]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


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
    folder = Path(folder)
    top = folder / "COVID19_1110" if is_folder(folder / "COVID19_1110") else folder
    table = next((top / name for name in _TABLES if is_regular(top / name)), top / _TABLES[0])
    records = [_record(row, top, table) for row in read_rows(table, _COLUMNS, page=PAGE)]
    check_names([each.name for each in records], top, what="study")
    used = [each for each in records if each.is_used]
    check_files([each.scan for each in used], top, what="scan")
    check_files([each.marks for each in used if each.marks], top, what="mask")
    return records


def _record(row: dict[str, str], top: Path, table: Path) -> MosMedRecord:
    scan = Path(row["study_file"].lstrip("/"))
    if row["category"] not in GRADES or not scan.name.endswith((".nii.gz", ".nii")):
        raise InputError(
            f"'{table}': expected a category out of {', '.join(GRADES)} and a study_file like"
            f" '/studies/CT-0/study_0001.nii.gz', got the row {','.join(row.values())}: correct the"
            f" row"
        )
    marks = top / row["mask_file"].lstrip("/") if row["mask_file"] else None
    return MosMedRecord(scan.name.split(".")[0], top / scan, GRADES.index(row["category"]), marks)


def _sizes(record: MosMedRecord) -> list[int]:
    files = (record.scan, record.marks) if record.is_used else ()
    return [file.stat().st_size for file in files if file is not None]
