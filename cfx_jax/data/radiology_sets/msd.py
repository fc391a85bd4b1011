"""The brain tumours of the Medical Segmentation Decathlon (Antonelli et al. 2022), Task01: 484
labelled volumes of the challenges BraTS 2016 and 2017, four sequences each, 240 x 240 x 155 voxels
of 1 mm, skulls removed.

The folder is what ``Task01_BrainTumour.tar`` unpacks to, or the one around it:

    Task01_BrainTumour/dataset.json                       lists the files and names the sequences
    Task01_BrainTumour/imagesTr/BRATS_001.nii.gz          FLAIR, T1w, t1gd, T2w along the fourth
    axis Task01_BrainTumour/labelsTr/BRATS_001.nii.gz          0 background, 1 edema, 2 and 3 tumour
    without and with
                                                          enhancement

Its part for testing (imagesTs) has no labels and is left out. Each volume is one patient.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.data.nifti import read_nifti, resample_volume, unit_slices
from cfx_jax.data.published import check_files, check_names
from cfx_jax.data.sources.file_tree import natural_key
from cfx_jax.data.user_files import damage, is_folder, is_regular, read_file
from cfx_jax.errors import InputError

PAGE = "http://medicaldecathlon.com/"
SEQUENCE = "t1gd"
TUMOUR = (2, 3)
NUM_SLICES = 145  # a volume of 155 x 240 x 240 becomes one of 145 x 224 x 224


class BrainRecord(NamedTuple):
    """One patient's volume.

    Attributes:
        name: different for every patient.
        image: the NIfTI file of all sequences.
        labels: the NIfTI file of the voxels' classes.
        sequence: which of the sequences to read, from 0.
        num_sequences: how many there are.
    """

    name: str
    image: Path
    labels: Path
    sequence: int
    num_sequences: int


class BrainSlices(NamedTuple):
    """The axial slices of a volume that show the body.

    Attributes:
        numbers: of each slice, its place in the resampled volume, from the feet.
        images: (n, size, size) float32 in [0, 1], each slice scaled to its own smallest and largest
            value.
        tumours: (n, size, size) bool, the tumour without its edema.
        bodies: (n, size, size) bool, where there is signal.
    """

    numbers: np.ndarray
    images: Float[np.ndarray, "n h w"]
    tumours: Bool[np.ndarray, "n h w"]
    bodies: Bool[np.ndarray, "n h w"]


def digest(records: Iterable[BrainRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie, and of the files'
    sizes.
    """
    facts = [
        (
            each.name,
            each.sequence,
            each.num_sequences,
            each.image.stat().st_size,
            each.labels.stat().st_size,
        )
        for each in records
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def read_msd_brain(folder: str | Path) -> list[BrainRecord]:
    """Lists the labelled volumes of the brain tumour task; none is opened.

    Args:
        folder: holds ``Task01_BrainTumour`` or is it.

    Returns:
        The volumes by name, to be read with T1 after gadolinium.

    Raises:
        InputError: ``dataset.json`` is missing, damaged or of another task, or a file that it lists
            is missing.
    """
    folder = Path(folder)
    top = folder / "Task01_BrainTumour" if is_folder(folder / "Task01_BrainTumour") else folder
    table = top / "dataset.json"
    if not is_regular(table):
        raise InputError(
            f"expected the list of files '{table}', which does not exist: unpack the task from"
            f" {PAGE}"
        )
    with damage(
        lambda reason: InputError(
            f"'{table}' is no list of the files of a task ({reason}): unpack it again"
        )
    ):
        listed = json.loads(read_file(table))
        sequences = [
            listed["modality"][str(number)].lower() for number in range(len(listed["modality"]))
        ]
        files = [(top / each["image"], top / each["label"]) for each in listed["training"]]
    if SEQUENCE not in sequences or not files:
        raise InputError(
            f"'{table}': expected volumes with the sequence {SEQUENCE}, got {len(files)} with"
            f" {', '.join(sequences)}: "
            f"take Task01_BrainTumour from {PAGE}"
        )
    names = [image.name.split(".")[0] for image, _ in files]
    check_names(names, top, what="volume")
    check_files([each for pair in files for each in pair], top, what="file")
    records = [
        BrainRecord(name, *pair, sequences.index(SEQUENCE), len(sequences))
        for name, pair in zip(names, files, strict=True)
    ]
    return sorted(records, key=lambda each: natural_key(each.name))


def read_slices(record: BrainRecord, *, size: int) -> BrainSlices:
    """Reads a volume as images: resampled, cut into axial slices, without those that show nothing.

    The volume of any size becomes 145 slices of ``size`` pixels, its labels by the nearest voxel. A
    slice is kept where at least one voxel lies in the body, that is, where its value is above 0:
    outside, the skull-stripped volumes are 0. The publications say only that slices outside the
    body were removed, which left them 62,508.

    Args:
        record: the volume.
        size: side of the slices in pixels.

    Returns:
        The slices that are kept, from the feet upwards.

    Raises:
        InputError: a file cannot be read, has another number of sequences than listed, or classes
            of another shape than the image.
    """
    image = read_nifti(record.image, sequence=record.sequence, num_sequences=record.num_sequences)
    classes = read_nifti(record.labels, num_sequences=1, labels=True)
    if image.array.shape != classes.array.shape:
        raise InputError(
            f"'{record.labels}': expected the shape of its image '{record.image}',"
            f" {image.array.shape} (slices, rows, "
            f"columns), got {classes.array.shape}: unpack the task again from {PAGE}"
        )
    shape = (NUM_SLICES, size, size)
    tumours = np.isin(resample_volume(classes, shape=shape).array, TUMOUR)
    bodies = (
        resample_volume(image._replace(array=(image.array > 0).astype(np.uint8)), shape=shape).array
        > 0
    )
    numbers = np.flatnonzero(bodies.any(axis=(1, 2)))
    images = unit_slices(resample_volume(image, shape=shape).array[numbers])
    return BrainSlices(numbers, images, tumours[numbers], bodies[numbers])
