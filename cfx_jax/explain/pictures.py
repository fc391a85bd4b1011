"""Pictures of files and folders, as images of one shape."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data import read_dicom
from cfx_jax.data.sources.decoding import DamagedImage, decode_image, unit_range
from cfx_jax.data.sources.resizing import resize
from cfx_jax.errors import InputError

_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
_LONGEST = 2**14
"""Pixels of the longest side that pictures are resized to."""
_DICOM = {".dcm", ".dicom"}


class Pictures(NamedTuple):
    """Pictures of one shape.

    Attributes:
        images: (n, h, w, c), in [0, 1].
        names: of the files, without what is common to all of their paths.
        skipped: a line for each file that could not be read.
    """

    images: Float[np.ndarray, "n h w c"]
    names: tuple[str, ...]
    skipped: tuple[str, ...]


def read_pictures(
    paths: Sequence[str | os.PathLike[str]],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> Pictures:
    """Reads pictures: PNG, JPEG, TIFF, BMP, WebP and DICOM.

    Args:
        paths: files, and folders, which are searched through and read in the order of their names.
        size: height and width that pictures are resized to; None takes them as they are.
        channels: 1 or 3; None takes 3 where a picture has colour, else 1.

    Returns:
        The pictures. A file that is damaged is skipped and told.

    Raises:
        InputError: a size out of range, no such file, no pictures, none that can be read, or
            pictures of several sizes without ``size``.

    Example:
        >>> import tempfile
        >>> import cv2
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> written = cv2.imwrite(str(path), np.zeros((8, 6, 3), np.uint8))
        >>> read_pictures([path], size=(32, 32)).images.shape
        (1, 32, 32, 1)
    """
    if size is not None and not all(1 <= side <= _LONGEST for side in size):
        raise InputError(f"size: expected sides of 1 to {_LONGEST} pixels, got {tuple(size)}")
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        known = ", ".join(sorted(suffix[1:] for suffix in _PICTURES | _DICOM))
        raise InputError(f"images: expected pictures ({known}), found none in {paths[0]}")
    arrays, kept, skipped = [], [], []
    for file in files:
        try:
            arrays.append(_read(file, size))
            kept.append(file)
        except (InputError, DamagedImage) as error:
            skipped.append(f"{file}: {error}")
    if not arrays:
        raise InputError(f"images: none of {len(files)} could be read; the first: {skipped[0]}")
    count = channels or max(array.shape[2] for array in arrays)
    arrays = [_with_channels(array, count) for array in arrays]
    shapes = {array.shape: file for array, file in zip(arrays, kept, strict=True)}
    if len(shapes) > 1:
        (first, one), (second, other) = list(shapes.items())[:2]
        raise InputError(
            f"images: expected one size, got {first[:2]} ({one.name}) and {second[:2]}"
            f" ({other.name}): give a size"
        )
    return Pictures(np.stack(arrays), _names(kept), tuple(skipped))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in _PICTURES | _DICOM and not file.name.startswith(".")
        ]
    if not path.is_file():
        raise InputError(f"images: expected a file or a folder, found none at {path}")
    return [path]


def _read(file: Path, size: tuple[int, int] | None) -> Float[np.ndarray, "h w c"]:
    """A picture, with one channel where it has no colour."""
    if file.suffix.lower() in _DICOM:
        image = read_dicom(file)
        return image if size is None else resize(image, size)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    image = unit_range(decode_image(content, channels=3, size=size))
    return image[..., :1] if (image == image[..., :1]).all() else image


def _names(files: Sequence[Path]) -> tuple[str, ...]:
    if len(files) == 1:
        return (files[0].name,)
    common = Path(os.path.commonpath([file.parent.resolve() for file in files]))
    return tuple(str(file.resolve().relative_to(common)) for file in files)


def _with_channels(image: Float[np.ndarray, "h w c"], count: int) -> Float[np.ndarray, "h w c"]:
    if image.shape[2] == count:
        return image
    if count == 3:
        return np.repeat(image, 3, axis=2)
    return image @ np.array([[0.299], [0.587], [0.114]], np.float32)  # luminance, ITU-R BT.601
