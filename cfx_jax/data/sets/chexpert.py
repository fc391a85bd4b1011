"""CheXpert (Irvin et al. 2019): 224,316 chest radiographs of 65,240 patients, with 14 findings.

The hospital is Stanford's. A program read the findings from the reports, or radiologists from the
pictures of the small validation part.

The folder is what either download, the full one or the "small" one of lower resolution, unpacks to:

    train.csv       Path,Sex,Age,Frontal/Lateral,AP/PA, and a column for each finding
                    a row for each radiograph
    train/patient00001/study1/view1_frontal.jpg
    valid.csv       the same for the validation part
    valid/patient64541/study1/view1_frontal.jpg

The paths in the tables start with the folder's published name; the folder may have another. The
validation part may be left out, both its table and its pictures. A finding is 1.0 (present), 0.0
(absent), -1.0 (the report is uncertain) or empty (not mentioned).
"""

import functools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import check_choice
from cfx_jax.data.sets.stored.listing import check_entries
from cfx_jax.data.sets.stored.pictures import png, read_picture
from cfx_jax.data.sets.stored.spec import Example, Kind, SetSpec
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.data.sets.stored.tables import one_of, read_rows
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
_UNSURE = -1
_VALUES = {PRESENT: 1, ABSENT: 0, NOT_MENTIONED: 0, UNCERTAIN: _UNSURE}
_READINGS = {"zeros": 0, "ones": 1, "ignore": _UNSURE}  # of what is uncertain


class CheXpertRecord(NamedTuple):
    """One radiograph of the set.

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

    def content(self) -> object:
        """All that is said of the radiograph, except where its file lies."""
        return self.name, self.frontal, self.findings


class CheXpert(StoredSet):
    """The frontal chest radiographs of CheXpert, with and without one of its 14 findings.

    All radiographs are stored, frontal and lateral, whatever the finding.

    Items are dicts of

    - ``image`` float32 (size, size, 1) in [0, 1];
    - ``label`` int, 1 with the finding;
    - ``findings`` int (14,), all of them;
    - ``patient`` and ``name`` str.

    Radiographs become squares, without regard to the shape of the file.

    A finding that the report does not mention counts as absent. Uncertain ones are read as Irvin et
    al. (2019) do: as absent ("zeros"), as present ("ones"), or not at all ("ignore"). Singla et al.
    (2020) explain Cardiomegaly at 128 pixels; which views and which reading of uncertain findings
    they took is not published. Patients have several radiographs: split by
    ``data.split(source.labels, {"train": 0.8, "test": 0.2}, seed=0, groups=source.patients)``.

    Args:
        raw_folder, work_folder, size, progress: see ``StoredSet``; raw files as ``read_chexpert``.
        finding: the one that the label names, out of ``chexpert.FINDINGS``.
        uncertain: how uncertain findings are read. With "ignore", radiographs for which ``finding``
            is uncertain are left out, and the other uncertain entries of ``findings`` are -1.
        views: "frontal", or "all" for the lateral ones too.

    Attributes:
        class_names: e.g. ("no cardiomegaly", "cardiomegaly").
        labels: the label of each item.
        findings: the findings of each item, int64 (n, 14), in the order of ``finding_names``.
        finding_names: ``chexpert.FINDINGS``.
        patients, names, parts: the patient, name and part of each item; the parts are "train" and
            "valid".
        left_out: how many radiographs are no items.
        identity: see ``StoredSet``, which lists the errors too; there may be no such radiograph.
    """

    finding_names = FINDINGS

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        finding: str = "Cardiomegaly",
        uncertain: Literal["zeros", "ones", "ignore"] = "ignore",
        views: Literal["frontal", "all"] = "frontal",
        size: int = 128,
        progress: bool = True,
    ) -> None:
        check_choice(finding, FINDINGS, name="finding")
        check_choice(uncertain, tuple(_READINGS), name="uncertain")
        check_choice(views, ("frontal", "all"), name="views")
        super().__init__(SPEC, raw_folder, work_folder, size=size, progress=progress)
        self._add_to_identity(finding, uncertain, views)
        self.class_names = (f"no {finding.lower()}", finding.lower())
        findings = _numbers(self._facts("findings"), uncertain)
        labels = findings[:, FINDINGS.index(finding)]
        kept = (self._facts("frontal") | (views == "all")) & (labels != _UNSURE)
        if not kept.any():
            raise InputError(
                f"expected radiographs for which '{finding}' is known, none of {len(labels)} is of"
                " such a kind: choose another finding, views='all', or uncertain='zeros' or 'ones'"
            )
        self._keep(kept)
        self.labels, self.findings = labels[kept], findings[kept]
        self.patients, self.names = self._facts("patient"), self._facts("name")
        self.parts = self._facts("part")
        self.left_out = len(labels) - len(self)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            **super().__getitem__(index),
            "label": int(self.labels[index]),
            "findings": self.findings[index],
            "patient": str(self.patients[index]),
        }


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
    check_entries(records, folder, what="radiograph")
    return records


def _part(folder: Path, part: str) -> Iterator[CheXpertRecord]:
    """The records of one table."""
    table = folder / f"{part}.csv"
    for row in read_rows(table, ("Path", "Frontal/Lateral", *FINDINGS), page=PAGE):
        place = PurePosixPath(*PurePosixPath(row["Path"]).parts[-4:])
        if len(place.parts) < 4 or place.parts[0] != part:
            raise InputError(
                f"'{table}': expected a Path like"
                f" 'CheXpert-v1.0/{part}/patient00001/study1/view1_frontal.jpg', got"
                f" '{row['Path']}': correct the row"
            )
        known = functools.partial(one_of, row, table=table, key="Path")
        yield CheXpertRecord(
            name=str(place.with_suffix("")),
            image=folder / place,
            patient=place.parts[1],
            part=part,
            frontal=known("Frontal/Lateral", ("Frontal", "Lateral")) == "Frontal",
            findings="".join(_LETTERS[known(finding, _LETTERS)] for finding in FINDINGS),
        )


def _numbers(letters: Shaped[np.ndarray, " n"], uncertain: str) -> Int[np.ndarray, "n 14"]:
    """The findings' letters as numbers."""
    values = {**_VALUES, UNCERTAIN: _READINGS[uncertain]}
    table = letters.astype(f"U{len(FINDINGS)}").view("U1").reshape(-1, len(FINDINGS))
    return np.select([table == letter for letter in values], list(values.values())).astype(np.int64)


def _examples(record: CheXpertRecord, size: int) -> list[Example]:
    picture = read_picture(record.image, channels=1, page=PAGE, size=(size, size))
    facts = record._asdict()
    del facts["image"]
    return [Example(record.name, {"image": png(picture), "name": record.name}, facts)]


# TFDS has a builder of its own, ``chexpert``, which needs TensorFlow and keeps the files' sizes.
SPEC = SetSpec(
    name="chexpert",
    stored_name="chexpert_radiographs",
    page=PAGE,
    entries="radiographs",
    read=read_chexpert,
    features={"image": Kind.GREY, "name": Kind.TEXT},
    examples=_examples,
)
