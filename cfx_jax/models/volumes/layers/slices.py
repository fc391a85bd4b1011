"""Volumes as batches of slices, or of half slices, for networks of the plane, and back.

Slices come from the feet to the head, columns from the patient's right to the left. A half slice
has the midline in its first column: the patient's right half, which comes first, is mirrored, so
that one set of weights serves both.
"""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.layers.checks import SMALLEST_SIDE

Split = Literal["whole", "halves"]
"""The input of a network of the plane: a whole slice, or one of its halves."""

PARTS = {"whole": 1, "halves": 2}
"""The number of images that a slice becomes."""


def check_volumes(
    volumes: Float[Array, "b s h w c"], channels: int, *, name: str = "volumes"
) -> None:
    """Checks shape and dtype of a batch of volumes; costs nothing under ``jit``.

    Args:
        volumes: the batch that the model was called with.
        channels: the model's number of channels.
        name: the arguments' name in messages.

    Raises:
        InputError: not (b, s, h, w, channels), no slice, too few pixels, or not floating point.
    """
    if volumes.ndim != 5:
        raise InputError(
            f"{name}: expected a batch (b, s, h, w, {channels}), got shape {volumes.shape}:"
            " models.per_image(model) takes one volume"
        )
    if (
        volumes.shape[-1] != channels
        or not volumes.shape[1]
        or min(volumes.shape[2:4]) < SMALLEST_SIDE
    ):
        raise InputError(
            f"{name}: expected (b, s, h, w, {channels}) of at least one slice and"
            f" {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, got shape {volumes.shape}: channels come"
            " last"
        )
    if not jnp.issubdtype(volumes.dtype, jnp.floating):
        raise InputError(
            f"{name}: expected dtype float32, got {volumes.dtype}: scale the grey values to [0, 1]"
        )


def fold_slices(volumes: Float[Array, "b s h w c"], split: Split) -> Float[Array, "n h v c"]:
    """Cuts volumes into images.

    Args:
        volumes: (b, s, h, w, c).
        split: ``"whole"`` for slices, ``"halves"`` for their right and left halves, the right one
            mirrored.

    Returns:
        (b * s, h, w, c), or (2 * b * s, h, w / 2, c) with the two halves of a slice one after the
        other.

    Raises:
        InputError: halves of an odd number of columns.

    >>> fold_slices(jnp.zeros((1, 3, 4, 4, 1)), "halves").shape
    (6, 4, 2, 1)
    """
    _, _, height, width, channels = volumes.shape
    if split == "whole":
        return volumes.reshape(-1, height, width, channels)
    if width % 2:
        raise InputError(
            "volumes: expected an even number of columns, since the network sees half a slice at a"
            f" time, got {width}: resize or pad the slices"
        )
    right, left = jnp.split(volumes, 2, axis=3)
    halves = jnp.stack([jnp.flip(right, axis=3), left], axis=2)
    return halves.reshape(-1, height, width // 2, channels)


def unfold_slices(
    maps: Float[Array, "n h v c"], num_volumes: int, split: Split
) -> Float[Array, "b s h w c"]:
    """Joins maps of images to maps of volumes, the inverse of ``fold_slices``.

    Args:
        maps: (n, h, v, c), one for each image that ``fold_slices`` returns.
        num_volumes: b, how many volumes they are of.
        split: the argument of ``fold_slices``.

    Returns:
        (b, s, h, v, c), or (b, s, h, 2 v, c) with halves side by side, the right one as the patient
        has it.

    >>> unfold_slices(jnp.zeros((6, 4, 2, 1)), 1, "halves").shape
    (1, 3, 4, 4, 1)
    """
    _, height, width, channels = maps.shape
    if split == "whole":
        return maps.reshape(num_volumes, -1, height, width, channels)
    halves = maps.reshape(num_volumes, -1, 2, height, width, channels)
    return jnp.concatenate([jnp.flip(halves[:, :, 0], axis=3), halves[:, :, 1]], axis=3)


def slice_means(maps: Float[Array, "b s h w c"], split: Split) -> Float[Array, "b s d"]:
    """Computes the mean over the positions of each slice, or of each half of it.

    Args:
        maps: (b, s, h, w, c), as ``unfold_slices`` returns them.
        split: the argument of ``fold_slices``.

    Returns:
        (b, s, c), or (b, s, 2 c): the features of the right half, then of the left half.

    >>> slice_means(jnp.ones((1, 3, 4, 4, 1)), "halves").shape
    (1, 3, 2)
    """
    means = [part.mean(axis=(2, 3)) for part in jnp.split(maps, PARTS[split], axis=3)]
    return jnp.concatenate(means, axis=-1)
