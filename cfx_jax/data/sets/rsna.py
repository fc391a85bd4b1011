"""The RSNA pneumonia set (Shih et al. 2019): 26,684 frontal chest radiographs with boxes.

They are of the NIH's ChestX-ray14, of 1,024 pixels and 8 bits; the boxes are around the opacities
that suggest pneumonia.

The folder is what the Kaggle competition RSNA Pneumonia Detection Challenge (2018) unpacks to:

    stage_2_train_images/00436515-870c-4b36-a041-de91049b9ab4.dcm
    stage_2_train_labels.csv            patientId,x,y,width,height,Target
                                        a row for each box, in pixels
    stage_2_detailed_class_info.csv     patientId,class; the same rows

The classes are Normal (8,851 images), Lung Opacity (6,012, with 9,555 boxes) and No Lung Opacity /
Not Normal (11,821), which shows something else. Each patientId is one image; persons who had
several are not told apart here, though the NIH's numbers of them have been published since.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.data.dicom import read_dicom
from cfx_jax.data.sets.stored.listing import check_files
from cfx_jax.data.sets.stored.pictures import png
from cfx_jax.data.sets.stored.spec import Example, Integers, Kind, SetSpec
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.data.sets.stored.tables import one_of, read_rows, whole_number
from cfx_jax.data.sources.resizing import resize
from cfx_jax.errors import InputError

PAGE = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"
CLASSES = {"Normal": 0, "Lung Opacity": 1, "No Lung Opacity / Not Normal": None}
MOST_BOXES = 4  # on one image of the published set
_SIDES = ("x", "y", "width", "height")

Box = tuple[float, float, float, float]


class ChestRecord(NamedTuple):
    """One radiograph of the set.

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

    def content(self) -> object:
        """All that is said of the radiograph, except where its file lies."""
        return self.name, self.label, self.boxes


