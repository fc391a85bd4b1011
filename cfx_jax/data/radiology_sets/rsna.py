"""The RSNA pneumonia set (Shih et al. 2019): 26,684 frontal chest radiographs of the NIH's
ChestX-ray14, of 1,024 pixels and 8 bits, with boxes around the opacities that suggest pneumonia.

The folder is what the Kaggle competition RSNA Pneumonia Detection Challenge (2018) unpacks to:

    stage_2_train_images/00436515-870c-4b36-a041-de91049b9ab4.dcm
    stage_2_train_labels.csv            patientId,x,y,width,height,Target; a row for each box, in
    pixels stage_2_detailed_class_info.csv     patientId,class; the same rows

The classes are Normal (8,851 images), Lung Opacity (6,012, with 9,555 boxes) and No Lung Opacity /
Not Normal (11,821), which shows something else. Each patientId is one image; persons who had
several are not told apart here, though the NIH's numbers of them have been published since.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfx_jax.data.published import check_files, read_rows, whole_number
from cfx_jax.errors import InputError

PAGE = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"
CLASSES = {"Normal": 0, "Lung Opacity": 1, "No Lung Opacity / Not Normal": None}
MOST_BOXES = 4  # on one image of the published set
_SIDES = ("x", "y", "width", "height")

Box = tuple[float, float, float, float]


class ChestRecord(NamedTuple):
    """One radiograph.

    Attributes:
        name: different for every image of the set; it stands for the patient too.
        image: the DICOM file.
        label: 0 for normal, 1 with opacities, None for the class that is neither.
        boxes: y0, x0, y1, x1 of each opacity in pixels of the file, from the upper left corner of
            the image.
    """

    name: str
    image: Path
    label: int | None
    boxes: tuple[Box, ...] = ()


def digest(records: Iterable[ChestRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie."""
    return hashlib.sha256(
        repr([(each.name, each.label, each.boxes) for each in records]).encode()
    ).hexdigest()


def read_rsna(folder: str | Path) -> list[ChestRecord]:
    """Lists the radiographs of the RSNA pneumonia set, all three classes; none is opened.

    Args:
        folder: holds the tables and ``stage_2_train_images``, see above.

    Returns:
        The images in the order of the table of boxes.

    Raises:
        InputError: a table is missing, a row cannot be understood or does not agree with the other
            table, or an image of one of the two classes that are used is missing.
    """
    folder = Path(folder)
    table = folder / "stage_2_train_labels.csv"
    boxes = _boxes(table)
    labels = _labels(folder / "stage_2_detailed_class_info.csv")
    records = [
        ChestRecord(
            name,
            folder / "stage_2_train_images" / f"{name}.dcm",
            _label(labels, name, found, table),
            found,
        )
        for name, found in boxes.items()
    ]
    check_files(
        [each.image for each in records if each.label is not None], folder, what="radiograph"
    )
    return records


def _boxes(table: Path) -> dict[str, tuple[Box, ...]]:
    """Name -> the boxes of its rows."""
    found: dict[str, tuple[Box, ...]] = {}
    for row in read_rows(table, ("patientId", *_SIDES, "Target"), page=PAGE):
        has_box = whole_number(row, "Target", highest=1, table=table) == 1
        found[row["patientId"]] = (
            *found.get(row["patientId"], ()),
            *([_box(row, table)] if has_box else []),
        )
    for name, boxes in found.items():
        if len(boxes) > MOST_BOXES:
            raise InputError(
                f"'{table}': expected at most {MOST_BOXES} boxes on an image, got {len(boxes)} on"
                f" '{name}'"
            )
    return found


def _box(row: dict[str, str], table: Path) -> Box:
    try:
        x, y, width, height = (float(row[side]) for side in _SIDES)
    except ValueError:
        x = y = width = height = 0
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
        raise InputError(
            f"'{table}': expected numbers for x, y, width and height of a box, got the row"
            f" {','.join(row.values())}: "
            "correct the row"
        )
    return y, x, y + height, x + width


def _labels(table: Path) -> dict[str, int | None]:
    """Name -> 0, 1, or None for the third class."""
    labels: dict[str, int | None] = {}
    for row in read_rows(table, ("patientId", "class"), page=PAGE):
        if row["class"] not in CLASSES:
            raise InputError(
                f"'{table}': expected a class out of {', '.join(CLASSES)}, got '{row['class']}'"
                f" for "
                f"'{row['patientId']}': correct the row"
            )
        labels[row["patientId"]] = CLASSES[row["class"]]
    return labels


def _label(
    labels: dict[str, int | None], name: str, boxes: tuple[Box, ...], table: Path
) -> int | None:
    """The label of an image, which must have boxes where it is 1 and only there."""
    if name not in labels or (labels[name] == 1) != bool(boxes):
        found = (
            next(kind for kind, label in CLASSES.items() if label == labels[name])
            if name in labels
            else "none"
        )
        raise InputError(
            f"'{table}': expected boxes for the class Lung Opacity and no other, got {len(boxes)}"
            f" for '{name}' of class "
            f"'{found}': download both tables again from {PAGE}"
        )
    return labels[name]
