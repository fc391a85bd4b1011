"""IST-3, the Third International Stroke Trial (Sandercock et al. 2011): CT of the heads of 3,035
patients with symptoms of a stroke, at admission and one or two days later, with what experts saw in
each scan.

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

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.checks import check_choice
from cfx_jax.data.published import check_files, check_names, read_rows, whole_number
from cfx_jax.data.user_files import is_regular
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
    """One scan.

    Attributes:
        name: the path of its file below the folder, without the suffix.
        scan: the NIfTI file.
        patient: whose it is.
        side: of the lesion, the number in ``SIDES``; 0 without one.
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
        """What is known of the scan beside its files."""
        known = {
            key: value for key, value in self._asdict().items() if key not in ("scan", "marks")
        }
        return {**known, "has_atlas": self.marks is not None}


def digest(records: Iterable[StrokeRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie, and of the files'
    sizes.
    """
    facts = [
        (each.facts(), [file.stat().st_size for file in (each.scan, each.marks) if file])
        for each in records
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def read_ist3(
    folder: str | Path, *, columns: Mapping[str, str] | None = None
) -> list[StrokeRecord]:
    """Lists scans of IST-3; none is opened.

    Args:
        folder: holds the table and the scans, see above.
        columns: of those of ``COLUMNS`` that have another name in the table -> that name.

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
    table = next(
        (folder / name for name in _TABLES if is_regular(folder / name)), folder / _TABLES[0]
    )
    rows = read_rows(table, tuple(called.values()), page=PAGE)
    records = [
        _record({name: row[own] for name, own in called.items()}, folder, table) for row in rows
    ]
    check_names([each.name for each in records], folder, what="scan")
    check_files([each.scan for each in records], folder, what="scan")
    check_files([each.marks for each in records if each.marks], folder, what="atlas file")
    return records


def _record(row: dict[str, str], folder: Path, table: Path) -> StrokeRecord:
    """The record of a row, whose keys are ``COLUMNS``."""
    side, territory = (
        _known(row, "side", SIDES, table),
        _known(row, "territory", ("", *TERRITORIES), table),
    )
    size = whole_number(
        {**row, "infarct_size": row["infarct_size"] or "0"},
        "infarct_size",
        highest=_LARGEST,
        table=table,
    )
    apart = territory and side < len(SIDES) - 1 and not row["territory"].startswith(row["side"])
    if not (row["scan"] and row["patient"]) or apart or (side == 0 and size):
        raise InputError(
            f"'{table}': expected a scan, a patient, a territory on the side of the lesion, and"
            f" neither that nor a size"
            f" without one, got the row {','.join(row.values())}: correct the row"
        )
    scan, name = folder / row["scan"], row["scan"].removesuffix(".gz").removesuffix(".nii")
    marks = folder / row["atlas"] if row["atlas"] else None
    return StrokeRecord(name, scan, row["patient"], side, size, territory, marks)


def _known(row: dict[str, str], column: str, values: tuple[str, ...], table: Path) -> int:
    """The place of a value among those that are possible."""
    if row[column] not in values:
        expected = ", ".join(value or "nothing" for value in values)
        raise InputError(
            f"'{table}': expected {column} to be one of {expected}, got '{row[column]}' for"
            f" '{row['scan']}': correct the row"
        )
    return values.index(row[column])
