"""DeepDRiD (Liu et al. 2022): regular fundus photographs of the ISBI 2020 challenge.

There are 1,200 for training and 400 for validation, two of each eye, with grades 0 to 4 and an
assessment of quality.

The folder is the repository or its part ``regular_fundus_images``:

    regular_fundus_images/regular-fundus-training/regular-fundus-training.csv
    regular_fundus_images/regular-fundus-training/Images/1/1_l1.jpg
    regular_fundus_images/regular-fundus-validation/regular-fundus-validation.csv
    regular_fundus_images/regular-fundus-validation/Images/265/265_l1.jpg

The challenge's online evaluation, whose tables are empty, is left out. The photographs are found by
``patient_id`` and ``image_id``, since ``image_path`` leaves out the folder ``Images``. A row fills
one of the columns ``left_eye_DR_Level`` and ``right_eye_DR_Level``; which one does not always agree
with the l or r of the name (patients 56, 77, 164, 167), so the filled one counts.

``FundusSet("deepdrid", ...)`` opens the set.
"""

from collections.abc import Iterator
from pathlib import Path

from cfx_jax.data.sets.stored.fundus_records import FundusRecord, fundus_spec
from cfx_jax.data.sets.stored.listing import check_entries, inner_folder
from cfx_jax.data.sets.stored.tables import read_rows, whole_number
from cfx_jax.errors import InputError

PAGE = "https://github.com/deepdrdoc/DeepDRiD"
PARTS = ("regular-fundus-training", "regular-fundus-validation")
_EYES = ("left_eye_DR_Level", "right_eye_DR_Level")
_COLUMNS = ("patient_id", "image_id", "Overall quality", *_EYES)


def read_deepdrid(folder: str | Path) -> list[FundusRecord]:
    """Lists the photographs of DeepDRiD; none is opened.

    Args:
        folder: holds ``regular_fundus_images`` or is it.

    Returns:
        The training part, then the validation part, in the order of the tables. ``gradable`` is the
        table's overall quality: 1 where it is good enough for the diagnosis of retinal diseases.

    Raises:
        InputError: a table or a photograph is missing, or a row cannot be understood.
    """
    folder = Path(folder)
    top = inner_folder(folder, "regular_fundus_images")
    records = [record for part in PARTS for record in _part(top / part)]
    check_entries(records, folder, what="photograph")
    return records


def _part(folder: Path) -> Iterator[FundusRecord]:
    """The records of one table."""
    table = folder / f"{folder.name}.csv"
    for row in read_rows(table, _COLUMNS, page=PAGE):
        graded = [column for column in _EYES if row[column]]
        if len(graded) != 1:
            raise InputError(
                f"'{table}': expected a grade in one of {' and '.join(_EYES)}, got it in"
                f" {len(graded)} in the row of '{row['image_id']}': download the table again from"
                f" {PAGE}"
            )
        yield FundusRecord(
            row["image_id"],
            folder / "Images" / row["patient_id"] / f"{row['image_id']}.jpg",
            row["patient_id"],
            grade=whole_number(row, graded[0], highest=4, table=table),
            gradable=whole_number(row, "Overall quality", highest=1, table=table),
        )


SPEC = fundus_spec("deepdrid", read_deepdrid, page=PAGE)
