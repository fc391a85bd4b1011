"""Readers of users' files, tried on damaged ones: each ends in one line and takes little memory."""

import gzip
import io
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from cfx_jax.data import open_images, read_dicom_frames, read_nifti
from cfx_jax.data.sets.stored.tables import read_rows
from cfx_jax.data.sources.decoding import decode_image, quiet_opencv
from cfx_jax.data.user_files import (
    DamagedFile,
    bounded_length,
    is_regular,
    one_line,
    read_bounded,
    read_file,
    shown_name,
)
from cfx_jax.errors import InputError

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (24, 20, 3), np.uint8)
NUMBERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**20)
MUTATIONS = 40


def picture(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **options)
    return stream.getvalue()


def archive(method):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as opened:
        for name in ("a/1.png", "a/2.png", "b/1.png"):
            opened.writestr(
                name, cv2.imencode(".png", RNG.integers(0, 256, (9, 9), np.uint8))[1].tobytes()
            )
    return stream.getvalue()


def volume():
    return nibabel.Nifti1Image(
        RNG.integers(-1000, 1000, (5, 6, 7)).astype(np.int16), np.eye(4)
    ).to_bytes()


def shipped(name):
    return (Path(pydicom.__file__).parent / "data/test_files" / f"{name}.dcm").read_bytes()


def as_picture(path):
    decode_image(path.read_bytes(), channels=3, size=(7, 9))


def as_collection(path):
    """Reads all images; one that is damaged behind its header is told when it is read."""
    images = open_images(path)
    for number in range(len(images)):
        images[number]


SAMPLES = {
    "a.png": (picture("PNG"), as_picture),
    "a.jpg": (picture("JPEG", progressive=True), as_picture),
    "a.tif": (picture("TIFF", compression="tiff_lzw"), as_picture),
    "a.bmp": (picture("BMP"), as_picture),
    "a.webp": (picture("WEBP"), as_picture),
    "a.dcm": (shipped("MR_small_RLE"), read_dicom_frames),
    "b.dcm": (shipped("image_dfl"), read_dicom_frames),
    "a.nii": (volume(), read_nifti),
    "a.nii.gz": (gzip.compress(volume()), read_nifti),
    "c.dcm": (shipped("MR_small_RLE"), as_collection),
    "c.nii.gz": (gzip.compress(volume()), as_collection),
    "a.zip": (archive(zipfile.ZIP_DEFLATED), as_collection),
    "b.zip": (archive(zipfile.ZIP_LZMA), as_collection),
    "a.csv": (
        b"image,level\n" + b"photograph,2\n" * 30,
        lambda path: [*read_rows(path, ("image", "level"), page="")],
    ),
}


def mutated(content, rng):
    """The content with some bytes changed, put in, taken away, or made a number at which sizes
    overflow.
    """
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(0, min(len(changed), 600) if rng.random() < 0.6 else len(changed)))
        many = int(rng.integers(1, 40))
        kind = rng.integers(5)
        if kind == 0:
            changed[place] = rng.integers(256)
        elif kind == 1:
            del changed[max(place, 1) :]
        elif kind == 2:
            changed[place:place] = rng.bytes(many)
        elif kind == 3:
            changed[place : place + many] = bytes(many)
        else:
            number = NUMBERS[rng.integers(len(NUMBERS))]
            changed[place : place + 4] = number.to_bytes(
                4, "little" if rng.random() < 0.5 else "big"
            )
    return bytes(changed)


def try_all(folder, seed):
    """Reads mutated files; gives the number that were refused."""
    rng, refused = np.random.default_rng(seed), 0
    with quiet_opencv():
        for name, (content, read) in SAMPLES.items():
            for _ in range(MUTATIONS):
                (folder / name).write_bytes(mutated(content, rng))
                try:
                    read(folder / name)
                except (InputError, DamagedFile) as error:
                    assert str(error) == " ".join(str(error).splitlines()), name
                    refused += 1
    return refused


def test_mutated_files_end_in_one_line_within_a_gigabyte(tmp_path):
    """In a process of its own, whose memory is bounded once everything is imported."""
    path = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refused, peak = map(int, done.stdout.split())
    assert refused > MUTATIONS * len(SAMPLES) / 4 and peak < 2**20  # KiB


def test_streams_are_read_up_to_the_bound(monkeypatch):
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    assert (
        len(read_bounded(io.BytesIO(bytes(2**20))))
        == bounded_length(io.BytesIO(bytes(2**20)))
        == 2**20
    )
    for expected in (0, 5, 2**20, 2**22):  # a wrong expectation changes nothing
        stream = io.BytesIO(bytes(range(256)) * 4)
        assert read_bounded(stream, expected=expected) == stream.getvalue()
    for read in (read_bounded, bounded_length):
        with pytest.raises(
            DamagedFile,
            match="unpacks to 1 MiB, more than the 1 MiB that are allowed: set CFX_UNPACK",
        ):
            read(io.BytesIO(bytes(2**20 + 1)))


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == b"content" and is_regular(tmp_path / "link")
    for path, reason in (
        (tmp_path / "pipe", "is no regular file"),
        (tmp_path, "is no regular file"),
        (Path("/dev/zero"), "is no regular file"),
        (tmp_path / "none", "No such file or directory"),
        (Path("a" * 5000), "File name too long"),
    ):
        assert not is_regular(path)
        with pytest.raises(DamagedFile, match=reason):
            read_file(path)


def test_errors_and_names_are_shown_in_one_short_line():
    assert (
        one_line(ValueError("one\n two\r\n")) == "one two"
        and one_line(MemoryError()) == "MemoryError"
    )
    assert (
        one_line(KeyError("name")) == "KeyError('name')"
        and len(one_line(ValueError("x" * 9999))) == 300
    )
    assert shown_name("é\n\udce9") == "é\\n\\udce9" and len(shown_name("x" * 9999)) == 303
    assert str(InputError("one\ntwo\x0cthree\u2028")) == "one two three "[:-1]


def main(folder):
    for name, (content, read) in SAMPLES.items():
        (folder / name).write_bytes(content)
        read(folder / name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30,) * 2)
    refused = try_all(folder, seed=20)
    # Not of getrusage, whose peak counts what the parent held before this program began.
    peak = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    print(refused, peak.split()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
