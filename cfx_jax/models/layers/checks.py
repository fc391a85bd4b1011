"""Checks of what a model is built from and of the batches it is given."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cfx_jax.errors import InputError

SMALLEST_SIDE = 4
"""Stems divide by up to four, so fewer pixels would leave empty maps, whose mean is not a number."""


def check_sizes(stage_sizes: Sequence[int], widths: Sequence[int], num_classes: int, in_channels: int) -> None:
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
            f"widths: expected one for each of at least one stage, got {len(widths)} for {len(stage_sizes)} stages"
        )
    numbers = {"stage_sizes": min(stage_sizes), "widths": min(widths), "in_channels": in_channels}
    for name, smallest in {**numbers, "num_classes": num_classes}.items():
        if smallest < 1:
            raise InputError(f"{name}: expected at least 1, got {smallest}")


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
    values = np.asarray(value, np.float64)
    if values.shape not in ((), (channels,)) or not np.isfinite(values).all():
        raise InputError(f"{name}: expected one finite number, or one for each of {channels} channels, got {value}")
    return tuple(np.broadcast_to(values, (channels,)).tolist())


def check_images(images: jax.Array, channels: int) -> None:
    """Checks shape and dtype of a batch of images; costs nothing under ``jit``.

    Args:
        images: what the model was called with.
        channels: the model's number of channels.

    Raises:
        InputError: not (b, h, w, channels), too few pixels, or not floating point.
    """
    if images.ndim != 4:
        raise InputError(
            f"images: expected a batch (b, h, w, {channels}), got shape {images.shape}: "
            "models.per_image(model) takes one image"
        )
    if images.shape[-1] != channels or min(images.shape[1:3]) < SMALLEST_SIDE:
        raise InputError(
            f"images: expected (b, h, w, {channels}) of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, "
            f"got shape {images.shape}: channels come last"
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputError(f"images: expected dtype float32, got {images.dtype}: divide 8-bit pixels by 255")
