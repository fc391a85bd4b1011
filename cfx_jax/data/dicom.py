"""Reading DICOM files by pydicom: the image as a display shows it, float32 in [0, 1].

Grey images go through the standard's chain, see ``grey_values``. Colour images, among them those
with a palette and those stored as luminance and colour differences, become red, green, blue.
Overlays, presentation states and padding values are not looked at. Pixels may be compressed in any
way that pydicom can undo with what is installed: by itself run lengths, with Pillow JPEG of 8 bits
and JPEG 2000.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.data.display_window import Window, check_window, full_scale, unit_grey
from cfx_jax.data.user_files import (
    DamagedFile,
    check_unpacked,
    damage,
    is_regular,
    quiet,
    shown_name,
)
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path

_WINDOW: Window = "file"

_PURPOSE = "reading DICOM files"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PALETTE = "PALETTE COLOR"
_PREAMBLE = 132  # bytes that say nothing, then DICM
_MOST_META = 2**16  # bytes of the part that tells how a file is stored; it takes some hundreds
_PIECE = 2**20
_FLOAT = 8  # bytes of the numbers in which one frame is made grey


def read_dicom(
    path: str | Path, *, frame: int | None = None, window: Window = _WINDOW
) -> Float[np.ndarray, "h w c"]:
    """Reads one image of a DICOM file.

    Args:
        path: the file.
        frame: which of several frames, from 0. None is for files of one frame.
        window: for grey images, which values become 0 to 1. "file": what the file's own table or
            (first) window says, or in files of 8 bits without one all values. "full": all values
            that the stored bits can hold, so that equal values stay equal over files. "values": the
            image's smallest to its largest. (centre, width): those from centre - width / 2 to
            centre + width / 2, e.g. (-600, 1500) Hounsfield units for a lung.

    Returns:
        float32 in [0, 1]; one channel for grey (0 is black, whichever way the file stores it),
        three for colour.

    Raises:
        InputError: there is no such file, or it is no DICOM file, is damaged, holds no pixels,
            several frames or not the one asked for, a kind of colour that is not known, no window
            where it needs one, would take more memory than allowed (see ``user_files``), or is
            compressed in a way that needs another package.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> read_dicom(get_testdata_file("CT_small.dcm"), window=(40, 400)).shape
        (128, 128, 1)
    """
    check_window(window)
    path = as_path(path)
    dataset = _open_file(path)
    number = _num_frames(path, dataset)
    if frame is None and number > 1:
        raise InputError(
            f"frame: expected a frame in 0..{number - 1}, got None for '{path}' of {number} frames:"
            " choose one, or read all by read_dicom_frames"
        )
    if frame is not None and not (isinstance(frame, Integral) and 0 <= frame < number):
        raise InputError(
            f"frame: expected a frame in 0..{number - 1} of '{path}', got {frame}: choose another"
        )
    _check_size(path, dataset, 1)
    number = int(frame or 0)
    stored = _decode(path, dataset, number)
    return _display(path, dataset, stored, number, window)


def read_dicom_frames(
    path: str | Path, *, window: Window = _WINDOW
) -> Float[np.ndarray, "s h w c"]:
    """Reads all frames of a file, which may be one.

    Args:
        path: the file.
        window: see ``read_dicom``.

    Returns:
        float32 in [0, 1], the frames in the file's order.

    Raises:
        InputError: see ``read_dicom``.
    """
    check_window(window)
    path = as_path(path)
    dataset = _open_file(path)
    number = _num_frames(path, dataset)
    _check_size(path, dataset, number)
    frames = _decode(path, dataset, None)
    if number == 1:
        frames = frames[None]
    return np.stack(
        [_display(path, dataset, stored, index, window) for index, stored in enumerate(frames)]
    )


def survey_dicom(path: str | Path, *, window: Window = "file") -> tuple[int, int, int, int]:
    """The number of frames, their height, width and channels, by the file's header alone.

    Args:
        path: the file.
        window: see ``read_dicom``.

    Raises:
        InputError: there is no such file, or it is no DICOM file, is damaged, tells of no image,
            or has no window where it needs one.
    """
    path = Path(path)
    dataset = _open_file(path, with_pixels=False)
    _check_size(path, dataset, 1)
    number = _num_frames(path, dataset)
    with damage(lambda reason: InputError(f"'{path}' cannot be used ({reason})")):
        channels = 1 if dataset.get("PhotometricInterpretation") in _GREY else 3
        if channels == 1:
            with _naming_file(path):
                unit_grey(dataset, np.zeros((1, 1)), frame=0, window=window)
        return number, int(dataset.Rows), int(dataset.Columns), channels


def _open_file(path: Path, *, with_pixels: bool = True) -> Any:
    """The file's dataset, which has pixels; or what comes before them."""
    pydicom = import_extra("pydicom", _PURPOSE)
    if not is_regular(path):
        raise InputError(
            f"path: expected a DICOM file, but there is no file '{shown_name(str(path))}': check"
            " the spelling"
        )
    with damage(
        lambda reason: InputError(f"'{path}' is damaged ({reason}): copy or download it again")
    ):
        _check_deflated(path)
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=not with_pixels)
        except pydicom.errors.InvalidDicomError as error:
            dataset = _without_preamble(path)
            if dataset is None:
                raise InputError(
                    f"'{path}' is no DICOM file: bytes 128 to 131 are not DICM: read pictures of"
                    " other kinds by open_images"
                ) from error
        wanted = _PIXELS if with_pixels else ("Rows",)
        if not any(name in dataset for name in wanted):
            kind = getattr(dataset.get("SOPClassUID"), "name", "unknown")
            raise InputError(
                f"'{path}' holds no pixels, its kind is '{kind}': give a file with an image, or"
                " copy it again if it has one"
            )
        if (
            "TransferSyntaxUID" not in dataset.file_meta
        ):  # pydicom has found out in which of three ways it is stored
            implicit, little = dataset.original_encoding
            syntaxes = ("ExplicitVRBigEndian", "ExplicitVRLittleEndian", "ImplicitVRLittleEndian")
            dataset.file_meta.TransferSyntaxUID = getattr(
                pydicom.uid, syntaxes[2 if implicit else int(little)]
            )
    return dataset


