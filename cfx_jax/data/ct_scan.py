"""A CT scan read for a classifier of volumes: some slices, a window of its values, one size."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.hounsfield import hounsfield_units, unit_window
from cfx_jax.data.nifti import read_nifti
from cfx_jax.data.slice_resizing import resize_slices, slice_indices
from cfx_jax.errors import InputError


class CTScan(NamedTuple):
    """A scan as a classifier of volumes takes it.

    Attributes:
        slices: (s, h, w) float32 in [0, 1], from the feet upwards.
        native_shape: numbers of slices, rows and columns of the whole scan;
            ``slice_indices(native_shape[0], s)`` are the slices' places in it.
    """

    slices: Float[np.ndarray, "s h w"]
    native_shape: tuple[int, int, int]


def read_ct_scan(
    path: str | Path,
    *,
    window: tuple[float, float],
    shape: tuple[int, int, int],
    has_air: bool = True,
) -> CTScan:
    """Reads a scan as ACAT's code does.

    That is: Hounsfield units are checked, slices are chosen at equal distances, a window becomes
    [0, 1], and slices are resized bilinearly.

    Args:
        path: a NIfTI file, see ``read_nifti``.
        window: HU that become 0 and 1, such as ``hounsfield.LUNG``.
        shape: numbers of slices, rows and columns wanted.
        has_air: see ``hounsfield_units``.

    Returns:
        The scan.

    Raises:
        InputError: naming the file: it cannot be read, holds no Hounsfield units, has too few
            slices, or shows nothing within the window.
    """
    units = hounsfield_units(
        read_nifti(path, num_sequences=1).array, name=f"'{path}'", has_air=has_air
    )
    try:
        chosen = units[slice_indices(len(units), shape[0])]
        slices = resize_slices(unit_window(chosen, *window), shape[1:])
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error
    native_slices, rows, columns = units.shape
    return CTScan(slices, (native_slices, rows, columns))
