"""IST-3, the Third International Stroke Trial (Sandercock et al. 2011): CT scans of heads.

They are of 3,035 patients with symptoms of a stroke, at admission and one or two days later, with
what experts saw in each scan.

The scans are given out under an agreement of use, and how their archive is laid out is not
published; so this reader asks for a folder that is laid out by the user:

    scans.csv                    a row for each scan, see below; or scans.xls, scans.xlsx
    any/path/scan.nii.gz         the scans in Hounsfield units, axial, as the table names them
    any/path/atlas.nii.gz        optional: the number of the arterial territory of each voxel, 0 for
                                 none

The columns are these, and ``columns`` can give them other names:

    scan             path of the scan's file below the folder
    patient          whose it is; with both scans of a patient the same
    side             of the acute lesion: none, left, right or both
    infarct_size     0 none or not known, 1 small, 2 medium, 3 large, 4 very large
    territory        empty, or the one in which the lesion lies, e.g. "left MCA"
    atlas            empty, or path of the atlas in the scan's space

The trial's public table (University of Edinburgh, DataShare) has the sizes for the scans at
admission in the same numbers, as R_infarct_size; its sides and arteries have codes that must be
translated.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.hounsfield import BRAIN
from cfx_jax.data.sets.stored.listing import check_files, check_names, first_file
from cfx_jax.data.sets.stored.scans import StoredScans, scan_example, scan_spec
from cfx_jax.data.sets.stored.spec import Example
from cfx_jax.data.sets.stored.tables import one_of, read_rows, whole_number
from cfx_jax.errors import InputError

PAGE = "https://datashare.ed.ac.uk/handle/10283/1931"
SIDES = ("none", "left", "right", "both")
TERRITORIES = tuple(
    f"{side} {artery}" for side in ("left", "right") for artery in ("MCA", "ACA", "PCA")
)
COLUMNS = ("scan", "patient", "side", "infarct_size", "territory", "atlas")
_TABLES = ("scans.csv", "scans.xlsx", "scans.xls")
_LARGEST = 4


class StrokeRecord(NamedTuple):
    """One scan of the trial.

    Attributes:
        name: the path of its file below the folder, without the suffix.
        scan: the NIfTI file.
        patient: the name of the patient.
        side: the side of the lesion, the number in ``SIDES``; 0 without one.
        infarct_size: 0 to 4; 0 is none, or not known.
        territory: 1 to 6, counted in ``TERRITORIES``; 0 is none, or not known.
        marks: the NIfTI file of the atlas; None where there is none.
    """

    name: str
    scan: Path
    patient: str
    side: int
    infarct_size: int = 0
    territory: int = 0
    marks: Path | None = None

    def facts(self) -> dict[str, Any]:
        """The facts of the scan beside its files."""
        facts = self._asdict()
        del facts["scan"], facts["marks"]
        return {**facts, "has_atlas": self.marks is not None}

    def content(self) -> object:
        """The facts of the scan beside its files, and the files' sizes."""
        files = [file for file in (self.scan, self.marks) if file]
        return self.facts(), [file.stat().st_size for file in files]


