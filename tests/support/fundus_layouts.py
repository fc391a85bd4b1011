"""Writes tiny sets in the layouts of the published ones. Photographs are synthetic eyes on black
rectangles.
"""

from functools import cache

import numpy as np
import xlwt
from PIL import Image

from cfx_jax.data import SyntheticFundus
from cfx_jax.data.sets.idrid import LESIONS

WIDTH, HEIGHT, EYE = 400, 300, 256
BLACK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@cache
def photograph(index):
    """A synthetic eye in the middle of a black rectangle."""
    eye = np.round(255 * SyntheticFundus(index + 1, size=EYE)[index]["image"]).astype(np.uint8)
    picture = BLACK.copy()
    top, left = (HEIGHT - EYE) // 2, (WIDTH - EYE) // 2
    picture[top : top + EYE, left : left + EYE] = eye
    return picture


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95} if path.suffix in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(path, **options)


def touch(path):
    """An empty file, for readers, which open no photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write_kaggle(folder, train, test=None, write=touch):
    """``train`` and ``test`` map names such as 10_left to grades."""
    for images, table, grades, ending in (
        ("train", "trainLabels.csv", train, ""),
        ("test", "retinopathy_solution.csv", test, ",Public"),
    ):
        if grades is None:
            continue
        for name in grades:
            write(folder / images / f"{name}.jpeg")
        header = "image,level" + (",Usage" if ending else "")
        rows = [f"{name},{grade}{ending}" for name, grade in grades.items()]
        (folder / table).write_text("\n".join([header, *rows, ""]))
    return folder


MESSIDOR_COLUMNS = (
    "Image name",
    "Ophthalmologic department",
    "Retinopathy grade",
    "Risk of macular edema ",
)


def write_messidor(folder, bases, write=touch, suffix=""):
    """``bases`` maps names such as Base11 to {file name: grade}; xls files as Excel writes them."""
    for base, grades in bases.items():
        book = xlwt.Workbook()
        sheet = book.add_sheet("Feuil1")
        rows = [
            MESSIDOR_COLUMNS,
            *([name, "CHU de St Etienne", grade, 0] for name, grade in grades.items()),
        ]
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                sheet.write(number, column, value)
        for name in grades:
            write(folder / base / name)
        folder.mkdir(exist_ok=True)
        book.save(str(folder / f"Annotation_{base}{suffix}.xls"))
    return folder


def write_idrid(folder, lesions, write=touch, write_mask=touch):
    """``lesions`` maps numbers of photographs to the kinds of lesions that they show; 54 is the
    last for training.
    """
    top = folder / "A. Segmentation"
    for part in ("a. Training Set", "b. Testing Set"):
        for place, _ in LESIONS.values():
            (top / "2. All Segmentation Groundtruths" / part / place).mkdir(
                parents=True, exist_ok=True
            )
    for number, kinds in lesions.items():
        part = "a. Training Set" if number <= 54 else "b. Testing Set"
        write(top / "1. Original Images" / part / f"IDRiD_{number:02d}.jpg")
        for kind in kinds:
            place, code = LESIONS[kind]
            write_mask(
                top
                / "2. All Segmentation Groundtruths"
                / part
                / place
                / f"IDRiD_{number:02d}_{code}.tif"
            )
    return folder


DEEPDRID_COLUMNS = (
    "patient_id,image_id,image_path,Overall"
    " quality,left_eye_DR_Level,right_eye_DR_Level,patient_DR_Level,Clarity,Field"
    " definition,Artifact"
)
TRAINING = {  # rows of the published table, with a patient whose columns disagree with the names
    "4_l1": r"4,4_l1,\regular-fundus-training\4\4_l1.jpg,0,3,,4,6,6,8",
    "4_r1": r"4,4_r1,\regular-fundus-training\4\4_r1.jpg,0,,4,4,8,6,6",
    "56_l1": r"56,56_l1,\regular-fundus-training\56\56_l1.jpg,0,1,,1,8,8,0",
    "56_r3": r"56,56_r3,\regular-fundus-training\56\56_r3.jpg,0,1,,1,10,8,1",
    "56_l3": r"56,56_l3,\regular-fundus-training\56\56_l3.jpg,1,,0,1,10,10,0",
}
VALIDATION = {"296_l1": r"296,296_l1,\regular-fundus-validation\296\296_l1.jpg,1,2,,3,8,6,0"}


def write_deepdrid(folder, training=TRAINING, validation=VALIDATION, write=touch):
    """The parts map names to rows of their tables."""
    for part, rows in (
        ("regular-fundus-training", training),
        ("regular-fundus-validation", validation),
    ):
        top = folder / "regular_fundus_images" / part
        for name in rows:
            write(top / "Images" / name.split("_")[0] / f"{name}.jpg")
        (top / f"{part}.csv").write_text("\n".join([DEEPDRID_COLUMNS, *rows.values(), ""]))
    return folder
