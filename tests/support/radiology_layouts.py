"""Writes tiny sets in the layouts of published radiological ones, with smooth random pictures."""

import io
import json

import nibabel
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage
from scipy import ndimage

CHEST = {  # name -> class and boxes (x, y, width, height), as in the published tables
    "0004cfab": ("No Lung Opacity / Not Normal", []),
    "00313ee0": ("Normal", []),
    "00436515": ("Lung Opacity", [(26.0, 15.0, 21.0, 37.0), (56.5, 15.0, 25.0, 45.0)]),
    "00704310": ("Lung Opacity", [(100.0, 96.0, 28.0, 32.0)]),
    "008c19e8": ("Normal", []),
}
CHEST_SIDE = 128


def chest_pixels(name, side=CHEST_SIDE):
    """A smooth picture of 8 bits, another one for each name."""
    noise = np.random.default_rng(list(name.encode())).normal(size=(side, side))
    smooth = ndimage.gaussian_filter(noise, side / 16)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def write_radiograph(path, pixels):
    """A DICOM file like the set's: grey, 8 bits, JPEG, without a window."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.PatientID, dataset.ViewPosition, dataset.Modality = path.stem, "PA", "CR"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = (
            3,
            "YBR_FULL_422",
            0,
        )
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = (
        8,
        8,
        7,
        0,
    )
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def write_rsna(folder, images=CHEST, side=CHEST_SIDE):
    """Both tables, with one row for each box, and the images."""
    folder.mkdir(parents=True, exist_ok=True)
    labels, classes = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for name, (kind, boxes) in images.items():
        labels += [f"{name},{','.join(map(str, box))},1" for box in boxes] or [f"{name},,,,,0"]
        classes += [f"{name},{kind}"] * max(1, len(boxes))
        write_radiograph(folder / "stage_2_train_images" / f"{name}.dcm", chest_pixels(name, side))
    (folder / "stage_2_train_labels.csv").write_text("\n".join([*labels, ""]))
    (folder / "stage_2_detailed_class_info.csv").write_text("\n".join([*classes, ""]))
    return folder


SEQUENCES = ("FLAIR", "T1w", "t1gd", "T2w")
AFFINE = np.diag([-1.0, -1, 1, 1])  # first axis to the left, second to the back, third up


def head(name, shape=(24, 20, 31)):
    """The sequences and classes of one patient's head, first axis to the left, second to the back,
    third up; its lowest three and highest two slices are empty."""
    rng = np.random.default_rng(list(name.encode()))
    places = np.moveaxis(np.indices(shape), 0, -1) / (np.array(shape) - 1) - 0.5
    inside = np.hypot(places[..., 0], places[..., 1]) < 0.4
    inside[..., :3], inside[..., -2:] = False, False
    values = [
        inside * (400 + 100 * ndimage.gaussian_filter(rng.normal(size=shape), 2)) for _ in SEQUENCES
    ]
    distance = np.linalg.norm((places - (0.1, 0.1, 0.1)) * np.array(shape), axis=-1)
    classes = np.select([distance < 2, distance < 4, distance < 6], [3, 2, 1], 0) * inside
    return np.stack(values, -1).astype(np.int16), classes.astype(np.uint8)


def write_msd(folder, names=("BRATS_002", "BRATS_010", "BRATS_001"), write=None):
    """The folder of the task; ``write`` is called with the path and the values of each file."""
    top = folder / "Task01_BrainTumour"

    def save(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)

    for name in names:
        values, classes = head(name)
        (write or save)(top / f"imagesTr/{name}.nii.gz", values)
        (write or save)(top / f"labelsTr/{name}.nii.gz", classes)
    files = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
        for name in names
    ]
    listed = {
        "name": "BRATS",
        "tensorImageSize": "4D",
        "modality": {str(number): name for number, name in enumerate(SEQUENCES)},
        "labels": {
            "0": "background",
            "1": "edema",
            "2": "non-enhancing tumor",
            "3": "enhancing tumour",
        },
        "numTraining": len(names),
        "training": files,
        "test": ["./imagesTs/BRATS_557.nii.gz"],
    }
    (top / "dataset.json").write_text(json.dumps(listed))
    return folder
