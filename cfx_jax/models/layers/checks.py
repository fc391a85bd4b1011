"""Checks of what a model is built from, numbers and a source of weights, and of its batches."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.checks import check_integer, check_number, check_type
from cfx_jax.errors import InputError

_MOST = 2**31 - 1  # the largest size that an array can have
SMALLEST_SIDE = 4
"""Stems divide by up to four, so fewer pixels would leave empty maps, whose mean is not a number.
"""


def check_rngs(rngs: nnx.Rngs) -> None:
    """Checks the source of the initial weights.

    Raises:
        InputError: naming the type that came.
    """
    check_type(rngs, nnx.Rngs, name="rngs", wanted="a source of weights, as nnx.Rngs(0)")


def check_sizes(
    stage_sizes: Sequence[int], widths: Sequence[int], num_classes: int, in_channels: int
) -> None:
    """Checks the sizes of a residual network.

    Args:
        stage_sizes: blocks of each stage.
        widths: channels of each stage.
        num_classes: number of logits.
        in_channels: channels of the images.

    Raises:
        InputError: no stage, different lengths, or a number below 1.
    """
    if len(stage_sizes) != len(widths) or not widths:
        raise InputError(
            f"widths: expected one for each of at least one stage, got {len(widths)} for"
            f" {len(stage_sizes)} stages"
        )
    check_numbers({"in_channels": in_channels, "num_classes": num_classes})
    check_all_numbers({"stage_sizes": stage_sizes, "widths": widths})


def check_numbers(numbers: Mapping[str, int]) -> None:
    """Checks that numbers of channels, classes or blocks are whole and at least 1.

    Args:
        numbers: each by the argument's name.

    Raises:
        InputError: naming the first that is not.
    """
    for name, number in numbers.items():
        check_integer(number, name=name, at_least=-_MOST)
        if number < 1:
            raise InputError(f"{name}: expected at least 1, got {number}")


def check_all_numbers(numbers: Mapping[str, Sequence[int]]) -> None:
    """Checks that all numbers of sequences are whole and at least 1.

    Args:
        numbers: each sequence by the argument's name; an empty one counts as 0.

    Raises:
        InputError: naming the first that is not.
    """
    for name, sequence in numbers.items():
        if not _are_several(sequence):
            raise InputError(f"{name}: expected several numbers, got {sequence!r}")
        for number in sequence or (0,):
            check_numbers({name: number})


def check_filters(filters: Sequence[int], *, at_least: int, name: str = "filters") -> None:
    """Checks the numbers of channels of layers that follow each other.

    Args:
        filters: the numbers.
        at_least: how many there must be.
        name: the argument's name, for the message.

    Raises:
        InputError: there are fewer, or one is no integer of at least 1.
    """
    if _are_several(filters) and len(filters) >= at_least and all(map(_is_number, filters)):
        return
    least = f"at least {at_least} " if at_least else ""
    given = tuple(filters) if _are_several(filters) else filters
    raise InputError(f"{name}: expected {least}numbers of at least 1, got {given!r}")


def check_height_and_width(size: Sequence[int]) -> None:
    """Checks the size of the images that a network is made for.

    Raises:
        InputError: it is no pair of integers of at least 1.
    """
    if not (_are_several(size) and len(size) == 2 and all(map(_is_number, size))):
        raise InputError(f"size: expected (height, width), two numbers of at least 1, got {size!r}")


def _are_several(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    """Whether a value is an integer of at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and 1 <= int(value) <= _MOST


def check_shares(shares: Mapping[str, float]) -> None:
    """Checks that rates are in [0, 1).

    Args:
        shares: each by the argument's name.

    Raises:
        InputError: naming the first that is not.
    """
    for name, share in shares.items():
        check_number(share, name=name)
        if not 0 <= share < 1:
            raise InputError(f"{name}: expected a share in [0, 1), got {share}")


def per_channel(name: str, value: float | Sequence[float], channels: int) -> tuple[float, ...]:
    """Repeats a number for each channel, or checks a sequence with one per channel.

    Args:
        name: the argument's name, for the message.
        value: one number, or ``channels`` numbers.
        channels: number of channels, at least 1.

    Returns:
        ``channels`` finite Python floats.

    Raises:
        InputError: a sequence of another length, or a number that is not finite.
    """
    try:
        values = np.asarray(value, np.float64)
    except (TypeError, ValueError):  # text, or lists of different lengths
        values = np.array(np.nan)
    if values.shape not in ((), (channels,)) or not np.isfinite(values).all():
        raise InputError(
            f"{name}: expected one finite number, or one for each of {channels} channels, got"
            f" {value}"
        )
    return tuple(np.broadcast_to(values, (channels,)).tolist())


def check_images(images: jax.Array, channels: int) -> None:
    """Checks the shape and dtype of a batch of images.

    The check costs nothing under ``jit``.

    Args:
        images: the batch that the model was called with.
        channels: the model's number of channels.

    Raises:
        InputError: not (b, h, w, channels), too few pixels, or not floating point.
    """
    if images.ndim != 4:
        raise InputError(
            f"images: expected a batch (b, h, w, {channels}), got shape {images.shape}:"
            " models.per_image(model) takes one image"
        )
    if images.shape[-1] != channels or min(images.shape[1:3]) < SMALLEST_SIDE:
        raise InputError(
            f"images: expected (b, h, w, {channels}) of at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
            f" pixels, got shape {images.shape}: channels come last"
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputError(
            f"images: expected dtype float32, got {images.dtype}: divide 8-bit pixels by 255"
        )


def check_sides(
    images: jax.Array, num_halvings: int, *, instead: str = ", or give fewer `filters`"
) -> None:
    """Checks that maps of images can be halved a number of times.

    Args:
        images: the batch that the network was called with.
        num_halvings: how many times the network halves them.
        instead: what else can be done than to change the images, the end of the message.

    Raises:
        InputError: a side that does not divide.
    """
    divisor = 2**num_halvings
    if any(side % divisor for side in images.shape[1:3]):
        raise InputError(
            f"images: expected sides that divide by {divisor}, since the network halves them"
            f" {num_halvings} times, got {images.shape[1]}x{images.shape[2]} pixels: resize or pad"
            f" them{instead}"
        )


def check_size(images: jax.Array, size: tuple[int, ...], *, network: str) -> None:
    """Checks that images have the size that a network was made for.

    Args:
        images: the batch that the network was called with.
        size: height and width, in pixels.
        network: the network's name in the message.

    Raises:
        InputError: another height or width.
    """
    if images.shape[1:3] != size:
        (height, width), given = size, images.shape[1:3]
        raise InputError(
            f"images: expected {height}x{width} pixels, the `size` of the {network}, got"
            f" {given[0]}x{given[1]}"
        )
