"""From the stored values of a grey DICOM image to [0, 1], as a display shows them (PS3.3 C.11).

Stored values become the modality's (Hounsfield units, say) by a table or by rescale slope and
intercept. A table or a window then chooses the values of interest, which become [0, 1]. Enhanced
multi-frame files keep these numbers apart for each frame.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped

from cfx_jax.errors import InputError

Window = tuple[float, float] | Literal["file", "full", "values"]

_WORD = 2**16  # numbers that 16 bits can tell apart


def check_window(window: Window) -> None:
    """Checks that a window is "file", "full", "values", or a centre and a width above 0.

    Raises:
        InputError: it is neither.
    """
    if isinstance(window, str) and window in ("file", "full", "values"):
        return
    numbers = (
        isinstance(window, tuple | list)
        and len(window) == 2
        and all(isinstance(n, int | float | np.number) for n in window)
    )
    if not numbers or not np.isfinite(window).all() or float(window[1]) <= 0:
        raise InputError(
            "window: expected 'file', 'full', 'values' or (centre, width) with a width above 0,"
            f" got {window!r}: give e.g. (40, 80), in the units that slope and intercept make"
        )


def unit_grey(
    dataset: Any, stored: Shaped[np.ndarray, "h w"], *, frame: int, window: Window
) -> Float[np.ndarray, "h w"]:
    """One frame's stored values as the grey that a display shows, 0 black and 1 white.

    Args:
        dataset: the file, a ``pydicom.Dataset``.
        stored: the frame's values as they were decoded.
        frame: which frame of the file it is, from 0.
        window: see ``read_dicom``.

    Returns:
        float32 in [0, 1]; inverted for MONOCHROME1.

    Raises:
        InputError: a pixel is not finite; or the file gives no window or number of bits where one
            is needed, or numbers that are impossible.
    """
    values = _modality(dataset, stored.astype(np.float64), frame)
    if not np.isfinite(values).all():
        raise InputError(
            f"expected finite values, {(~np.isfinite(values)).sum()} pixels are not: repair the"
            " file"
        )
    if window == "file":
        grey = _apply_file_window(dataset, values, frame)
    elif window == "full":
        grey = _scale(values, *_range(dataset, frame))
    else:
        grey = scale_values(values, window)
    grey = grey.clip(0, 1).astype(np.float32)
    return 1 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def scale_values(values: Shaped[np.ndarray, "*any"], window: Window) -> Float[np.ndarray, "*any"]:
    """Values as float32 in [0, 1] by a window that needs nothing else to be known.

    Args:
        values: finite numbers.
        window: "values", from their smallest to their largest; or (centre, width).
    """
    numbers = values.astype(np.float64)
    if window == "values":
        scaled = _scale(numbers, float(numbers.min()), float(numbers.max()))
    else:
        centre, width = map(float, window)
        scaled = _apply_window(numbers, centre, width, "LINEAR_EXACT")
    return scaled.clip(0, 1).astype(np.float32)


def full_scale(dataset: Any) -> float:
    """The largest number that the stored bits can hold without a sign.

    Raises:
        InputError: the file gives no number of bits.
    """
    if not dataset.get("BitsStored"):
        raise InputError(
            "expected a number of stored bits, which the file does not give: give a window"
        )
    return float(2.0**dataset.BitsStored - 1)


def _apply_file_window(
    dataset: Any, values: Float[np.ndarray, "h w"], frame: int
) -> Float[np.ndarray, "h w"]:
    """The values of interest as 0 to 1: by the file's table, its window, or its 8 bits."""
    interest = _macro(dataset, frame, "FrameVOILUTSequence")
    if interest.get("VOILUTSequence"):
        table = interest.VOILUTSequence[0]
        return _look_up(dataset, table, values, _range(dataset, frame)) / _largest_entry(table)
    if interest.get("WindowWidth") is not None and interest.get("WindowCenter") is not None:
        # Several windows are views to choose from; the first is the one that is meant.
        centre, width = (
            float(np.ravel(interest[key].value)[0]) for key in ("WindowCenter", "WindowWidth")
        )
        return _apply_window(values, centre, width, str(interest.get("VOILUTFunction") or "LINEAR"))
    if full_scale(dataset) > 255:
        # All 16 bits of a CT as [0, 1] would leave the body within 3 % of them.
        raise InputError(
            f"expected a window in a file of {dataset.BitsStored} bits, it has none: give a window:"
            " centre and width, 'values' for its smallest to its largest, or 'full' for all that"
            " the bits can hold"
        )
    return _scale(values, *_range(dataset, frame))


def _scale(values: Float[np.ndarray, "h w"], low: float, high: float) -> Float[np.ndarray, "h w"]:
    return (values - low) / (high - low or 1)