class RSNAPneumonia(StoredSet):
    """The normal chest radiographs and those with opacities of the RSNA pneumonia set.

    Items are dicts of

    - ``image`` float32 (size, size, 1) in [0, 1];
    - ``label`` int, 1 with opacities;
    - ``boxes`` int (4, 4), y0, x0, y1, x1 of each marked opacity, half-open in pixels, padded with
      zeros;
    - ``num_boxes`` int, how many there are;
    - ``annotation_mask`` bool (size, size), the boxes' union;
    - ``patient`` str.

    Charachon et al. train on 80 % and choose and test on 10 % each: ``data.split(source.labels,
    {"train": 0.8, "validation": 0.1, "test": 0.1}, seed=0)``.

    Args:
        raw_folder, work_folder, size, progress: see ``StoredSet``; raw files as ``read_rsna``.

    Attributes:
        class_names: ("normal", "opacity").
        labels: the label of each item.
        patients: the patient of each item; one image each, see ``read_rsna``.
        left_out: how many images are of the third class, which is neither.
        identity: see ``StoredSet``, which lists the errors too.
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
        super().__init__(SPEC, raw_folder, work_folder, size=size, progress=progress)
        self.labels, self.patients = self._facts("label").astype(np.int64), self._facts("name")

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = super().__getitem__(index)
        mask = np.zeros((self.size, self.size), bool)
        for top, left, bottom, right in item["boxes"]:
            mask[top:bottom, left:right] = True
        patient = item.pop("name")
        return {**item, "annotation_mask": mask, "patient": patient}


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
    table, images = folder / "stage_2_train_labels.csv", folder / "stage_2_train_images"
    boxes_of = _boxes(table)
    classes = _classes(folder / "stage_2_detailed_class_info.csv")
    records = []
    for name, boxes in boxes_of.items():
        _check_agreement(name, classes.get(name), boxes, table)
        records.append(ChestRecord(name, images / f"{name}.dcm", CLASSES[classes[name]], boxes))
    used = [record.image for record in records if record.label is not None]
    check_files(used, folder, what="radiograph")
    return records


def scaled_box(box: Box, shape: tuple[int, int], size: int) -> Int[np.ndarray, "4"]:
    """A box in pixels of the resized image.

    Its pixels are those whose centre is in the box, or the one at the box's centre if none is.

    Args:
        box: y0, x0, y1, x1 in pixels of the original image.
        shape: height and width of the original image.
        size: side of the resized image.

    Returns:
        y0, x0, y1, x1, half-open, within the image.
    """
    ends: Float[np.ndarray, "2 2"] = np.array(box).reshape(2, 2) * size / np.array(shape)
    low, high = np.ceil(ends - 0.5).astype(int)
    middle = np.floor(ends.mean(axis=0)).astype(int)
    empty = high <= low
    low, high = np.where(empty, middle, low), np.where(empty, middle + 1, high)
    return np.concatenate([low.clip(0, size - 1), high.clip(1, size)])


def _boxes(table: Path) -> dict[str, tuple[Box, ...]]:
    """The boxes of each image, by its name."""
    boxes: dict[str, tuple[Box, ...]] = {}
    for row in read_rows(table, ("patientId", *_SIDES, "Target"), page=PAGE):
        known = boxes.setdefault(row["patientId"], ())
        if whole_number(row, "Target", highest=1, table=table) == 1:
            boxes[row["patientId"]] = (*known, _box(row, table))
    for name, marked in boxes.items():
        if len(marked) > MOST_BOXES:
            raise InputError(
                f"'{table}': expected at most {MOST_BOXES} boxes on an image, got {len(marked)} on"
                f" '{name}'"
            )
    return boxes


def _box(row: dict[str, str], table: Path) -> Box:
    """The box of one row."""
    try:
        x, y, width, height = (float(row[side]) for side in _SIDES)
    except ValueError:
        x = y = width = height = 0
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
        raise InputError(
            f"'{table}': expected numbers for x, y, width and height of a box, got the row"
            f" {','.join(row.values())}: correct the row"
        )
    return y, x, y + height, x + width


def _classes(table: Path) -> dict[str, str]:
    """The class of each image, by its name."""
    rows = read_rows(table, ("patientId", "class"), page=PAGE)
    return {
        row["patientId"]: one_of(row, "class", CLASSES, table=table, key="patientId")
        for row in rows
    }


def _check_agreement(name: str, kind: str | None, boxes: tuple[Box, ...], table: Path) -> None:
    """Checks that an image has a class, and boxes where it shows opacities and only there."""
    if kind is None or (CLASSES[kind] == 1) != bool(boxes):
        raise InputError(
            f"'{table}': expected boxes for the class Lung Opacity and no other, got {len(boxes)}"
            f" for '{name}' of class '{kind or 'none'}': download both tables again from {PAGE}"
        )


def _examples(record: ChestRecord, size: int) -> list[Example]:
    if record.label is None:
        return []
    image = read_dicom(record.image)
    if image.shape[-1] != 1:
        raise InputError(
            f"'{record.image}': expected a grey image, got colour: download it again from {PAGE}"
        )
    boxes = np.zeros((MOST_BOXES, 4), int)
    for row, box in enumerate(record.boxes):
        boxes[row] = scaled_box(box, image.shape[:2], size)
    facts = {"name": record.name, "label": record.label}
    picture = png(resize(image[..., 0], (size, size)).clip(0, 1))
    fields = {"image": picture, "boxes": boxes, "num_boxes": len(record.boxes), **facts}
    return [Example(record.name, fields, facts)]


SPEC = SetSpec(
    name="rsna",
    stored_name="rsna_pneumonia",
    page=PAGE,
    entries="radiographs",
    read=read_rsna,
    features={
        "image": Kind.GREY,
        "boxes": Integers((MOST_BOXES, 4)),
        "num_boxes": Kind.NUMBER,
        "label": Kind.NUMBER,
        "name": Kind.TEXT,
    },
    examples=_examples,
)
