"""Checks of what a user hands in, made before anything is traced.

Shapes, ranks and dtypes are checked always; values (range, NaN) only where they are at hand, that
is outside of ``jit``, ``vmap`` and ``grad``. Every check raises ``InputError`` with one line.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import shape_of
from cfx_jax.errors import InputError
from cfx_jax.programs import compiled


def is_concrete(value: object) -> bool:
    """Whether ``value`` holds numbers now, rather than standing for them while a function is
    traced.
    """
    return not isinstance(value, jax.core.Tracer)


def check_image(image: Float[AnyArray, "h w c"], *, name: str = "image") -> None:
    """Checks one image: rank 3, float32 (or float64), finite and inside [0, 1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(image, name=name)
    if image.ndim != 3:
        hint = "; use jax.vmap or the batched function for several images, attributions.over_slices for a volume"
        raise InputError(
            f"{name}: expected one image (h, w, c), got shape"
            f" {np.shape(image)}{hint if np.ndim(image) == 4 else ''}"
        )
    check_dtype(image, name=name)
    check_unit_range(image, name=name)


def check_volume(volume: Float[AnyArray, "s h w c"], *, name: str = "volume") -> None:
    """Checks one volume: rank 4, at least one slice, float32 (or float64), finite and inside [0,
    1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(volume, name=name)
    if volume.ndim != 4 or not volume.shape[0]:
        raise InputError(
            f"{name}: expected one volume (s, h, w, c) of at least one slice, got shape"
            f" {np.shape(volume)}"
        )
    check_dtype(volume, name=name)
    check_unit_range(volume, name=name)


def check_picture(picture: Float[AnyArray, "*s h w c"], *, name: str = "image") -> None:
    """Checks one image or one volume, for methods that treat every pixel alike.

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(picture, name=name)
    if picture.ndim not in (3, 4):
        raise InputError(
            f"{name}: expected one image (h, w, c) or one volume (s, h, w, c), got shape"
            f" {np.shape(picture)}: use jax.vmap"
            " for several"
        )
    check_dtype(picture, name=name)
    check_unit_range(picture, name=name)


def check_images(images: Float[AnyArray, "n h w c"], *, name: str = "images") -> None:
    """Checks a batch of images: rank 4, at least one, float32 (or float64), finite and inside [0,
    1].

    Raises:
        InputError: naming what is wrong and how to mend it.
    """
    check_array(images, name=name)
    if images.ndim != 4:
        raise InputError(
            f"{name}: expected a batch of images (n, h, w, c), got shape {np.shape(images)}"
        )
    if images.shape[0] == 0:
        raise InputError(
            f"{name}: expected at least one image, got an empty batch of shape {images.shape}"
        )
    check_dtype(images, name=name)
    check_unit_range(images, name=name)


def check_array(value: object, *, name: str) -> None:
    """Checks for an array of NumPy or JAX, rather than a list of them, a picture of another
    library, or a number.

    Raises:
        InputError: naming the type and how to make an array of it.
    """
    if all(hasattr(value, attribute) for attribute in ("ndim", "shape", "dtype")):
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
    """Checks that there are values and, where they are at hand, that all are finite and in [0, 1]."""
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


def check_target(target: int | AnyArray, num_classes: int, *, name: str = "target") -> None:
    """Checks the index of one class.

    Args:
        target: an integer; may be traced, then only its dtype and shape are checked.
        num_classes: how many classes there are.
        name: what the message calls it.

    Raises:
        InputError: the index is no integer, not one alone, or names no class.
    """
    shape, _ = _shape_and_dtype(target)
    if shape != ():
        raise InputError(
            f"{name}: expected one class, 0..{num_classes - 1}, got shape {shape}: give a single"
            f" integer"
        )
    check_classes(target, num_classes, name=name)


def check_targets(
    targets: Sequence[int] | AnyArray, num_classes: int, *, count: int, name: str = "targets"
) -> Int[Array, " n"]:
    """The indices of one class for each of several images, after a check of them.

    Args:
        targets: integers; may be traced, then only their dtype and shape are checked.
        num_classes: how many classes there are.
        count: how many images there are.
        name: what the message calls them.

    Returns:
        The indices as an array.

    Raises:
        InputError: another number of them, or one that is no integer or names no class.
    """
    shape, _ = _shape_and_dtype(targets)
    if shape != (count,):
        raise InputError(
            f"{name}: expected one class for each of the {count} images, got shape {shape}"
        )
    check_classes(targets, num_classes, name=name)
    return jnp.asarray(targets)


def check_classes(classes: int | Sequence[int] | AnyArray, num_classes: int, *, name: str) -> None:
    """Checks indices of classes, in an array of any shape.

    Args:
        classes: integers; may be traced, then only their dtype is checked.
        num_classes: how many classes there are.
        name: what the message calls them.

    Raises:
        InputError: they are no integers, or one names no class.
    """
    _, dtype = _shape_and_dtype(classes)
    if not np.issubdtype(dtype, np.integer):
        came = repr(classes) if isinstance(classes, str | float | bool) else f"dtype {dtype}"
        raise InputError(
            f"{name}: expected a class index (integer), got {came}: classes are the numbers"
            f" 0..{num_classes - 1}, in the"
            " order of the logits"
        )
    if not is_concrete(classes):
        return
    outside = np.extract((np.asarray(classes) < 0) | (np.asarray(classes) >= num_classes), classes)
    if outside.size:
        raise InputError(
            f"{name}: expected a class in 0..{num_classes - 1}, got {outside[0]}: the classifier"
            f" has {num_classes} classes"
        )


def _shape_and_dtype(value: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Those of an array, traced or not, or of what NumPy makes of a number, a text or a list."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return tuple(value.shape), value.dtype
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        return (), np.dtype(object)
    return array.shape, array.dtype


def num_classes(classifier: Callable[[Array], Array], image: AnyArray) -> int:
    """The number of logits that ``classifier`` gives for one image, found without computing them.

    Args:
        classifier: one image ``(h, w, c)`` -> logits ``(k,)``.
        image: an image, or anything of its shape and dtype.

    Raises:
        InputError: the classifier does not return a vector of at least two logits.
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    return number_of_logits(_logits_of(classifier, jax.ShapeDtypeStruct(image.shape, image.dtype)))


def number_of_logits(logits: Any) -> int:
    """The length k of one image's logits, after a check that they are logits of at least two
    classes.

    Args:
        logits: what a classifier gave for one image, or only its shape and dtype; may be traced.

    Raises:
        InputError: anything but a vector of at least two floating-point numbers.
    """
    shape, dtype = getattr(logits, "shape", None), getattr(logits, "dtype", None)
    if shape is None or dtype is None or len(shape) != 1 or shape[0] < 2:
        if shape in ((), (1,)):
            advice = (
                "models.two_logits makes a classifier of two classes of a network with one logit"
            )
        else:
            advice = "wrap a batched model with models.per_image"
        raise InputError(
            f"classifier: expected one image -> logits (k,) with k >= 2, got"
            f" {shape if shape is not None else type(logits)}"
            f": {advice}"
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise InputError(
            f"classifier: expected logits of a floating-point dtype, got {dtype}: whole numbers"
            f" have no gradient; return"
            " the values before they are rounded or compared"
        )
    return shape[0]


def _logits_of(classifier: Callable[[Array], Array], image: jax.ShapeDtypeStruct) -> Any:
    """The shape and dtype of what a classifier gives."""
    return shape_of(classifier, image)


def check_classifier(
    classifier: Callable[[Array], Array], images: Float[AnyArray, "n h w c"]
) -> None:
    """Checks a classifier on a few images: finite logits, and logits rather than probabilities.

    Args:
        classifier: one image ``(h, w, c)`` -> logits ``(k,)``.
        images: a few images, values in [0, 1]. Inside of ``jit`` only the output's shape is
            checked.

    Raises:
        InputError: the output is NaN or infinite, or sums to 1 over the classes with no value
            outside [0, 1].
    """
    num_classes(classifier, images[0])
    found = compiled(_logits, classifier, jnp.asarray(images))
    if not is_concrete(found):
        return
    logits = np.asarray(found, np.float64)
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        raise InputError(
            f"classifier: expected finite logits, got NaN or infinity on {bad} of {len(logits)}"
            f" images: check the"
            " weights and the normalisation inside the model"
        )
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-4):
        raise InputError(
            "classifier: expected logits, got probabilities (non-negative, sum 1): return the"
            " values before the softmax,"
            " or their logarithm"
        )


def _logits(classifier: Callable[[Array], Array], images: Array) -> Array:
    return jax.vmap(classifier)(images)


def check_callable(function: object, *, name: str, gives: str) -> None:
    """Checks for a function.

    Args:
        function: what was given.
        name: what the message calls it.
        gives: what it takes and gives, completing "expected a function of ...".

    Raises:
        InputError: naming the type that came.
    """
    if not callable(function):
        raise InputError(f"{name}: expected a function of {gives}, got {type(function).__name__}")


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
    check_integer(value, name=name, at_least=1)


def check_integer(value: object, *, name: str, at_least: int) -> None:
    """Checks that an option is an integer, of Python or NumPy, and not too small.

    Args:
        value: what was given.
        name: what the message calls it.
        at_least: the smallest that is valid.

    Raises:
        InputError: giving the value.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise InputError(f"{name}: expected an integer of at least {at_least}, got {value!r}")


def check_real(value: object, *, name: str) -> None:
    """Checks for real numbers, traced or not, rather than text, booleans or anything else.

    Raises:
        InputError: giving the value.
    """
    _, dtype = _shape_and_dtype(value)
    if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        raise InputError(f"{name}: expected a real number, got {value!r}")


def check_positive(value: float | AnyArray, *, name: str) -> None:
    """Checks for one number, finite and above zero, where its value is at hand.

    Raises:
        InputError: giving the value or the shape.
    """
    check_real(value, name=name)
    if np.shape(value) != ():
        raise InputError(f"{name}: expected one number, got shape {np.shape(value)}")
    _check_all_positive(value, name)


def check_at_least(
    value: float | AnyArray, least: float, *, name: str, below: float = math.inf
) -> None:
    """Checks for one finite number that is not too small, nor too large, where its value is at
    hand.

    Args:
        value: what was given.
        least: the smallest that is valid.
        name: what the message calls it.
        below: all valid ones are less than this.

    Raises:
        InputError: giving the value or the shape.
    """
    check_real(value, name=name)
    if np.shape(value) != ():
        raise InputError(f"{name}: expected one number, got shape {np.shape(value)}")
    if is_concrete(value) and not (np.isfinite(value) and least <= value < below):
        range_ = f"of at least {least}" if math.isinf(below) else f"in [{least}, {below})"
        raise InputError(f"{name}: expected a number {range_}, got {value}")


def check_number_or_one_each(value: float | AnyArray, count: int, *, name: str) -> None:
    """Checks for a finite number above zero for all of several images, or one for each.

    Args:
        value: what was given.
        count: how many images there are.
        name: what the message calls it.

    Raises:
        InputError: giving the value or the shape.
    """
    check_real(value, name=name)
    if np.shape(value) not in ((), (count,)):
        raise InputError(
            f"{name}: expected one number, or one for each of the {count} images, shape ({count},),"
            f" got shape"
            f" {np.shape(value)}"
        )
    _check_all_positive(value, name)


def _check_all_positive(value: float | AnyArray, name: str) -> None:
    if is_concrete(value) and not (np.isfinite(value).all() and (np.asarray(value) > 0).all()):
        raise InputError(f"{name}: expected a finite number above 0, got {value}")


def check_norm(p: float, *, name: str = "p") -> None:
    """Checks the order of an lp norm: a Python number of at least 1, or infinity.

    Raises:
        InputError: giving what came.
    """
    if not isinstance(p, Real) or isinstance(p, bool) or not p >= 1:
        advice = (
            "for p < 1 it is no norm"
            if isinstance(p, Real)
            else "give a Python number, math.inf for the maximum"
        )
        raise InputError(f"{name}: expected a norm with p >= 1 (or inf), got {p!r}: {advice}")


def check_key(key: object, *, or_none: bool = False) -> None:
    """Checks for one random key of JAX, new-style or old-style; may be traced.

    Args:
        key: what was given.
        or_none: whether None, for no randomness, is valid too.

    Raises:
        InputError: naming how to make a key.
    """
    if or_none and key is None:
        return
    shape, dtype = getattr(key, "shape", None), getattr(key, "dtype", None)
    new = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    old = dtype == jnp.uint32 and shape is not None and len(shape) == 1
    if not (new or old):
        came = repr(key) if shape is None else f"dtype {dtype} of shape {shape}"
        raise InputError(
            f"key: expected one random key, got {came}: make it with jax.random.key(seed)"
        )
