"""Normalisation of images with the mean and deviation of each channel.

It is a part of every model here.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers.checks import check_images, per_channel

PerChannel = float | Sequence[float]
"""One number for all channels, or one per channel."""


def channel_statistics(
    mean: PerChannel, std: PerChannel, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Checks the mean and the deviation that images are normalised with.

    Args:
        mean: subtracted from the image.
        std: positive divisor after that.
        channels: number of channels, at least 1.

    Returns:
        Mean and divisor, each as one Python float per channel.

    Raises:
        InputError: a sequence of another length, a number that is not finite, or a divisor not
            above 0.
    """
    means, stds = per_channel("mean", mean, channels), per_channel("std", std, channels)
    if min(stds) <= 0:
        raise InputError(f"std: expected numbers above 0, got {stds}")
    return means, stds


def normalise(
    images: Float[Array, "b h w c"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Array, "b h w c"]:
    """Computes (images - mean) / std, for each channel.

    Args:
        images: (b, h, w, c) in [0, 1].
        mean: one number per channel.
        std: one positive number per channel.

    Returns:
        The normalised images, same shape and dtype.

    Raises:
        InputError: another number of channels, too few pixels, no batch, or integers.
    """
    check_images(images, len(mean))
    return (images - jnp.asarray(mean, images.dtype)) / jnp.asarray(std, images.dtype)