def _without_preamble(path: Path) -> Any:
    """The dataset of a file that lacks the first 132 bytes; None for a file of another kind."""
    pydicom = import_extra("pydicom", _PURPOSE)
    try:
        dataset = pydicom.dcmread(path, force=True)
        if not {"Rows", "Columns"} <= set(dataset.dir()) or not any(
            name in dataset for name in _PIXELS
        ):
            return None
    except Exception:  # bytes that are no dataset make pydicom raise errors of many kinds
        return None
    return dataset


def _check_deflated(path: Path) -> None:
    """Counts what a deflated dataset unpacks to, which pydicom keeps at once.

    Raises:
        DamagedFile: it is more than allowed.
        zlib.error: it is damaged.
    """
    uid = import_extra("pydicom.uid", _PURPOSE)
    with path.open("rb") as file:
        start = file.read(_MOST_META)
        place = _dataset_start(start)
        if place > len(start):
            raise DamagedFile("its first part is longer than any can be")
        if uid.DeflatedExplicitVRLittleEndian.encode() not in start[:place]:
            return
        file.seek(place)
        inflate, length = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while not inflate.eof and (waiting := inflate.unconsumed_tail or file.read(_PIECE)):
            length += len(inflate.decompress(waiting, _PIECE))
            check_unpacked(length)


def _dataset_start(start: bytes) -> int:
    """The end of the elements of group 2, which tell how a file is stored (PS3.10, 7.1)."""
    place = _PREAMBLE if start[_PREAMBLE - 4 : _PREAMBLE] == b"DICM" else 0
    while start[place : place + 2] == b"\2\0":
        long = start[place + 4 : place + 6] in (
            b"OB",
            b"OD",
            b"OF",
            b"OL",
            b"OW",
            b"SQ",
            b"UC",
            b"UN",
            b"UR",
            b"UT",
        )
        length = start[place + 8 : place + 12] if long else start[place + 6 : place + 8]
        place += (12 if long else 8) + int.from_bytes(length, "little")
    return place


