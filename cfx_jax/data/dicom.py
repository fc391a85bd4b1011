"""Reading DICOM files by pydicom: the image as a display shows it, float32 in [0, 1].

Grey images go through the standard's chain, see ``grey_values``. Colour images, among them those with a palette and
those stored as luminance and colour differences, become red, green, blue. Overlays, presentation states and padding
values are not looked at. Pixels may be compressed in any way that pydicom can undo with what is installed: by itself
run lengths, with Pillow JPEG of 8 bits and JPEG 2000.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.data.grey_values import Window, check_window, full_scale, unit_grey
from cfx_jax.errors import InputError, import_extra

_PURPOSE = "reading DICOM files"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PALETTE = "PALETTE COLOR"


def read_dicom(path: str | Path, *, frame: int | None = None, window: Window = "file") -> Float[np.ndarray, "h w c"]:
    """Reads one image.

    Args:
        path: the file.
        frame: which of several frames, from 0. None is for files of one frame.
        window: for grey images, which values become 0 to 1. "file": what the file's own table or (first) window says, or
            in files of 8 bits without one all values. "full": all values that the stored bits can hold, so that equal
            values stay equal over files. "values": the image's smallest to its largest. (centre, width): those from
            centre - width / 2 to centre + width / 2, e.g. (-600, 1500) Hounsfield units for a lung.

    Returns:
        float32 in [0, 1]; one channel for grey (0 is black, whichever way the file stores it), three for colour.

    Raises:
        InputError: there is no such file, or it is no DICOM file, is damaged, holds no pixels, several frames or not the
            one asked for, a kind of colour that is not known, no window where it needs one, or is compressed in a way that
            needs another package.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> read_dicom(get_testdata_file("CT_small.dcm"), window=(40, 400)).shape
        (128, 128, 1)
    """
    check_window(window)
    dataset = _opened(Path(path))
    number = _num_frames(dataset)
    if frame is None and number > 1:
        raise InputError(
            f"frame: expected a frame in 0..{number - 1}, got None for '{path}' of {number} frames: choose one, or read "
            "all by read_dicom_frames"
        )
    if frame is not None and not 0 <= frame < number:
        raise InputError(f"frame: expected a frame in 0..{number - 1} of '{path}', got {frame}: choose another")
    return _shown(Path(path), dataset, _decoded(Path(path), dataset, frame or 0), frame or 0, window)


def read_dicom_frames(path: str | Path, *, window: Window = "file") -> Float[np.ndarray, "s h w c"]:
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
    path = Path(path)
    dataset = _opened(path)
    frames = _decoded(path, dataset, None)
    if _num_frames(dataset) == 1:
        frames = frames[None]
    return np.stack([_shown(path, dataset, stored, index, window) for index, stored in enumerate(frames)])


def _opened(path: Path) -> Any:
    """The file's dataset, which has pixels."""
    pydicom = import_extra("pydicom", _PURPOSE)
    if not path.is_file():
        raise InputError(f"path: expected a DICOM file, but there is no file '{path}': check the spelling")
    try:
        dataset = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError as error:
        raise InputError(
            f"'{path}' is no DICOM file: bytes 128 to 131 are not DICM: read pictures of other kinds by ImageFolder"
        ) from error
    except Exception as error:  # damaged bytes make pydicom raise errors of many kinds
        raise InputError(f"'{path}' is damaged ({_line(error)}): copy or download it again") from error
    if not any(name in dataset for name in _PIXELS):
        kind = getattr(dataset.get("SOPClassUID"), "name", "unknown")
        raise InputError(
            f"'{path}' holds no pixels, its kind is '{kind}': give a file with an image, or copy it again if it has one"
        )
    return dataset


def _num_frames(dataset: Any) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _decoded(path: Path, dataset: Any, frame: int | None) -> Shaped[np.ndarray, "..."]:
    """The stored values of one frame, or of all; colour as red, green, blue."""
    pixels = import_extra("pydicom.pixels", _PURPOSE)
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is not None:
        _check_decoder(path, syntax)
    try:
        with _quiet_decoders():
            return pixels.pixel_array(dataset, index=frame)
    except Exception as error:  # each decoder has errors of its own
        advice = "copy or download it again"
        if syntax is not None and (package := _package(syntax)):
            advice += f", or if it is whole run `pip install {package}`, which decodes more kinds of {syntax.name}"
        raise InputError(f"'{path}' has pixels that cannot be decoded ({_line(error)}): {advice}") from error


def _check_decoder(path: Path, syntax: Any) -> None:
    """Whether what is installed can undo the compression."""
    try:
        available = import_extra("pydicom.pixels", _PURPOSE).get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise InputError(
            f"'{path}' is stored as {syntax.name}, which pydicom does not decode: convert it to an uncompressed one"
        ) from error
    if not available:
        raise InputError(
            f"'{path}' is compressed as {syntax.name}, which nothing that is installed decodes: run `pip install "
            f"{_package(syntax)}`"
        )


def _package(syntax: Any) -> str:
    """What decodes more files that are compressed in some way; empty where nothing else does."""
    uid = import_extra("pydicom.uid", _PURPOSE)
    packages = {
        "pyjpegls": uid.JPEGLSTransferSyntaxes,
        "'pylibjpeg[libjpeg]'": uid.JPEGTransferSyntaxes,
        "'pylibjpeg[openjpeg]'": [*uid.JPEG2000TransferSyntaxes, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL],
    }
    return next((package for package, syntaxes in packages.items() if syntax in syntaxes), "")


def _shown(
    path: Path, dataset: Any, stored: Shaped[np.ndarray, "h w ..."], frame: int, window: Window
) -> Float[np.ndarray, "h w c"]:
    """One frame as a display shows it."""
    kind = dataset.get("PhotometricInterpretation")
    if kind not in (*_GREY, *_COLOUR, _PALETTE):
        raise InputError(f"'{path}' has pixels of kind {kind}, expected {', '.join((*_GREY, *_COLOUR, _PALETTE))}")
    try:
        if kind in _GREY:
            return unit_grey(dataset, stored, frame=frame, window=window)[..., None]
        if kind == _PALETTE:
            colour = import_extra("pydicom.pixels", _PURPOSE).apply_color_lut(stored, dataset)[..., :3]
            return (colour / (2.0 ** (8 * colour.itemsize) - 1)).astype(np.float32)
        return (stored / full_scale(dataset)).clip(0, 1).astype(np.float32)
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error
    except Exception as error:  # a broken element shows only where it is used
        raise InputError(f"'{path}' tells how to show it in a way that cannot be used ({_line(error)})") from error


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Keeps pydicom from printing the tracebacks of its decoders, which are reported otherwise."""
    logger = logging.getLogger("pydicom.pixels.decoders.base")
    mute = logging.Filter("nothing")  # one for each call, so that threads do not undo each other's
    logger.addFilter(mute)
    try:
        yield
    finally:
        logger.removeFilter(mute)


def _line(error: Exception) -> str:
    """An error's text in one line."""
    return " ".join(str(error).split()) or type(error).__name__
