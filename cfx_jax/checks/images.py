"""Checks of images and volumes, one or many."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cfx_jax.array_types import AnyArray, check_usable
from cfx_jax.checks.options import is_concrete
from cfx_jax.errors import InputError


def check_image(image: Float[AnyArray, "h w c"], *, name: str = "image") -> None:
    """Checks one image: rank 3, float32 (or float64), finite and inside [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(image, name=name)
    several = (
        "; use jax.vmap or the batched function for several images, attributions.over_slices for a"
        " volume"
    )
    if image.ndim != 3:
        raise InputError(
            f"{name}: expected one image (h, w, c), got shape"
            f" {image.shape}{several if image.ndim == 4 else ''}"
        )
    _check_values(image, name=name)


def check_volume(volume: Float[AnyArray, "s h w c"], *, name: str = "volume") -> None:
    """Checks one volume: rank 4, at least one slice, float32 (or float64), finite, in [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(volume, name=name)
    if volume.ndim != 4 or not volume.shape[0]:
        raise InputError(
            f"{name}: expected one volume (s, h, w, c) of at least one slice, got shape"
            f" {volume.shape}"
        )
    _check_values(volume, name=name)


def check_image_or_volume(array: Float[AnyArray, "*s h w c"], *, name: str = "image") -> None:
    """Checks one image or one volume, for methods that treat every pixel alike.

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(array, name=name)
    if array.ndim not in (3, 4):
        raise InputError(
            f"{name}: expected one image (h, w, c) or one volume (s, h, w, c), got shape"
            f" {array.shape}: use jax.vmap for several"
        )
    _check_values(array, name=name)


def check_images(images: Float[AnyArray, "n h w c"], *, name: str = "images") -> None:
    """Checks a batch of images: rank 4, at least one, float32 (or float64), finite, in [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(images, name=name)
    if images.ndim != 4:
        raise InputError(
            f"{name}: expected a batch of images (n, h, w, c), got shape {images.shape}"
        )
    if images.shape[0] == 0:
        raise InputError(
            f"{name}: expected at least one image, got an empty batch of shape {images.shape}"
        )
    _check_values(images, name=name)


def check_images_or_volumes(arrays: Float[AnyArray, "n *s h w c"], *, name: str = "images") -> None:
    """Checks a batch of images (n, h, w, c), or a batch of volumes (n, s, h, w, c).

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(arrays, name=name)
    if arrays.ndim not in (4, 5):
        raise InputError(
            f"{name}: expected a batch of images (n, h, w, c) or of volumes (n, s, h, w, c), got"
            f" shape {arrays.shape}"
        )
    _check_values(arrays, name=name)


def _check_values(array: AnyArray, *, name: str) -> None:
    check_dtype(array, name=name)
    check_unit_range(array, name=name)


def check_array(value: object, *, name: str) -> None:
    """Checks for an array of NumPy or JAX.

    It is neither a list of arrays nor an image of another library nor a number.

    Raises:
        InputError: naming the type and how to make an array of it; or as ``check_usable``.
    """
    if all(hasattr(value, attribute) for attribute in ("ndim", "shape", "dtype")):
        check_usable(value, name=name)
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):  # type: ignore[attr-defined]
            raise InputError(f"{name}: expected numbers, got random keys")
        return
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        advice = (
            "join them with np.stack"
            if len(value) and hasattr(value[0], "shape")
            else "use np.asarray"
        )
    elif hasattr(value, "__array_interface__"):
        advice = "use np.asarray(image, np.float32) / 255, with [..., None] where it is grey"
    else:
        advice = "use np.asarray, or read it with cfx_jax.data"
    raise InputError(
        f"{name}: expected an array of NumPy or JAX, got {type(value).__name__}: {advice}"
    )


def check_dtype(array: AnyArray, *, name: str) -> None:
    """Checks for float32 or float64, the dtypes in which projections are exact enough."""
    if array.dtype not in (jnp.float32, jnp.float64):
        hint = (
            "divide by 255 and cast to float32"
            if jnp.issubdtype(array.dtype, jnp.integer)
            else "cast it"
        )
        raise InputError(f"{name}: expected dtype float32, got {array.dtype}: {hint}")


def check_unit_range(array: AnyArray, *, name: str) -> None:
    """Checks that there are values and, where they are known, that all are finite and in [0, 1]."""
    if not array.size:
        raise InputError(f"{name}: expected at least one pixel, got shape {array.shape}")
    if not is_concrete(array):
        return
    values = np.asarray(array)
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise InputError(
            f"{name}: expected finite values, got NaN or infinity: remove or repair these pixels"
        )
    if low < 0 or high > 1:
        raise InputError(
            f"{name}: expected values in [0, 1], got [{low:g}, {high:g}]: rescale before the call"
        )
