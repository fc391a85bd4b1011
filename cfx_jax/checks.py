"""Checks of what a user hands in, made before anything is traced.

Shapes, ranks and dtypes are checked always; values (range, NaN) only where they are at hand, that is outside of
``jit``, ``vmap`` and ``grad``. Every check raises ``InputError`` with one line.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import shape_of
from cfx_jax.errors import InputError
from cfx_jax.programs import compiled


def is_concrete(value: object) -> bool:
    """Whether ``value`` holds numbers now, rather than standing for them while a function is traced."""
    return not isinstance(value, jax.core.Tracer)


def check_image(image: Float[AnyArray, "h w c"], *, name: str = "image") -> None:
    """Checks one image: rank 3, float32 (or float64), finite and inside [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    if getattr(image, "ndim", None) != 3:
        hint = "; use jax.vmap or the batched function for several images, attributions.over_slices for a volume"
        raise InputError(
            f"{name}: expected one image (h, w, c), got shape {np.shape(image)}{hint if np.ndim(image) == 4 else ''}"
        )
    check_dtype(image, name=name)
    check_unit_range(image, name=name)


def check_volume(volume: Float[AnyArray, "s h w c"], *, name: str = "volume") -> None:
    """Checks one volume: rank 4, at least one slice, float32 (or float64), finite and inside [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    if getattr(volume, "ndim", None) != 4 or not volume.shape[0]:
        raise InputError(
            f"{name}: expected one volume (s, h, w, c) of at least one slice, got shape {np.shape(volume)}"
        )
    check_dtype(volume, name=name)
    check_unit_range(volume, name=name)


def check_picture(picture: Float[AnyArray, "*s h w c"], *, name: str = "image") -> None:
    """Checks one image or one volume, for methods that treat every pixel alike.

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    if getattr(picture, "ndim", None) not in (3, 4):
        raise InputError(
            f"{name}: expected one image (h, w, c) or one volume (s, h, w, c), got shape {np.shape(picture)}: use jax.vmap"
            " for several"
        )
    check_dtype(picture, name=name)
    check_unit_range(picture, name=name)


def check_images(images: Float[AnyArray, "n h w c"], *, name: str = "images") -> None:
    """Checks a batch of images: rank 4, at least one, float32 (or float64), finite and inside [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    if getattr(images, "ndim", None) != 4:
        raise InputError(f"{name}: expected a batch of images (n, h, w, c), got shape {np.shape(images)}")
    if images.shape[0] == 0:
        raise InputError(f"{name}: expected at least one image, got an empty batch of shape {images.shape}")
    check_dtype(images, name=name)
    check_unit_range(images, name=name)


def check_dtype(array: AnyArray, *, name: str) -> None:
    """Checks for float32 or float64, the dtypes in which projections are exact enough."""
    if array.dtype not in (jnp.float32, jnp.float64):
        hint = "divide by 255 and cast to float32" if jnp.issubdtype(array.dtype, jnp.integer) else "cast it"
        raise InputError(f"{name}: expected dtype float32, got {array.dtype}: {hint}")


def check_unit_range(array: AnyArray, *, name: str) -> None:
    """Checks that there are values and, where they are at hand, that all are finite and in [0, 1]."""
    if not array.size:
        raise InputError(f"{name}: expected at least one pixel, got shape {array.shape}")
    if not is_concrete(array):
        return
    values = np.asarray(array)
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise InputError(f"{name}: expected finite values, got NaN or infinity: remove or repair these pixels")
    if low < 0 or high > 1:
        raise InputError(f"{name}: expected values in [0, 1], got [{low:g}, {high:g}]: rescale before the call")


def check_target(target: int | AnyArray, num_classes: int, *, name: str = "target") -> None:
    """Checks that a class index, or each of an array of them, is one of the classes.

    Args:
        target: one index, or an array of them; may be traced, then only its dtype is checked.
        num_classes: how many classes there are.
        name: what the message calls it.

    Raises:
        InputError: the index is no integer or names no class.
    """
    if not jnp.issubdtype(jnp.result_type(target), jnp.integer):
        raise InputError(f"{name}: expected a class index (integer), got dtype {jnp.result_type(target)}")
    if not is_concrete(target):
        return
    outside = np.extract((np.asarray(target) < 0) | (np.asarray(target) >= num_classes), target)
    if outside.size:
        raise InputError(
            f"{name}: expected a class in 0..{num_classes - 1}, got {outside[0]}: the classifier has {num_classes} classes"
        )


def num_classes(classifier: Callable[[Array], Array], image: AnyArray) -> int:
    """The number of logits that ``classifier`` gives for one image, found without computing them.

    Args:
        classifier: one image ``(h, w, c)`` -> logits ``(k,)``.
        image: an image, or anything of its shape and dtype.

    Raises:
        InputError: the classifier does not return a vector of at least two logits.
    """
    logits = _logits_of(classifier, jax.ShapeDtypeStruct(image.shape, image.dtype))
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 1 or shape[0] < 2:
        raise InputError(
            f"classifier: expected one image -> logits (k,) with k >= 2, got {shape if shape is not None else type(logits)}"
            ": wrap a batched model with models.per_image"
        )
    return shape[0]


def _logits_of(classifier: Callable[[Array], Array], image: jax.ShapeDtypeStruct) -> Any:
    """The shape and dtype of what a classifier gives."""
    return shape_of(classifier, image)


def check_classifier(classifier: Callable[[Array], Array], images: Float[AnyArray, "n h w c"]) -> None:
    """Checks a classifier on a few images: finite logits, and logits rather than probabilities.

    Args:
        classifier: one image ``(h, w, c)`` -> logits ``(k,)``.
        images: a few images, values in [0, 1]. Inside of ``jit`` only the output's shape is checked.

    Raises:
        InputError: the output is NaN or infinite, or sums to 1 over the classes with no value outside [0, 1].
    """
    num_classes(classifier, images[0])
    found = compiled(_logits, classifier, jnp.asarray(images))
    if not is_concrete(found):
        return
    logits = np.asarray(found, np.float64)
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        raise InputError(
            f"classifier: expected finite logits, got NaN or infinity on {bad} of {len(logits)} images: check the"
            " weights and the normalisation inside the model"
        )
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-4):
        raise InputError(
            "classifier: expected logits, got probabilities (non-negative, sum 1): return the values before the softmax,"
            " or their logarithm"
        )


def _logits(classifier: Callable[[Array], Array], images: Array) -> Array:
    return jax.vmap(classifier)(images)


def check_choice(value: object, choices: Sequence[object], *, name: str) -> None:
    """Checks that an option is one of its valid choices.

    Args:
        value: what was given.
        choices: what may be given.
        name: what the message calls it.

    Raises:
        InputError: listing the valid choices.
    """
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def check_num_steps(num_steps: int) -> None:
    """Checks that a number of steps is an integer of at least 1.

    Raises:
        InputError: giving the number.
    """
    check_count(num_steps, name="num_steps")


def check_count(value: int | None, *, name: str, or_none: bool = False) -> None:
    """Checks that a number of steps, nodes or samples is an integer of at least 1.

    Args:
        value: what was given.
        name: what the message calls it.
        or_none: whether None, for all of them, is valid too.

    Raises:
        InputError: giving the number.
    """
    if or_none and value is None:
        return
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{name}: expected an integer of at least 1, got {value!r}")


def check_positive(value: float | AnyArray, *, name: str) -> None:
    """Checks that a number is finite and above zero, where its value is at hand.

    Raises:
        InputError: giving the value.
    """
    if is_concrete(value) and not (np.isfinite(value).all() and (np.asarray(value) > 0).all()):
        raise InputError(f"{name}: expected a finite number above 0, got {value}")
