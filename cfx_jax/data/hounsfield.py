"""Hounsfield units of computed tomography (CT): checks, one certain repair, and windows.

Air is about -1,000, water 0, a brain 20 to 45, bone above 300. What a file calls Hounsfield units
(HU) often is not: signed numbers stored as unsigned ones come back near 2^16, and scanners store HU
+ 1,024, which only the rescale intercept of the header takes back.
"""

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.checks import check_array, check_flag, check_number
from cfx_jax.errors import InputError

# HU that become 0 and 1: the window of ACAT's code for chests (Fontanella et al. 2023).
LUNG = (-1000.0, 400.0)
BRAIN = (0.0, 80.0)  # for heads; that of ACAT is not published

_WRAP = 2**16  # what is missing where a negative number of 16 bits was stored without its sign
# Below the values by which scanners fill what they did not see: -2,000, -2,048, -3,024.
_LEAST = -5000


def hounsfield_units(
    volume: Shaped[np.ndarray, "s h w"], *, name: str = "volume", has_air: bool = True
) -> Float[np.ndarray, "s h w"]:
    """Checks that values can be Hounsfield units, and gives back signs that were lost in storage.

    Where values of 2^15 or more occur, all values are whole numbers below 2^16, and values of 2^15
    or more become possible ones less 2^16, the signs were lost, and this is undone. Every other
    deviation is refused.

    Args:
        volume: values as a file gives them, of any real dtype.
        name: the argument's name in messages.
        has_air: whether the scan must show air, whose HU are negative. False for scans that show
            nothing but tissue, such as heads without the skull on a background of 0.

    Returns:
        float32, HU.

    Raises:
        InputError: a wrong rank, no voxels, values that are not finite, all the same, too large or
            too small, or none below 0 where there must be air.

    Example:
        >>> hounsfield_units(np.array([[[64536, 0, 40]]]))  # air lost its sign
        array([[[-1000.,     0.,    40.]]], dtype=float32)
    """
    check_array(volume, name=name)
    if volume.ndim != 3 or not volume.size:
        raise InputError(
            f"{name}: expected a volume (s, h, w) of at least one voxel, got shape {volume.shape}"
        )
    low, high = float(volume.min()), float(volume.max())
    if not np.isfinite([low, high]).all():
        raise InputError(
            f"{name}: expected finite Hounsfield units, got NaN or infinity: repair the file or"
            " leave it out"
        )
    if low == high:
        raise InputError(f"{name}: expected a scan, got {low:g} in all voxels: leave it out")
    units = volume.astype(np.float32)
    if high >= _WRAP // 2 and _is_wrapped(units):
        units = np.where(units >= _WRAP // 2, units - _WRAP, units)
        low, high = float(units.min()), float(units.max())
    if high >= _WRAP // 2 or low < _LEAST:
        filling = (
            f", or raise the {(units < _LEAST).sum()} voxels below to -1024 if the scanner filled"
            " what it did not see"
        )
        raise InputError(
            f"{name}: expected Hounsfield units in {_LEAST}..{_WRAP // 2 - 1}, got"
            f" {low:g}..{high:g}: convert it again from DICOM, as signed numbers with rescale slope"
            f" and intercept{filling if low < _LEAST else ''}"
        )
    check_flag(has_air, name="has_air")
    if has_air and low >= 0:
        raise InputError(
            f"{name}: expected Hounsfield units with air at about -1000, got none below {low:g}:"
            " subtract 1024 if the rescale intercept was left out, or say has_air=False if the air"
            " has been cut away"
        )
    return units


def unit_window(
    volume: Float[np.ndarray, "s h w"], low: float, high: float
) -> Float[np.ndarray, "s h w"]:
    """Clips values to a window and scales it to [0, 1].

    Args:
        volume: values in HU.
        low: the value that becomes 0, e.g. ``LUNG[0]``.
        high: the value that becomes 1.

    Returns:
        float32 in [0, 1].

    Raises:
        InputError: the window is empty or not finite, a value is NaN, or all values lie on one side
            of the window.

    Example:
        >>> unit_window(np.array([[[-20.0, 0.0, 20.0, 900.0]]]), *BRAIN)
        array([[[0.  , 0.  , 0.25, 1.  ]]], dtype=float32)
    """
    check_array(volume, name="volume")
    check_number(low, name="low")
    check_number(high, name="high")
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(
            f"low and high: expected finite numbers, the first below the second, got {low:g} and"
            f" {high:g}"
        )
    if np.isnan(volume).any():
        raise InputError(
            "volume: expected Hounsfield units, got NaN: repair the scan or leave it out"
        )
    unit = ((np.clip(volume, low, high) - low) / (high - low)).astype(np.float32)
    if unit.size and unit.max() == unit.min():
        raise InputError(
            f"volume: expected values within the window {low:g}..{high:g}, got"
            f" {volume.min():g}..{volume.max():g}, which it makes constant: give another window, or"
            " look whether these are Hounsfield units"
        )
    return unit


def _is_wrapped(units: Float[np.ndarray, "s h w"]) -> bool:
    """Whether the large values are negative ones without their sign, and nothing else."""
    restored = units[units >= _WRAP // 2] - _WRAP
    are_16_bits = (
        units.min() >= 0 and units.max() < _WRAP and bool((units == np.floor(units)).all())
    )
    return are_16_bits and float(restored.min()) >= _LEAST