def _num_frames(path: Path, dataset: Any) -> int:
    """The number of frames in the file's header.

    Raises:
        InputError: the header's value is no number above 0.
    """

    def refusal(reason: str) -> InputError:
        return InputError(
            f"'{path}' is damaged (its number of frames is none: {reason}): copy or download it"
            " again"
        )

    with damage(refusal):
        number = int(dataset.get("NumberOfFrames") or 1)
        if number < 1:
            raise ValueError(f"{number}")
    return number


def _check_size(path: Path, dataset: Any, frames: int) -> None:
    """Compares the size in the header with what is allowed.

    Raises:
        InputError: it is larger, or is written in a form that cannot be used.
    """
    with damage(lambda reason: InputError(f"'{path}' cannot be used ({reason})")):
        samples, bits = (
            int(dataset.get("SamplesPerPixel") or 1),
            int(dataset.get("BitsAllocated") or 8),
        )
        values = int(dataset.Rows) * int(dataset.Columns) * samples
        check_unpacked(values * max(_FLOAT, frames * max(1, bits // 8)))


def _decode(path: Path, dataset: Any, frame: int | None) -> Shaped[np.ndarray, "..."]:
    """The stored values of one frame, or of all; colour as red, green, blue."""
    pixels = import_extra("pydicom.pixels", _PURPOSE)
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is not None:
        _check_decoder(path, syntax)

    def refusal(reason: str) -> InputError:
        advice = "copy or download it again"
        if syntax is not None and (package := _package(syntax)):
            more = f"which decodes more kinds of {syntax.name}"
            advice += f", or if it is whole run `pip install {package}`, {more}"
        return InputError(f"'{path}' has pixels that cannot be decoded ({reason}): {advice}")

    with damage(refusal), quiet("pydicom.pixels.decoders.base"):
        # What lies behind the frames that the header counts is none of the image.
        return pixels.pixel_array(dataset, index=frame, allow_excess_frames=False)


def _check_decoder(path: Path, syntax: Any) -> None:
    """Checks that what is installed can undo the compression."""
    try:
        available = import_extra("pydicom.pixels", _PURPOSE).get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise InputError(
            f"'{path}' is stored as {syntax.name}, which pydicom does not decode: convert it to an"
            " uncompressed one"
        ) from error
    if not available:
        raise InputError(
            f"'{path}' is compressed as {syntax.name}, which nothing that is installed decodes: run"
            f" `pip install {_package(syntax)}`"
        )


def _package(syntax: Any) -> str:
    """The package that decodes more files of some compression; empty where none does."""
    uid = import_extra("pydicom.uid", _PURPOSE)
    packages = {
        "pyjpegls": uid.JPEGLSTransferSyntaxes,
        "'pylibjpeg[libjpeg]'": uid.JPEGTransferSyntaxes,
        "'pylibjpeg[openjpeg]'": [
            *uid.JPEG2000TransferSyntaxes,
            uid.HTJ2K,
            uid.HTJ2KLossless,
            uid.HTJ2KLosslessRPCL,
        ],
    }
    return next((package for package, syntaxes in packages.items() if syntax in syntaxes), "")


def _display(
    path: Path, dataset: Any, stored: Shaped[np.ndarray, "h w ..."], frame: int, window: Window
) -> Float[np.ndarray, "h w c"]:
    """One frame as a display shows it."""

    def refusal(reason: str) -> InputError:  # a broken element shows only where it is used
        return InputError(f"'{path}' tells how to show it in a way that cannot be used ({reason})")

    with damage(refusal):
        kind = dataset.get("PhotometricInterpretation")
        if kind not in (*_GREY, *_COLOUR, _PALETTE):
            raise InputError(
                f"'{path}' has pixels of kind {kind}, expected"
                f" {', '.join((*_GREY, *_COLOUR, _PALETTE))}"
            )
        with _naming_file(path):
            if kind in _GREY:
                return unit_grey(dataset, stored, frame=frame, window=window)[..., None]
            if kind == _PALETTE:
                colour = import_extra("pydicom.pixels", _PURPOSE).apply_color_lut(stored, dataset)[
                    ..., :3
                ]
                return (colour / (2.0 ** (8 * colour.itemsize) - 1)).astype(np.float32)
            return (stored / full_scale(dataset)).clip(0, 1).astype(np.float32)


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Puts the file's name before what is wrong with its numbers."""
    try:
        yield
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error
