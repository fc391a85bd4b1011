"""Reading NIfTI files by nibabel: volumes with their axes in one order.

A volume is (slices, rows, columns): slices from the feet to the head, rows from the front to the
back, columns from the patient's right to the left. So each slice lies as radiologists look at it,
from the feet, the nose up, the patient's right on the left. The axes of the file are reordered and
reversed as its affine matrix tells, the nearest ones where they are oblique; values are not
interpolated. A file without such facts in its header is read as nibabel reads it.
"""

import bz2
import gzip
import math
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.checks import check_array, check_count, check_flag, check_type
from cfx_jax.data.user_files import (
    LIMIT_VARIABLE,
    DamagedFile,
    bounded_length,
    check_unpacked,
    damage,
    is_regular,
    quiet,
    shown_name,
    unpack_limit,
)
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path

_PURPOSE = "reading NIfTI files"
AXES = ("S", "P", "L")  # where slices, rows and columns lead to: superior, posterior, left
_ROUNDING = 1e-3  # by which classes that went through a scale factor may be no whole numbers


class Volume(NamedTuple):
    """A volume with its place in space.

    Attributes:
        array: (s, h, w), or (s, h, w, k) of k sequences; float32, or int32 for labels.
        spacing: distance of the centres of neighbouring slices, rows and columns in mm.
    """

    array: Shaped[np.ndarray, "s h w ..."]
    spacing: tuple[float, float, float]


def read_nifti(
    path: str | Path,
    *,
    sequence: int | None = None,
    num_sequences: int | None = None,
    labels: bool = False,
    placed_as: str | Path | None = None,
) -> Volume:
    """Reads a volume in the order that is stated above.

    Its values are those that the header's slope and intercept give.

    Args:
        path: a file .nii or .nii.gz, or the .hdr or .img of a pair.
        sequence: which of several sequences (the fourth axis) to read, from 0; the others are not
            loaded. None reads what is there. A compressed file is unpacked to its end all the same,
            piece by piece, so all of it must be within the bound of ``user_files``.
        num_sequences: how many sequences the file must have; None takes any number. A file of three
            axes has 1, as has one whose further axes have length 1.
        labels: whether the values are classes: they must be whole numbers, or within 0.001 of them
            as programs leave them that store a scale factor, and become int32.
        placed_as: the file of the image that these voxels belong to one by one; its header tells
            their order instead of the file's own, which programs for drawing masks write
            differently.

    Returns:
        The volume; (s, h, w) from a file of one sequence, and where one sequence is chosen.

    Raises:
        InputError: there is no such file, or it is no NIfTI file, is damaged or cut short, holds
            fewer bytes than its header says, or would take more memory than allowed (see
            ``user_files``), has another number of axes or sequences, values that are no finite real
            numbers (or no whole ones), an affine matrix that leads nowhere, or another shape than
            the image that it belongs to.
    """
    path = as_path(path)
    check_flag(labels, name="labels")
    check_count(num_sequences, name="num_sequences", or_none=True)
    image = open_nifti(path)
    placed_path = path if placed_as is None else as_path(placed_as, name="placed_as")
    placed = image if placed_as is None else open_nifti(placed_path, name="placed_as")
    if placed.shape[:3] != image.shape[:3]:
        raise InputError(
            f"'{path}': expected the shape of its image '{placed_as}', {placed.shape[:3]}, got"
            f" {image.shape[:3]}: copy or download both again"
        )
    axes = _axes(image.shape)
    number = axes[3] if len(axes) == 4 else 1
    if num_sequences is not None and number != num_sequences:
        raise InputError(
            f"'{path}': expected {num_sequences} sequences, got {number} (shape {image.shape})"
        )
    if sequence is not None and not (isinstance(sequence, Integral) and 0 <= sequence < number):
        raise InputError(
            f"sequence: expected one of the {number} in '{path}', 0..{number - 1}, got {sequence}"
        )
    values = read_values(path, image, sequence=sequence if len(axes) == 4 else None, labels=labels)
    return orient(placed_path, values, placed.affine, AXES)


def resample_volume(
    volume: Volume, *, shape: Sequence[int] | None = None, spacing: Sequence[float] | None = None
) -> Volume:
    """Brings a volume to another number of voxels; it keeps the space that it covers.

    Float values are interpolated linearly, after smoothing along axes that shrink (Gaussian,
    (factor - 1) / 2 voxels wide); integers are labels and take the nearest voxel's. At the edges
    the outermost values go on.

    Args:
        volume: the volume.
        shape: the wanted numbers of slices, rows and columns.
        spacing: the wanted spacing in mm instead, reached as nearly as whole numbers of voxels
            allow.

    Returns:
        The volume of that shape, of the same dtype, with its spacing.

    Raises:
        InputError: none or both of shape and spacing are given, or not three finite numbers above
            0, or the volume would take more memory than allowed (see ``user_files``).

    Example:
        >>> volume = Volume(np.arange(4.0, dtype=np.float32).reshape(4, 1, 1), (2.0, 1.0, 1.0))
        >>> resample_volume(volume, spacing=(4.0, 1.0, 1.0)).array.shape
        (2, 1, 1)
    """
    check_type(volume, Volume, name="volume", wanted="a volume, as of read_nifti")
    before = volume.array.shape[:3]
    after = _wanted_shape(volume, shape, spacing)
    if np.issubdtype(volume.array.dtype, np.integer):
        nearest = [
            (2 * np.arange(m) + 1) * n // (2 * m) for n, m in zip(before, after, strict=True)
        ]
        array = volume.array[np.ix_(*nearest)]
    else:
        array = _interpolate(volume.array, after)
    slices, rows, columns = (
        mm * n / m for mm, n, m in zip(volume.spacing, before, after, strict=True)
    )
    return Volume(array, (slices, rows, columns))


