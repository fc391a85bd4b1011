"""EyePACS photographs of the Kaggle competition Diabetic Retinopathy Detection (2015).

There are 35,126 of its training part and 53,576 of its test part, both eyes of each patient, graded
0 to 4 by one clinician.

The folder is the one that ``tensorflow_datasets`` asks for under
``diabetic_retinopathy_detection``:

    trainLabels.csv            image,level
    train/10_left.jpeg         the photographs of train.zip.001 to .005
    retinopathy_solution.csv   image,level,Usage; published after the competition
    test/1_left.jpeg           the photographs of test.zip.001 to .007

The test part may be left out, both its table and its folder.

``FundusSet("kaggle", ...)`` opens the set.
"""

from collections.abc import Iterator
from pathlib import Path

from cfx_jax.data.sets.stored.fundus_records import FundusRecord, fundus_spec
from cfx_jax.data.sets.stored.listing import check_entries
from cfx_jax.data.sets.stored.tables import read_rows, whole_number
from cfx_jax.errors import InputError

PAGE = "https://www.kaggle.com/c/diabetic-retinopathy-detection/data"
SOLUTION = "https://storage.googleapis.com/kaggle-forum-message-attachments/90528/2877/retinopathy_solution.csv"


def read_kaggle(folder: str | Path) -> list[FundusRecord]:
    """Lists the photographs of the Kaggle set; none is opened.

    Args:
        folder: holds ``trainLabels.csv`` and ``train``, see above.

    Returns:
        The training part, then the test part if it is there, in the order of the tables.
        ``patient`` is the number before the underscore; ``gradable`` is unknown.

    Raises:
        InputError: a table or a photograph is missing, or a row cannot be understood.
    """
    folder = Path(folder)
    records = [*_part(folder / "trainLabels.csv", folder / "train", PAGE)]
    table, images = folder / "retinopathy_solution.csv", folder / "test"
    if table.exists() or images.exists():
        records += _part(table, images, SOLUTION)
    check_entries(records, folder, what="photograph")
    return records


def _part(table: Path, images: Path, page: str) -> Iterator[FundusRecord]:
    """The records of one table."""
    for row in read_rows(table, ("image", "level"), page=page):
        name = row["image"]
        patient, _, side = name.partition("_")
        if side not in ("left", "right"):
            raise InputError(
                f"'{table}': expected an image like '10_left' or '10_right', got '{name}': correct"
                " the row"
            )
        grade = whole_number(row, "level", highest=4, table=table)
        yield FundusRecord(name, images / f"{name}.jpeg", patient, grade)


SPEC = fundus_spec("kaggle", read_kaggle, page=PAGE, stored_name="kaggle_dr")
