"""The brain tumours of the Medical Segmentation Decathlon (Antonelli et al. 2022), Task01.

It has 484 labelled volumes of the challenges BraTS 2016 and 2017, of four sequences each, 240 x 240
x 155 voxels of 1 mm, skulls removed.

The folder is what ``Task01_BrainTumour.tar`` unpacks to, or the one around it:

    Task01_BrainTumour/dataset.json                   lists the files and names the sequences
    Task01_BrainTumour/imagesTr/BRATS_001.nii.gz      FLAIR, T1w, t1gd, T2w along the fourth axis
    Task01_BrainTumour/labelsTr/BRATS_001.nii.gz      0 background, 1 edema, 2 and 3 tumour without
                                                      and with enhancement

Its part for testing (imagesTs) has no labels and is left out. Each volume is one patient.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.data.nifti import read_nifti, resample_volume, unit_slices
from cfx_jax.data.sets.stored.listing import check_files, check_names, inner_folder
from cfx_jax.data.sets.stored.pictures import png
from cfx_jax.data.sets.stored.spec import Example, Kind, SetSpec
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.data.sources.folder_or_zip import natural_key
from cfx_jax.data.user_files import damage, is_regular, read_file
from cfx_jax.errors import InputError

PAGE = "http://medicaldecathlon.com/"
SEQUENCE = "t1gd"
TUMOUR = (2, 3)
NUM_SLICES = 145  # a volume of 155 x 240 x 240 becomes one of 145 x 224 x 224
LEAST_TUMOUR = 10 / 224**2  # share of a slice's pixels that makes it positive


class BrainRecord(NamedTuple):
    """The volume of one patient.

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

    def content(self) -> object:
        """All that is said of the volume, except where its files lie, and the files' sizes."""
        sizes = self.image.stat().st_size, self.labels.stat().st_size
        return self.name, self.sequence, self.num_sequences, *sizes


class BrainSlices(NamedTuple):
    """The axial slices of a volume that show the body.

    Attributes:
        numbers: for each slice, its place in the resampled volume, from the feet.
        images: (n, size, size) float32 in [0, 1], each slice scaled to its own smallest and largest
            value.
        tumours: (n, size, size) bool, the tumour without its edema.
        bodies: (n, size, size) bool, where there is signal.
    """

    numbers: np.ndarray
    images: Float[np.ndarray, "n h w"]
    tumours: Bool[np.ndarray, "n h w"]
    bodies: Bool[np.ndarray, "n h w"]


class MSDBrainTumour(StoredSet):
    """Axial slices of T1-weighted images of brains after gadolinium, of MSD's Task01.

    Items are dicts of

    - ``image`` float32 (size, size, 1), each slice scaled to [0, 1] by itself and stored with 8
      bits;
    - ``label`` int, 1 with at least 0.02 % of tumour (ten pixels of 224 x 224);
    - ``lesion_mask`` bool (size, size), the tumour without its edema;
    - ``body_mask`` bool (size, size);
    - ``patient`` str;
    - ``slice`` int, from the feet.

    The order is the order of the patients, from the feet upwards.

    Charachon et al. train on 363 patients, choose on 48 and test on 73:
    ``split_patients(source.patients, {"train": 363 / 484, "validation": 48 / 484, "test": 73 /
    484}, seed=0)``; which patients these were is theirs alone.

    Args:
        raw_folder, work_folder, size, progress: see ``StoredSet``; raw files as ``read_msd_brain``.

    Attributes:
        class_names: ("no tumour", "tumour").
        labels, patients, slices: the label, patient and slice of each item.
        left_out: how many slices are empty.
        identity: see ``StoredSet``, which lists the errors too.
    """

    class_names = ("no tumour", "tumour")

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: int = 224,
        progress: bool = True,
    ) -> None:
        super().__init__(SPEC, raw_folder, work_folder, size=size, progress=progress)
        self.labels = (self._facts("tumour_pixels") >= LEAST_TUMOUR * size**2).astype(np.int64)
        self.patients, self.slices = self._facts("patient"), self._facts("slice")

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**super().__getitem__(index), "label": int(self.labels[index])}


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
    top = inner_folder(Path(folder), "Task01_BrainTumour")
    sequences, files = _read_list(top)
    names = [image.name.split(".")[0] for image, _ in files]
    check_names(names, top, what="volume")
    check_files([file for pair in files for file in pair], top, what="file")
    records = [
        BrainRecord(name, *pair, sequences.index(SEQUENCE), len(sequences))
        for name, pair in zip(names, files, strict=True)
    ]
    return sorted(records, key=lambda record: natural_key(record.name))


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
            f" {image.array.shape} (slices, rows, columns), got {classes.array.shape}: unpack the"
            f" task again from {PAGE}"
        )
    shape = (NUM_SLICES, size, size)
    body = image._replace(array=(image.array > 0).astype(np.uint8))
    tumours = np.isin(resample_volume(classes, shape=shape).array, TUMOUR)
    bodies = resample_volume(body, shape=shape).array > 0
    numbers = np.flatnonzero(bodies.any(axis=(1, 2)))
    images = unit_slices(resample_volume(image, shape=shape).array[numbers])
    return BrainSlices(numbers, images, tumours[numbers], bodies[numbers])


def _read_list(top: Path) -> tuple[list[str], list[tuple[Path, Path]]]:
    """The names of the sequences, and the files of the image and the labels of each volume."""
    table = top / "dataset.json"
    if not is_regular(table):
        raise InputError(
            f"expected the list of files '{table}', which does not exist: unpack the task from"
            f" {PAGE}"
        )

    def refusal(reason: str) -> InputError:
        return InputError(
            f"'{table}' is no list of the files of a task ({reason}): unpack it again"
        )

    with damage(refusal):
        listed = json.loads(read_file(table))
        modality = listed["modality"]
        sequences = [modality[str(number)].lower() for number in range(len(modality))]
        files = [(top / pair["image"], top / pair["label"]) for pair in listed["training"]]
    if SEQUENCE not in sequences or not files:
        raise InputError(
            f"'{table}': expected volumes with the sequence {SEQUENCE}, got {len(files)} with"
            f" {', '.join(sequences)}: take Task01_BrainTumour from {PAGE}"
        )
    return sequences, files


def _examples(record: BrainRecord, size: int) -> list[Example]:
    examples = []
    for number, image, tumour, body in zip(*read_slices(record, size=size), strict=True):
        place = {"patient": record.name, "slice": int(number)}
        pictures = {"image": png(image), "lesion_mask": png(tumour), "body_mask": png(body)}
        facts = {**place, "tumour_pixels": int(tumour.sum())}
        examples.append(Example(f"{record.name}_{number:03d}", {**pictures, **place}, facts))
    return examples


SPEC = SetSpec(
    name="msd_brain",
    stored_name="msd_brain_tumour",
    page=PAGE,
    entries="volumes",
    read=read_msd_brain,
    features={
        "image": Kind.GREY,
        "lesion_mask": Kind.MASK,
        "body_mask": Kind.MASK,
        "patient": Kind.TEXT,
        "slice": Kind.NUMBER,
    },
    examples=_examples,
    per_record=NUM_SLICES,
    at_once=4,  # volumes are large
)
