"""The slices of a NIfTI volume along the axis of its stack, and the way back to the file's grid.

The axis of the stack is the axis that the header names for the slices; else the one along which
voxels are clearly the longest; else that from the feet to the head. Slices lie as radiologists look
at them: axial ones from the feet, the nose up; others with the head up.
"""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.nifti import open_nifti, orient, orientation_of, read_values
from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path, replacing

_LONGER = 1.1  # times the other voxels' sides, for an axis to be that of the stack
_VIEWS = {
    "S": (("S", "P", "L"), "from the feet to the head"),
    "P": (("P", "I", "L"), "from the front to the back"),
    "L": (("L", "I", "P"), "from the right to the left"),
}
"""Where slices, rows and columns lead to, for each axis of the stack."""


class SliceStack(NamedTuple):
    """A volume as slices.

    Attributes:
        array: the slices, in the file's own values.
        direction: where the slices follow each other to, in words.
        window: the smallest and the largest value to show, where the header has them.
    """

    array: Float[np.ndarray, "s h w"]
    direction: str
    window: tuple[float, float] | None


def read_slices(path: str | Path) -> SliceStack:
    """Reads a volume as slices along the axis of its stack.

    Args:
        path: a file .nii or .nii.gz, or the .hdr or .img of a pair.

    Returns:
        The slices.

    Raises:
        InputError: the file cannot be used, see ``read_nifti``; or it holds several volumes.
    """
    path = as_path(path)
    image = open_nifti(path)
    if any(length != 1 for length in image.shape[3:]):
        raise InputError(
            f"'{path}': expected one volume of three axes, got shape {image.shape}: write each"
            " volume to a file"
        )
    axes, direction = _VIEWS[_stack_axis(path, image)]
    values = read_values(path, image, sequence=None, labels=False).reshape(image.shape[:3])
    low, high = (float(image.header[name]) for name in ("cal_min", "cal_max"))
    window = (low, high) if np.isfinite([low, high]).all() and high > low else None
    return SliceStack(orient(path, values, image.affine, axes).array, direction, window)


def write_slices(
    path: str | Path,
    slices: Mapping[int, Float[np.ndarray, "h w"]],
    *,
    like: str | Path,
    add: bool = False,
) -> Path:
    """Writes slices as a NIfTI volume that lies on another one, voxel by voxel.

    Args:
        path: the file to write, .nii or .nii.gz.
        slices: number of a slice, from 0, as ``read_slices`` counts them -> its values; a slice of
            another size is resized. Slices that are not given are 0.
        like: the volume that the slices belong to.
        add: whether to write the volume with the slices added to its values.

    Returns:
        The path. The file has the shape and the affine matrix of ``like``, and float32 values.

    Raises:
        InputError: ``like`` cannot be used, a number is outside of it, or the file cannot be
            written.
    """
    nibabel = import_extra("nibabel", "writing NIfTI files")
    path, like = Path(path), Path(like)
    image = open_nifti(like)
    axes, _ = _VIEWS[_stack_axis(like, image)]
    values = (
        read_values(like, image, sequence=None, labels=False).reshape(image.shape[:3])
        if add
        else np.zeros(image.shape[:3], np.float32)
    )
    stack = orient(like, values, image.affine, axes).array
    for number in slices:
        if not 0 <= number < len(stack):
            raise InputError(
                f"slices: expected numbers in 0..{len(stack) - 1} of '{like}', got {number}"
            )
        stack[number] += _resize(slices[number], (stack.shape[1], stack.shape[2]))
    orientations = import_extra("nibabel.orientations", "writing NIfTI files")
    back = orientations.ornt_transform(
        orientations.axcodes2ornt(axes), orientation_of(like, image.affine)
    )
    voxels = orientations.apply_orientation(stack, back).reshape(image.shape)
    volume = nibabel.Nifti1Image(np.ascontiguousarray(voxels), image.affine)
    volume.set_qform(*image.get_qform(coded=True))
    volume.set_sform(*image.get_sform(coded=True))
    volume.header.set_xyzt_units(*image.header.get_xyzt_units())
    content = volume.to_bytes()
    with replacing(path) as temporary:
        is_compressed = path.suffix.lower() == ".gz"
        temporary.write_bytes(gzip.compress(content, mtime=0) if is_compressed else content)
    return path


def _stack_axis(path: Path, image: Any) -> str:
    """The axis of the stack, by where it leads to."""
    directions = orientation_of(path, image.affine)[:, 0].astype(int)
    named = image.header.get_dim_info()[2]
    if named is None:
        sides = np.linalg.norm(image.affine[:3, :3], axis=0)
        longest = int(sides.argmax())
        others = np.delete(sides, longest)
        is_clear = (sides[longest] >= _LONGER * others).all()
        named = longest if is_clear else int(np.flatnonzero(directions == 2)[0])
    return "LPS"[directions[named]]  # nibabel counts left-right, back-front, foot-head


def _resize(values: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    """Values resized linearly; a slice that already has the size is left as it is."""
    if values.shape == size:
        return values
    cv2 = import_extra("cv2", "resizing slices")
    array = np.asarray(values, np.float32)
    return cv2.resize(array, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
