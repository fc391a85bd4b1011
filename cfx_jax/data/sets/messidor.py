"""Messidor (Decencière et al. 2014): 1,200 photographs from three French hospitals, graded 0 to 3.

The folder holds, at any depth, the annotation of each of the twelve bases and the base's
photographs:

    Annotation_Base11.xls           Image name, Ophthalmologic department, Retinopathy grade, ...
    Base11/20051019_38557_0100_PP.tif

The tables may also be csv files with the same columns. Where there are several for a base the last
by name counts: thus the authors' ``Annotation_Base11_update20161024.xls`` goes before
``Annotation_Base11.xls``.

The grades count lesions (0: none; 1: up to 5 microaneurysms, no haemorrhage; 2; 3: 15
microaneurysms or more, or 5 haemorrhages or more, or new vessels), a scale of their own that has no
grade 4.

Known faults, published on the set's page and kept as they are in the files: the grades of three
photographs of Base11 and one of Base13 were corrected in 2016 (by the updated tables); Base33 holds
13 photographs twice under two names, two of these pairs graded differently. The set does not name
patients: each photograph counts as a patient, so use the set as a whole, for testing.

``FundusSet("messidor", ...)`` opens the set.
"""

from pathlib import Path

from cfx_jax.data.sets.stored.fundus_records import FundusRecord, fundus_spec
from cfx_jax.data.sets.stored.listing import check_entries
from cfx_jax.data.sets.stored.tables import read_rows, whole_number
from cfx_jax.data.sources.folder_or_zip import natural_key
from cfx_jax.data.user_files import is_folder
from cfx_jax.errors import InputError

PAGE = "https://www.adcis.net/en/third-party/messidor/"
_COLUMNS = ("Image name", "Retinopathy grade")


def read_messidor(folder: str | Path) -> list[FundusRecord]:
    """Lists the photographs of Messidor; none is opened.

    Args:
        folder: holds the tables and the photographs, see above.

    Returns:
        The photographs by name. ``name`` and ``patient`` are the file's name without its ending;
        ``gradable`` is unknown.

    Raises:
        InputError: there is no table, a table has no photographs or the other way round, a
            photograph occurs in two folders, or a row cannot be understood.
    """
    folder = Path(folder)
    named = folder.rglob("Annotation*Base*") if is_folder(folder) else ()
    tables = sorted(path for path in named if path.suffix.lower() in (".xls", ".csv"))
    if not tables:
        raise InputError(
            f"expected the tables Annotation_Base11.xls to Annotation_Base34.xls in '{folder}',"
            f" found none: download them and the images from {PAGE}"
        )
    grades = {name: grade for table in tables for name, grade in _grades(table).items()}
    images = _images(folder)
    unknown = sorted(images.keys() - grades.keys())
    if unknown:
        raise InputError(
            f"'{folder}': expected a grade for each image, {len(unknown)} have none, the first is"
            f" '{images[unknown[0]]}': download the table of its base from {PAGE}"
        )
    records = []
    for file in sorted(grades, key=natural_key):
        name = Path(file).stem
        records.append(FundusRecord(name, images.get(file, folder / file), name, grades[file]))
    check_entries(records, folder, what="photograph")
    return records


def _grades(table: Path) -> dict[str, int]:
    """The grade of each file of a table, by the file's name."""
    rows = read_rows(table, _COLUMNS, page=PAGE)
    return {
        row["Image name"]: whole_number(row, "Retinopathy grade", highest=3, table=table)
        for row in rows
    }


def _images(folder: Path) -> dict[str, Path]:
    """All images at any depth, by their files' names."""
    images: dict[str, Path] = {}
    for path in sorted(folder.rglob("[!.]*.tif")):
        first = images.setdefault(path.name, path)
        if first != path:
            raise InputError(
                f"'{folder}': expected each image once, got '{first}' and '{path}': remove one of"
                " them"
            )
    return images


SPEC = fundus_spec("messidor", read_messidor, page=PAGE)
