"""Checks of the arrays and numbers that a report is given, before anything is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.checks import as_numpy, check_number
from cfx_jax.errors import InputError

# Rounding in float32 arithmetic may leave an image a little outside [0, 1]; more is a mistake in
# units.
_SLACK = 1e-3


def check_image(image: Any, name: str) -> Float[np.ndarray, "h w c"]:
    """Checks the shape, range and dtype of an image.

    Args:
        image: ``(h, w, 1)`` or ``(h, w, 3)`` in [0, 1].
        name: the argument's name in the caller's messages.

    Returns:
        The image as float32, clipped to [0, 1].

    Raises:
        InputError: another rank, channel number or range, or values that are not finite.
    """
    array = as_numpy(image, name=name)
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise InputError(f"{name} must have shape (h, w, 1) or (h, w, 3), got {array.shape}")
    return _check_range(array, name)


def check_images(images: Any, name: str) -> Float[np.ndarray, "n h w c"]:
    """Checks a sequence of images of one shape.

    Args:
        images: ``(n, h, w, 1)`` or ``(n, h, w, 3)`` in [0, 1].
        name: the argument's name in the caller's messages.

    Returns:
        The images as float32, clipped to [0, 1].

    Raises:
        InputError: another rank, channel number or range, or values that are not finite.
    """
    array = as_numpy(images, name=name)
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise InputError(f"{name} must have shape (n, h, w, 1) or (n, h, w, 3), got {array.shape}")
    return _check_range(array, name)


def check_map(
    values: Any, size: tuple[int, ...], name: str, *, signed: bool
) -> Float[np.ndarray, "h w"]:
    """Checks a saliency map against the size of its image.

    Args:
        values: ``(h, w)``, finite.
        size: ``(h, w)`` of the image.
        name: the argument's name in the caller's messages.
        signed: whether negative values are allowed.

    Returns:
        The map as float32.

    Raises:
        InputError: another shape, or values that are not finite or negative against ``signed``.
    """
    array = as_numpy(values, name=name)
    if array.dtype.kind not in "biuf":  # thresholded maps may be boolean
        raise InputError(f"{name} must be real numbers or boolean, got {array.dtype}")
    array = array.astype(np.float32)
    if array.shape != size:
        raise InputError(f"{name} must have the shape of its image {size}, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, it holds NaN or infinity")
    if not signed and array.min() < 0:
        raise InputError(
            f"{name} must be 0 where it was thresholded away and positive elsewhere, got"
            f" {array.min():.3g}"
        )
    return array


def check_mask(mask: Any, size: tuple[int, ...], name: str) -> Bool[np.ndarray, "h w"]:
    """Checks a mask against the size of its image.

    Args:
        mask: ``(h, w)``, boolean or made of 0 and 1.
        size: ``(h, w)`` of the image.
        name: the argument's name in the caller's messages.

    Returns:
        The mask as boolean.

    Raises:
        InputError: another shape, or values other than 0 and 1.
    """
    array = as_numpy(mask, name=name)
    if array.shape != size:
        raise InputError(f"{name} must have the shape of its image {size}, got {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise InputError(
            f"{name} must be boolean or hold 0 and 1 only, got {array.dtype} up to {array.max()}"
        )
    return array.astype(bool)


def check_share(value: Any, name: str) -> float:
    """Checks a probability or another number in [0, 1].

    Args:
        value: the number.
        name: the argument's name in the caller's messages.

    Returns:
        The number as a float.

    Raises:
        InputError: it is not a number in [0, 1].
    """
    check_number(value, name=name)
    number = float(value)
    if not -_SLACK <= number <= 1 + _SLACK:
        raise InputError(f"{name} must lie in [0, 1], got {number}")
    return number


def check_choice(value: str, choices: Sequence[str], name: str) -> str:
    """Checks a named option.

    Args:
        value: the name.
        choices: the names that exist.
        name: the option's name in the message.

    Returns:
        The name.

    Raises:
        InputError: it is none of the choices; the message lists them.
    """
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"unknown {name} {value!r}: choose {' or '.join(choices)}")
    return value


def check_filled(items: Sequence[Any], name: str, kind: type = object) -> None:
    """Checks for a sequence of objects of one class, which is not empty.

    Args:
        items: the sequence.
        name: the name of the contents in the message.
        kind: the class; any by default.

    Raises:
        InputError: it is empty, no sequence, or holds something else.
    """
    if isinstance(items, str | bytes) or not isinstance(items, Sequence | np.ndarray):
        raise InputError(f"{name}: expected several in a list, got {type(items).__name__}")
    if len(items) == 0:
        raise InputError(f"at least one of {name} is needed, got none")
    for item in items:
        if not isinstance(item, kind):
            raise InputError(
                f"{name}: expected a list of {kind.__name__}, got one {type(item).__name__} in it"
            )


def check_panel_size(size: Any, *, most: float) -> None:
    """Checks a side of a panel.

    Args:
        size: the side in inches.
        most: the largest that is valid; the smallest is half an inch.

    Raises:
        InputError: it is no number, or out of range.
    """
    check_number(size, name="panel_size")
    if not 0.5 <= size <= most:
        raise InputError(f"panel_size must lie between 0.5 and {most:g} inches, got {size}")


def _check_range(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind != "f":
        raise InputError(
            f"{name} must be floating point in [0, 1], got {array.dtype}: divide 8-bit values by"
            " 255"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, it holds NaN or infinity")
    if array.min() < -_SLACK or array.max() > 1 + _SLACK:
        raise InputError(f"{name} must lie in [0, 1], got [{array.min():.3g}, {array.max():.3g}]")
    return np.clip(array, 0, 1).astype(np.float32)
