"""CheXpert (Irvin et al. 2019): 224,316 chest radiographs of 65,240 patients of Stanford's
hospital, with 14 findings that a program read from the reports, or radiologists from the pictures
of the small validation part.

The folder is what either download, the full one or the "small" one of lower resolution, unpacks to:

    train.csv       Path,Sex,Age,Frontal/Lateral,AP/PA, and a column for each finding; a row for
    each radiograph train/patient00001/study1/view1_frontal.jpg valid.csv       the same for the
    validation part valid/patient64541/study1/view1_frontal.jpg

The paths in the tables start with the folder's published name; the folder may have another. The
validation part may be left out, both its table and its pictures. A finding is 1.0 (present), 0.0
(absent), -1.0 (the report is uncertain) or empty (not mentioned).
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cfx_jax.data.published import check_files, check_names, read_rows
from cfx_jax.errors import InputError

PAGE = "https://stanfordmlgroup.github.io/competitions/chexpert/"
FINDINGS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
PRESENT, ABSENT, UNCERTAIN, NOT_MENTIONED = "10?-"
_LETTERS = {"1.0": PRESENT, "0.0": ABSENT, "-1.0": UNCERTAIN, "": NOT_MENTIONED}
_VIEWS = {"Frontal": True, "Lateral": False}


class CheXpertRecord(NamedTuple):
    """One radiograph.

    Attributes:
        name: its path in the set without the suffix, "train/patient00001/study1/view1_frontal".
        image: the JPEG file.
        patient: "patient00001".
        part: "train" or "valid".
        frontal: whether it was taken from the front or the back, not from a side.
        findings: for each of ``FINDINGS`` a letter, ``PRESENT``, ``ABSENT``, ``UNCERTAIN`` or
            ``NOT_MENTIONED``.
    """

    name: str
    image: Path
    patient: str
    part: str
    frontal: bool
    findings: str


def digest(records: Iterable[CheXpertRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie."""
    return hashlib.sha256(
        repr([(each.name, each.frontal, each.findings) for each in records]).encode()
    ).hexdigest()


def read_chexpert(folder: str | Path) -> list[CheXpertRecord]:
    """Lists the radiographs of CheXpert, frontal and lateral ones; none is opened.

    Args:
        folder: holds ``train.csv`` and ``train``, see above.

    Returns:
        The training part, then the validation part if it is there, in the order of the tables.

    Raises:
        InputError: a table or a radiograph is missing, or a row cannot be understood.
    """
    folder = Path(folder)
    records = [*_part(folder, "train")]
    if (folder / "valid.csv").exists() or (folder / "valid").exists():
        records += _part(folder, "valid")
    check_names([each.name for each in records], folder, what="radiograph")
    check_files([each.image for each in records], folder, what="radiograph")
    return records


def _part(folder: Path, part: str) -> Iterator[CheXpertRecord]:
    """The records of one table."""
    table = folder / f"{part}.csv"
    for row in read_rows(table, ("Path", "Frontal/Lateral", *FINDINGS), page=PAGE):
        place = PurePosixPath(*PurePosixPath(row["Path"]).parts[-4:])
        if len(place.parts) < 4 or place.parts[0] != part:
            raise InputError(
                f"'{table}': expected a Path like"
                f" 'CheXpert-v1.0/{part}/patient00001/study1/view1_frontal.jpg', got "
                f"'{row['Path']}': correct the row"
            )
        yield CheXpertRecord(
            name=str(place.with_suffix("")),
            image=folder / place,
            patient=place.parts[1],
            part=part,
            frontal=_VIEWS[_known(row, "Frontal/Lateral", _VIEWS, table)],
            findings="".join(
                _LETTERS[_known(row, finding, _LETTERS, table)] for finding in FINDINGS
            ),
        )


def _known(row: dict[str, str], column: str, values: Iterable[str], table: Path) -> str:
    """A value from a row that must be one of those given."""
    if row[column] not in values:
        expected = ", ".join(value or "nothing" for value in values)
        raise InputError(
            f"'{table}': expected {column} to be one of {expected}, got '{row[column]}' for"
            f" '{row['Path']}': correct the row"
        )
    return row[column]