def unit_slices(array: Float[np.ndarray, "s h w"]) -> Float[np.ndarray, "s h w"]:
    """Scales each slice to [0, 1] by its smallest and largest value; a constant slice becomes 0.

    Args:
        array: values of any range.

    Returns:
        float32 in [0, 1].

    Example:
        >>> unit_slices(np.array([[[2.0, 4.0, 6.0]], [[5.0, 5.0, 5.0]]])).tolist()
        [[[0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0]]]
    """
    check_array(array, name="array")
    if array.ndim != 3:
        raise InputError(f"array: expected slices (s, h, w), got shape {array.shape}")
    low, high = (extreme(axis=(1, 2), keepdims=True) for extreme in (array.min, array.max))
    return ((array - low) / np.where(high > low, high - low, 1)).astype(np.float32)


def open_nifti(path: Path, *, name: str = "path") -> Any:
    """The file's header, from which its values can be read.

    Args:
        path: the file.
        name: the argument's name in messages.

    Raises:
        InputError: see ``read_nifti``.
    """
    nibabel = import_extra("nibabel", _PURPOSE)
    if not is_regular(path):
        raise InputError(
            f"{name}: expected a NIfTI file, but there is no file '{shown_name(str(path))}': check"
            " the spelling"
        )
    with damage(lambda reason: _damage_error(path, reason)), quiet("nibabel.global"):
        if path.suffix.lower() in _COMPRESSED:
            _unpacked_length(path)  # before nibabel trusts what the header says of itself
        try:
            image = nibabel.load(path)
        except nibabel.filebasedimages.ImageFileError as error:
            raise InputError(
                f"'{path}' is no NIfTI file, or cut short: expected .nii, .nii.gz, or a pair .hdr"
                " and .img"
            ) from error
        if not isinstance(image, nibabel.Nifti1Pair):
            raise InputError(f"'{path}' is no NIfTI file but a {type(image).__name__}: convert it")
        if len(_axes(image.shape)) not in (3, 4) or min(image.shape) < 1:
            raise InputError(
                f"'{path}': expected three axes, or four with that of the sequences, got shape"
                f" {image.shape}"
            )
        if image.get_data_dtype().kind not in "iuf":
            raise InputError(
                f"'{path}': expected real numbers, got {image.get_data_dtype()}: convert it"
            )
    return image


def _axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A file's shape without the axes of length one behind the three of space."""
    return shape[:3] + tuple(length for length in shape[3:] if length != 1)


def _unpacked_length(path: Path) -> int:
    """The number of bytes that a file holds, unpacked if it is compressed.

    A compressed file is read to its end, where its check sum is compared; nibabel stops before it.

    Raises:
        Exception: of nearly any kind, if the file is damaged, cut short, or unpacks to more than is
            allowed.
    """
    if path.suffix.lower() not in _COMPRESSED:
        return path.stat().st_size
    with _COMPRESSED[path.suffix.lower()](path) as file:
        return bounded_length(file)


def _check_length(image: Any, sequence: int | None) -> None:
    """Compares what the header says of the values with the file that holds them.

    Raises:
        DamagedFile: there are fewer bytes than the header says, or more values than allowed would
            be read.
    """
    size, declared = image.get_data_dtype().itemsize, math.prod(image.shape)
    needed, there = (
        image.dataobj.offset + size * declared,
        _unpacked_length(Path(image.file_map["image"].filename)),
    )
    if needed > there:
        raise DamagedFile(f"its header tells of {needed} bytes, there are {there}")
    check_unpacked(size * (declared if sequence is None else math.prod(image.shape[:3])))


def read_values(
    path: Path, image: Any, *, sequence: int | None, labels: bool
) -> Shaped[np.ndarray, "x y z ..."]:
    """The values in the file's order of axes; of one sequence only if one is given.

    Raises:
        InputError: see ``read_nifti``.
    """
    with damage(lambda reason: _damage_error(path, reason)):
        _check_length(image, sequence)
        values = _stored_values(image, sequence)
    return _whole_numbers(path, values) if labels else _finite_floats(path, values)