class IST3(StoredScans):
    """Head scans of the Third International Stroke Trial, with and without an acute infarct.

    Items are dicts of

    - ``image`` float32 (s, h, w, 1) in [0, 1], which is 0 to 80 Hounsfield units stored with 8
      bits;
    - ``label`` int, 1 with a lesion;
    - ``side`` int, 0 none, 1 left, 2 right, 3 both;
    - ``infarct_size`` int, 0 to 4;
    - ``territory`` int, 0 to 6, counted from 1 in ``ist3.TERRITORIES``;
    - ``patient`` and ``name`` str.

    Patients have several scans: split by ``data.split(source.sides, {"train": 0.7, "validation":
    0.15, "test": 0.15}, seed=0, groups=source.patients)``. Fontanella et al. (2023) take 11 slices
    of 400 x 500 pixels; which of the two are columns, and their window, are not published. Here 500
    are the rows, since heads are longer than wide. Their registration to an atlas, cropping and
    choice of scans ("Fontanella et al. (b)") are not part of this source.

    Args:
        raw_folder, work_folder, progress: see ``StoredSet``; raw files as ``read_ist3``.
        shape: numbers of slices, rows and columns of an item.
        columns: names of the table's columns, see ``read_ist3``.
        has_air: whether the scans show the air around the head, see ``hounsfield_units``; False
            where it has been blackened. It changes no image, only what is refused.

    Attributes:
        class_names: ("no lesion", "lesion").
        labels, sides, infarct_sizes, territories, patients, names, native_shapes: the label, side,
            infarct size, territory, patient, name and native shape of each item.
        has_atlas: for each item, whether ``marks`` and ``native_marks`` give the number of each
            voxel's territory.
        identity: see ``StoredSet``, which lists the errors too; with ``has_air`` a set that was
            stored without it is refused.
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
        super().__init__(
            SPEC,
            raw_folder,
            work_folder,
            size=shape,
            progress=progress,
            read=functools.partial(read_ist3, columns=columns),
            examples=functools.partial(_examples, has_air=has_air),
        )
        # Sets that were stored by earlier versions do not say, and pass.
        if has_air and not all(facts.get("has_air", True) for facts in self._metadata["facts"]):
            raise InputError(
                f"has_air: expected False, with which '{work_folder}' was filled, got True: give"
                " has_air=False, or another work_folder to look for air"
            )
        self.sides, self.infarct_sizes, self.territories = (
            self._facts(key).astype(np.int64) for key in ("side", "infarct_size", "territory")
        )
        self.labels = (self.sides > 0).astype(np.int64)
        self.patients, self.names = self._facts("patient"), self._facts("name")
        self.has_atlas = self._facts("has_atlas")

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            "image": super().__getitem__(index)["image"],
            "label": int(self.labels[index]),
            "side": int(self.sides[index]),
            "infarct_size": int(self.infarct_sizes[index]),
            "territory": int(self.territories[index]),
            "patient": str(self.patients[index]),
            "name": str(self.names[index]),
        }


def read_ist3(
    folder: str | Path, *, columns: Mapping[str, str] | None = None
) -> list[StrokeRecord]:
    """Lists scans of IST-3; none is opened.

    Args:
        folder: holds the table and the scans, see above.
        columns: for the columns of ``COLUMNS`` that have another name in the table, that name.

    Returns:
        The scans in the order of the table.

    Raises:
        InputError: a column is unknown; the table or a file is missing; or a row cannot be
            understood or contradicts itself.
    """
    folder, columns = Path(folder), dict(columns or {})
    for name in columns:
        check_choice(name, COLUMNS, name="columns")
    called = {name: columns.get(name, name) for name in COLUMNS}
    table = first_file(folder, _TABLES)
    records = []
    for row in read_rows(table, tuple(called.values()), page=PAGE):
        values = {name: row[column] for name, column in called.items()}
        records.append(_record(values, folder, table))
    check_names([record.name for record in records], folder, what="scan")
    check_files([record.scan for record in records], folder, what="scan")
    check_files([record.marks for record in records if record.marks], folder, what="atlas file")
    return records


def _record(row: dict[str, str], folder: Path, table: Path) -> StrokeRecord:
    """The record of a row, whose keys are ``COLUMNS``."""
    territories = ("", *TERRITORIES)
    side = SIDES.index(one_of(row, "side", SIDES, table=table, key="scan"))
    territory = territories.index(one_of(row, "territory", territories, table=table, key="scan"))
    known = {**row, "infarct_size": row["infarct_size"] or "0"}
    size = whole_number(known, "infarct_size", highest=_LARGEST, table=table)
    apart = territory and side < len(SIDES) - 1 and not row["territory"].startswith(row["side"])
    if not (row["scan"] and row["patient"]) or apart or (side == 0 and size):
        raise InputError(
            f"'{table}': expected a scan, a patient, a territory on the side of the lesion, and"
            f" neither that nor a size without one, got the row {','.join(row.values())}: correct"
            " the row"
        )
    scan, name = folder / row["scan"], row["scan"].removesuffix(".gz").removesuffix(".nii")
    marks = folder / row["atlas"] if row["atlas"] else None
    return StrokeRecord(name, scan, row["patient"], side, size, territory, marks)


def _examples(
    record: StrokeRecord, shape: tuple[int, int, int], *, has_air: bool = True
) -> list[Example]:
    most_marks = len(TERRITORIES)
    example = scan_example(
        record, shape, window=BRAIN, most_marks=most_marks, page=PAGE, has_air=has_air
    )
    return [example._replace(facts={**example.facts, "has_air": has_air})]


SPEC = scan_spec("ist3", read_ist3, _examples, page=PAGE, stored_name="ist3_scans")
