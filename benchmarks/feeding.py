"""Images a second that reach a training, by the kind of source, beside what one GPU eats.

``data.training_batches`` reads made-up photographs of 224 pixels: held in memory; stored as a
published set is (PNG of 8 bits in ArrayRecord files); a folder of PNG files of that size, as one
prepares them; a folder of JPEG files as cameras write them, decoded and resized at each reading;
and DICOM files of 512 pixels and 12 bits. Threads of this process and worker processes are tried,
with and without the published augmentation (Boreiko et al. 2022). Images for each second of
processor time tell what a core gives where the machine is busy with other things too.

What a GPU eats is the vendor's figure, not ours: NVIDIA's DeepLearningExamples state for ResNet-50
v1.5 in PyTorch (container 21.03) 2,470 training images a second on one A100 of 80 GB in mixed
precision, and 938 in TF32.

    python -m benchmarks.feeding
    python -m benchmarks.feeding --sources stored dicom --workers 0 1 2 4 --seconds 10
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.measure import report
from cfx_jax.checks import check_choice, check_count
from cfx_jax.data import ArraySource, open_images, training_batches
from cfx_jax.data.sets import StoredSet
from cfx_jax.data.sets.stored.pictures import png
from cfx_jax.data.sets.stored.spec import Example, Kind, SetSpec
from cfx_jax.report import format_table
from experiments.fundus_vce.config import Config as FundusConfig
from experiments.fundus_vce.data import augmentation
from experiments.shared import command_line

_A100_MIXED, _A100_TF32 = 2470, 938
_COLUMNS = [
    "source",
    "augmented",
    "threads",
    "workers",
    "images per second",
    "per core second",
    "of an A100, mixed precision",
    "of an A100, TF32",
]
_CLASSES = ("healthy", "sick")


@dataclass(frozen=True)
class Config:
    """Measures how fast training images are read."""

    sources: tuple[str, ...] = ("memory", "stored", "png", "jpeg", "dicom")
    """Which kinds of source."""
    image_size: int = 224
    """Height and width of the images that a training sees, in pixels."""
    camera_size: int = 1024
    """Height and width of the JPEG files, in pixels."""
    num_images: int = 128
    """Different images; they stay in the page cache of the system, so that no disk is measured."""
    batch_size: int = 32
    """Images of a batch."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads without workers."""
    workers: tuple[int, ...] = (1, 2)
    """Numbers of worker processes, of one thread each."""
    augment: tuple[bool, ...] = (False, True)
    """Without augmentation, with it, or both."""
    seconds: float = 3.0
    """How long each is measured, after the first batch."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


class _Record(NamedTuple):
    """A picture of the stored set."""

    name: str
    picture: np.ndarray
    label: int

    def content(self) -> object:
        return self.name, self.label


class _Stored(StoredSet):
    """Photographs as a published set is stored."""

    class_names = _CLASSES

    def __init__(self, pictures: np.ndarray, folder: Path) -> None:
        def records(_: object) -> list[_Record]:
            return [_Record(f"{i}", picture, i % 2) for i, picture in enumerate(pictures)]

        spec = _SPEC._replace(read=records)
        super().__init__(spec, folder, folder / "stored", size=pictures.shape[1], progress=False)
        self.labels = self._facts("label").astype(np.int64)


def _examples(record: _Record, size: int) -> list[Example]:
    del size
    fields = {"image": png(record.picture), "label": record.label}
    return [Example(record.name, fields, {"label": record.label})]


_SPEC = SetSpec(
    name="made-up photographs",
    stored_name="made_up_photographs",
    page="",
    entries="photographs",
    read=lambda folder: [],
    features={"image": Kind.COLOUR, "label": Kind.NUMBER},
    examples=_examples,
)


def main(config: Config) -> None:
    """Prints one row for each source, kind of reader and augmentation."""
    for name in config.sources:
        check_choice(name, tuple(_SOURCES), name="sources")
    for field in ("num_images", "batch_size", "image_size"):
        check_count(getattr(config, field), name=field)
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in config.sources:
            source = _SOURCES[name](config, Path(folder))
            for augmented in config.augment:
                for options in _readers(config):
                    rate, per_core = _rate(config, source, augmented, options)
                    shares = rate / _A100_MIXED, rate / _A100_TF32
                    rows.append([name, augmented, *options.values(), rate, per_core, *shares])
                    print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _readers(config: Config) -> list[dict[str, int]]:
    threads = [{"num_threads": count, "num_workers": 0} for count in config.threads]
    return threads + [{"num_threads": 1, "num_workers": count} for count in config.workers]


def _rate(
    config: Config, source: Any, augmented: bool, options: dict[str, int]
) -> tuple[float, float]:
    """Images a second, and images a second of processor time of this process and its workers."""
    published = FundusConfig(image_size=config.image_size, augmentation="murat")
    batches: Any = training_batches(
        source,
        np.arange(len(source)),
        batch_size=config.batch_size,
        seed=0,
        augment=augmentation(published) if augmented else None,
        num_threads=options["num_threads"],
        num_workers=options["num_workers"],
    )
    for _ in range(2 * max(options["num_workers"], 1) + 4):
        next(batches)  # those that were read ahead while nobody waited
    count, start, busy = 0, time.perf_counter(), _processor_seconds()
    while (elapsed := time.perf_counter() - start) < config.seconds:
        count += len(next(batches)["label"])
    busy = _processor_seconds() - busy
    batches.close()
    return count / elapsed, count / busy


def _processor_seconds() -> float:
    """Processor time of this process and of its workers, as Linux counts it."""
    total = time.process_time()
    for worker in multiprocessing.active_children():
        # After the name in brackets: state, parent, ...; the 12th and 13th are its time.
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _pictures(config: Config, size: int) -> np.ndarray:
    """Smooth colours with grain, (n, size, size, 3) in 8 bits, as hard to pack as photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(size=(config.num_images, 9, 9, 3)).astype(np.float32)
    smooth = [cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in coarse]
    grain = rng.normal(0, 0.01, (size, size, 3))
    return (255 * np.clip(np.stack(smooth) + grain, 0, 1)).astype(np.uint8)