def _stored_values(image: Any, sequence: int | None) -> Shaped[np.ndarray, "x y z ..."]:
    """The values as the file has them, without the axes of length one behind those of space."""
    if sequence is None or len(image.shape) == 3:
        return np.asarray(image.dataobj).reshape(_axes(image.shape))
    # The axis of the sequences is the one behind those of space that is longer than one.
    places = [0 if length == 1 else sequence for length in image.shape[3:]]
    return image.dataobj[(..., *places)].reshape(image.shape[:3])


def _whole_numbers(
    path: Path, values: Shaped[np.ndarray, "x y z ..."]
) -> Int[np.ndarray, "x y z ..."]:
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(values).astype(np.int32)
        is_whole = np.abs(rounded - values.astype(np.float64)) <= _ROUNDING  # False for NaN
    if not is_whole.all():
        raise InputError(
            f"'{path}': expected classes, which are whole numbers, got {values[~is_whole][0]:.9g}:"
            " give the file of labels"
        )
    return rounded


def _finite_floats(
    path: Path, values: Shaped[np.ndarray, "x y z ..."]
) -> Float[np.ndarray, "x y z ..."]:
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32)
    wrong = np.count_nonzero(~np.isfinite(floats))
    if wrong:
        raise InputError(
            f"'{path}': expected finite values of float32, {wrong} are not: repair the file"
        )
    return floats


def orient(
    path: Path,
    values: Shaped[np.ndarray, "x y z ..."],
    affine: Float[np.ndarray, "4 4"],
    axes: tuple[str, ...],
) -> Volume:
    """The values with their axes in another order.

    Args:
        path: the file that the matrix is of, for messages.
        values: in the file's order.
        affine: the file's matrix.
        axes: where slices, rows and columns are to lead to, as ``AXES``.

    Raises:
        InputError: the matrix leads nowhere.
    """
    orientations = import_extra("nibabel.orientations", _PURPOSE)
    directions = orientation_of(path, affine)
    moves = orientations.ornt_transform(directions, orientations.axcodes2ornt(axes))
    spacing = np.empty(3)
    spacing[moves[:, 0].astype(int)] = np.linalg.norm(affine[:3, :3], axis=0)
    slices, rows, columns = spacing.tolist()
    array = np.ascontiguousarray(orientations.apply_orientation(values, moves))
    return Volume(array, (slices, rows, columns))


def orientation_of(path: Path, affine: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "3 2"]:
    """The axis of space that each axis of a file follows, and its sense, as nibabel counts them.

    Raises:
        InputError: the matrix does not lead into three directions.
    """
    orientations = import_extra("nibabel.orientations", _PURPOSE)
    directions = (
        orientations.io_orientation(affine)
        if np.isfinite(affine).all()
        else np.full((3, 2), np.nan)
    )
    if np.isnan(directions).any():
        raise InputError(
            f"'{path}': expected an affine matrix that leads into three directions, got"
            f" {affine.tolist()}"
        )
    return directions


def _wanted_shape(
    volume: Volume, shape: Sequence[int] | None, spacing: Sequence[float] | None
) -> tuple[int, ...]:
    if (shape is None) == (spacing is None):
        raise InputError(
            f"expected either shape or spacing, got shape={shape} and spacing={spacing}: give one"
            " of them"
        )
    name, kind, number_type, given = (
        ("shape", "whole numbers", Integral, shape)
        if spacing is None
        else ("spacing", "numbers of mm", Real, spacing)
    )
    numbers = np.array(given if isinstance(given, Sequence | np.ndarray) else None, dtype=object)
    if numbers.shape != (3,) or not all(
        isinstance(number, number_type)
        and not isinstance(number, bool)
        and 0 < float(number) < math.inf
        for number in numbers
    ):
        raise InputError(
            f"{name}: expected three {kind} above 0 (slices, rows, columns), got {given}"
        )
    wanted = [int(number) for number in numbers]
    if spacing is not None:
        before = np.array(volume.array.shape[:3])
        wanted = np.rint(before * volume.spacing / np.array(spacing)).clip(1).tolist()
    num_voxels = math.prod(wanted) * math.prod(volume.array.shape[3:])
    if num_voxels * volume.array.itemsize > unpack_limit():
        raise InputError(
            f"{name}: expected a volume of at most {unpack_limit() / 2**20:,.0f} MiB, got one of"
            f" {num_voxels:.3g} voxels: ask for fewer, or set {LIMIT_VARIABLE}"
        )
    return tuple(map(int, wanted))


def _interpolate(
    array: Float[np.ndarray, "s h w ..."], shape: tuple[int, ...]
) -> Float[np.ndarray, "S H W ..."]:
    ndimage = import_extra("scipy.ndimage", "resampling volumes")
    factors = np.array(
        [n / m for n, m in zip(array.shape, shape, strict=False)] + [1.0] * (array.ndim - 3)
    )
    smooth = ndimage.gaussian_filter(array, (factors - 1).clip(0) / 2, mode="nearest")
    return ndimage.zoom(smooth, 1 / factors, order=1, mode="nearest", grid_mode=True)


def _damage_error(path: Path, reason: str) -> InputError:
    return InputError(f"'{path}' is damaged ({reason}): copy or download it again")


_COMPRESSED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