def _modality(
    dataset: Any, stored: Float[np.ndarray, "..."], frame: int
) -> Float[np.ndarray, "..."]:
    if dataset.get("ModalityLUTSequence"):
        return _look_up(dataset, dataset.ModalityLUTSequence[0], stored, _stored_range(dataset))
    scale = _macro(dataset, frame, "PixelValueTransformationSequence")
    slope, intercept = scale.get("RescaleSlope"), scale.get("RescaleIntercept")
    if slope == 0:
        raise InputError("expected a rescale slope other than 0: correct the file")
    return stored * (1.0 if slope is None else float(slope)) + (
        0.0 if intercept is None else float(intercept)
    )


def _range(dataset: Any, frame: int) -> tuple[float, float]:
    """The smallest and the largest of the modality's values that the file can hold."""
    if dataset.get("ModalityLUTSequence"):
        return 0.0, _largest_entry(dataset.ModalityLUTSequence[0])
    ends = _modality(dataset, np.array(_stored_range(dataset)), frame)
    return float(ends.min()), float(ends.max())


def _stored_range(dataset: Any) -> tuple[float, float]:
    """The smallest and the largest number that the stored bits can hold."""
    scale = full_scale(dataset)
    low = -(scale + 1) / 2 if dataset.get("PixelRepresentation") else 0.0
    return low, low + scale


def _apply_window(
    values: Float[np.ndarray, "h w"], centre: float, width: float, function: str
) -> Float[np.ndarray, "h w"]:
    """The window's values as 0 to 1, others beyond (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if function == "LINEAR":
        # A window over whole numbers: its ends are the centres of the first and the last one.
        centre, width = centre - 0.5, width - 1
        if width == 0:
            return (values > centre).astype(np.float64)
    if not (np.isfinite([centre, width]).all() and width > 0):
        raise InputError(
            f"expected a window with a width above 0, got centre {centre:g} and width {width:g} of"
            f" {function}"
        )
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise InputError(
            f"expected a window of the kind LINEAR, LINEAR_EXACT or SIGMOID, got {function}: give a"
            " window"
        )
    if function == "SIGMOID":
        # Far from the centre the exponential may overflow to infinity, which is right: the grey is
        # 0 there.
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (values - centre) / width))
    return (values - centre) / width + 0.5


def _look_up(
    dataset: Any, item: Any, values: Float[np.ndarray, "..."], domain: tuple[float, float]
) -> Float[np.ndarray, "..."]:
    """The entries of a table for values; beyond its ends the first or the last entry.

    Args:
        dataset: the file.
        item: the table.
        values: the values that are looked up.
        domain: the smallest and the largest value that the file can hold.
    """
    implicit, little = dataset.original_encoding
    # 2^16 is written as 0; a number of 2^15 or more may be read as signed.
    number = item.LUTDescriptor[0] % _WORD or _WORD
    first = _first_value(item.LUTDescriptor[1], domain, implicit=bool(implicit))
    table = _entries(item.LUTData, number, "<" if little else ">", _largest_entry(item))
    return table[np.rint(values - first).clip(0, len(table) - 1).astype(np.int64)]


def _first_value(written: int, domain: tuple[float, float], *, implicit: bool) -> int:
    """The value that a table's first entry is of.

    It is signed where the values looked up can be negative (PS3.3 C.11.1.1.1 and C.11.2.1.1).
    Whether the stored pixels are signed does not matter, though files that do not tell the kind of
    an element are read by that.
    """
    low, high = domain
    unsigned = written % _WORD
    signed = unsigned - _WORD if unsigned >= _WORD // 2 else unsigned
    if implicit:
        return signed if low < 0 else unsigned
    return signed if low < 0 and written > high else written


def _largest_entry(item: Any) -> float:
    """The largest number that a table's entries can have.

    Raises:
        InputError: the table has no possible number of bits.
    """
    bits = item.LUTDescriptor[2]
    if not 1 <= bits <= 16:
        raise InputError(
            f"expected a table of 1 to 16 bits, got {bits}: give a window, or correct the file"
        )
    return float(2.0**bits - 1)


def _entries(data: Any, number: int, byte_order: str, largest: float) -> Float[np.ndarray, " n"]:
    """The entries of a table as numbers.

    pydicom gives numbers or, in files that do not tell their kind, bytes; two entries of 8 bits may
    share a number.
    """
    if not isinstance(data, bytes):
        numbers = np.atleast_1d(np.asarray(data))
        if largest > 255 or len(numbers) != (number + 1) // 2 or number < 2:
            return (numbers % _WORD).astype(np.float64)
        data = numbers.astype(f"{byte_order}u2").tobytes()
    return np.frombuffer(data, "u1" if len(data) < 2 * number else f"{byte_order}u2")[
        :number
    ].astype(np.float64)


def _macro(dataset: Any, frame: int, name: str) -> Any:
    """The place of one group of numbers: with the frame, with all frames, or in the file itself."""
    frames, shared = (
        dataset.get("PerFrameFunctionalGroupsSequence"),
        dataset.get("SharedFunctionalGroupsSequence"),
    )
    for groups in ((frames or ())[frame : frame + 1], (shared or ())[:1]):
        if groups and groups[0].get(name):
            return groups[0][name].value[0]
    return dataset
