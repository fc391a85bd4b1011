"""Writes tiny sets in the layouts of the published ones of computed tomography, with smooth random
scans.
"""

import nibabel
import numpy as np
import openpyxl
from scipy import ndimage

AFFINE = np.diag([-0.7, -0.7, 8.0, 1])  # first axis to the left, second to the back, third up
SHAPE = (20, 16, 14)  # columns, rows, slices
MOSMED = {  # name -> grade and whether it has a mask
    "study_0001": (0, False),
    "study_0002": (0, False),
    "study_0255": (1, True),
    "study_0256": (1, True),
    "study_0939": (1, False),
    "study_0940": (2, False),
    "study_1065": (3, False),
    "study_1109": (4, False),
}
STROKES = {  # scan -> patient, side, infarct_size, territory, whether it has an atlas
    "p1/admission.nii.gz": ("p1", "none", "0", "", False),
    "p1/followup.nii.gz": ("p1", "left", "2", "left MCA", True),
    "p2/admission.nii.gz": ("p2", "right", "4", "right PCA", True),
    "p3/admission.nii.gz": ("p3", "both", "", "", False),
    "p3/followup.nii.gz": ("p3", "none", "", "", False),
}


def ct_units(name, shape=SHAPE):
    """A smooth scan in Hounsfield units, another one for each name: air around something like
    tissue.
    """
    rng = np.random.default_rng(list(name.encode()))
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    places = np.moveaxis(np.indices(shape), 0, -1) / (np.array(shape) - 1) - 0.5
    inside = np.hypot(places[..., 0], places[..., 1]) < 0.45
    return np.where(inside, 40 + 60 * smooth / smooth.std(), -1000).astype(np.int16)


def ct_marks(name, highest=1, shape=SHAPE):
    """Whole numbers 0 to ``highest`` in patches."""
    rng = np.random.default_rng(list(name.encode()[::-1]))
    patches = ndimage.zoom(
        rng.integers(0, highest + 1, [-(-side // 4) for side in shape]), 4, order=0
    )
    return patches[tuple(slice(side) for side in shape)].astype(np.uint8)


def save_nifti(path, values, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def write_xlsx(path, rows):
    """An Excel file of one sheet; empty cells are left out, as Excel leaves them out."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([value or None for value in row])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def write_mosmed(folder, studies=MOSMED, table="dataset_registry.xlsx", save=save_nifti):
    """The folder of the archive; masks have headers of their own, as programs for drawing write
    them.
    """
    rows = [("study_id", "category", "study_file", "mask_file")]
    for name, (grade, has_mask) in studies.items():
        scan, mask = (
            f"/studies/CT-{grade}/{name}.nii.gz",
            f"/masks/{name}_mask.nii.gz" if has_mask else "",
        )
        rows.append((name, f"CT-{grade}", scan, mask))
        save(folder / scan[1:], ct_units(name))
        if mask:
            save(folder / mask[1:], ct_marks(name), np.diag([1.0, 1, 8, 1]))
    if table.endswith(".xlsx"):
        write_xlsx(folder / table, rows)
    else:
        (folder / table).write_text("".join(",".join(row) + "\n" for row in rows))
    return folder


def write_ist3(
    folder, scans=STROKES, header="scan,patient,side,infarct_size,territory,atlas", save=save_nifti
):
    """The table and the scans, as the reader asks for them."""
    lines = [header]
    for scan, (*facts, has_atlas) in scans.items():
        atlas = scan.replace(".nii", "_atlas.nii") if has_atlas else ""
        lines.append(",".join([scan, *facts, atlas]))
        save(folder / scan, ct_units(scan))
        if atlas:
            save(folder / atlas, ct_marks(scan, highest=6))
    (folder / "scans.csv").write_text("\n".join([*lines, ""]))
    return folder
