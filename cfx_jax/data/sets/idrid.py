"""IDRiD, the Indian Diabetic Retinopathy Image Dataset (Porwal et al. 2018), segmentation part.

It has 81 photographs with masks of four kinds of lesion.

The folder is what ``A. Segmentation.zip`` unpacks to, or the one around it:

    A. Segmentation/1. Original Images/a. Training Set/IDRiD_01.jpg                    01 to 54
    A. Segmentation/1. Original Images/b. Testing Set/IDRiD_55.jpg                     55 to 81
    A. Segmentation/2. All Segmentation Groundtruths/a. Training Set/
        1. Microaneurysms/IDRiD_01_MA.tif     81 of them over both parts
        2. Haemorrhages/IDRiD_01_HE.tif       80
        3. Hard Exudates/IDRiD_01_EX.tif      81
        4. Soft Exudates/IDRiD_03_SE.tif      40

A photograph without a mask of some kind does not show it. This part has no grades. ``grade`` is the
least that the lesions imply on the international scale (Wilkinson et al. 2003): 1 with
microaneurysms only, 2 with more than these. That is 2, standing for 2 or more, throughout, since
all 81 photographs show hard exudates.

``FundusSet("idrid", ...)`` opens the set.
"""

from collections.abc import Iterable
from pathlib import Path

from cfx_jax.data.sets.stored.fundus_records import FundusRecord, fundus_spec
from cfx_jax.data.sets.stored.listing import check_entries, inner_folder
from cfx_jax.data.sources.folder_or_zip import natural_key
from cfx_jax.data.user_files import is_folder
from cfx_jax.errors import InputError

PAGE = "https://ieee-dataport.org/open-access/indian-diabetic-retinopathy-image-dataset-idrid"
PARTS = ("a. Training Set", "b. Testing Set")
LESIONS = {
    "microaneurysms": ("1. Microaneurysms", "MA"),
    "haemorrhages": ("2. Haemorrhages", "HE"),
    "hard_exudates": ("3. Hard Exudates", "EX"),
    "soft_exudates": ("4. Soft Exudates", "SE"),
}


def read_idrid(folder: str | Path) -> list[FundusRecord]:
    """Lists the photographs of IDRiD's segmentation part and their masks; none is opened.

    Args:
        folder: holds ``A. Segmentation`` or is it.

    Returns:
        The photographs by name, which is the file's. ``patient`` is the name too, since the set
        does not tell; ``grade`` is the least that the lesions imply, None without any; ``gradable``
        is unknown.

    Raises:
        InputError: a folder of photographs or of masks is missing or empty, or a mask belongs to no
            photograph.
    """
    folder = Path(folder)
    top = inner_folder(folder, "A. Segmentation")
    records = [record for part in PARTS for record in _part(top, part)]
    check_entries(records, folder, what="photograph")
    return records


def _part(top: Path, part: str) -> list[FundusRecord]:
    """The photographs of the training or the testing set."""
    images = _files(top / "1. Original Images" / part, "IDRiD_*.jpg")
    truths = top / "2. All Segmentation Groundtruths" / part
    masks = {
        kind: _files(truths / place, f"IDRiD_*_{code}.tif", ending=f"_{code}")
        for kind, (place, code) in LESIONS.items()
    }
    for files in masks.values():
        _check_known(files, images)
    records = []
    for name in sorted(images, key=natural_key):
        shown = {kind: files[name] for kind, files in masks.items() if name in files}
        grade = _least_grade(shown)
        records.append(FundusRecord(name, images[name], name, grade=grade, masks=shown))
    return records


def _least_grade(lesions: Iterable[str]) -> int | None:
    """The lowest grade of an eye that shows these kinds of lesion."""
    kinds = set(lesions)
    return (2 if kinds - {"microaneurysms"} else 1) if kinds else None


def _files(folder: Path, pattern: str, *, ending: str = "") -> dict[str, Path]:
    """The files of a folder, by the names of their photographs."""
    paths = folder.glob(pattern) if is_folder(folder) else ()
    files = {path.stem.removesuffix(ending): path for path in paths}
    if not files:
        raise InputError(
            f"expected files {pattern} in '{folder}', found none: unpack A. Segmentation.zip, which"
            f" is at {PAGE}"
        )
    return files


def _check_known(masks: dict[str, Path], images: dict[str, Path]) -> None:
    """Checks that each mask has its photograph; a misnamed one would hide a lesion."""
    unknown = sorted(masks.keys() - images.keys())
    if unknown:
        raise InputError(
            f"'{masks[unknown[0]]}': expected a mask of one of the {len(images)} photographs, there"
            f" is no '{unknown[0]}.jpg': unpack the photographs again, or remove the mask"
        )


SPEC = fundus_spec("idrid", read_idrid, page=PAGE)