def _memory(config: Config, folder: Path) -> Any:
    del folder
    return ArraySource(
        _pictures(config, config.image_size), np.arange(config.num_images) % 2, _CLASSES
    )


def _stored(config: Config, folder: Path) -> Any:
    return _Stored(_pictures(config, config.image_size).astype(np.float32) / 255, folder)


def _png(config: Config, folder: Path) -> Any:
    return _folder_of(_pictures(config, config.image_size), folder / "png", ".png", config)


def _jpeg(config: Config, folder: Path) -> Any:
    return _folder_of(_pictures(config, config.camera_size), folder / "jpeg", ".jpg", config)


def _folder_of(pictures: np.ndarray, folder: Path, suffix: str, config: Config) -> Any:
    for number, path in enumerate(_paths(folder, len(pictures), suffix)):
        cv2.imwrite(str(path), pictures[number])
    return open_images(folder, size=config.image_size)


def _paths(folder: Path, count: int, suffix: str) -> Sequence[Path]:
    """Paths of files in a folder for each class, which is made."""
    for name in _CLASSES:
        (folder / name).mkdir(parents=True)
    return [folder / _CLASSES[i % 2] / f"{i}{suffix}" for i in range(count)]


def _dicom(config: Config, folder: Path) -> Any:
    pictures = _pictures(config, 512)[..., 0].astype(np.uint16) * 16
    for number, path in enumerate(_paths(folder / "dicom", len(pictures), ".dcm")):
        _write_dicom(path, pictures[number])
    return open_images(folder / "dicom", size=config.image_size, channels=3)


def _write_dicom(path: Path, pixels: np.ndarray) -> None:
    """A grey image of 12 bits, without compression, with a window."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(path, enforce_file_format=True)


_SOURCES: dict[str, Callable[[Config, Path], Any]] = {
    "memory": _memory,
    "stored": _stored,
    "png": _png,
    "jpeg": _jpeg,
    "dicom": _dicom,
}


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    command_line.command(main, Config)
