"""Checks of classifiers, and of the indices of their classes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray, check_usable
from cfx_jax.checks.images import check_array
from cfx_jax.checks.options import check_callable, is_concrete, shape_and_dtype
from cfx_jax.compilation import compiled, shape_of
from cfx_jax.errors import InputError


def check_target(target: int | AnyArray, num_classes: int, *, name: str = "target") -> None:
    """Checks the index of one class.

    Args:
        target: an integer; may be traced, then only its dtype and shape are checked.
        num_classes: how many classes there are.
        name: the argument's name in messages.

    Raises:
        InputError: the index is no integer, not one alone, or names no class.
    """
    shape, _ = shape_and_dtype(target)
    if shape != ():
        raise InputError(
            f"{name}: expected one class, 0..{num_classes - 1}, got shape {shape}: give a single"
            " integer"
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
        name: the arguments' name in messages.

    Returns:
        The indices as an array.

    Raises:
        InputError: another number of them, or one that is no integer or names no class.
    """
    shape, _ = shape_and_dtype(targets)
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
        name: the arguments' name in messages.

    Raises:
        InputError: they are no integers, or one names no class.
    """
    check_usable(classes, name=name)
    _, dtype = shape_and_dtype(classes)
    if not jnp.issubdtype(dtype, jnp.integer):
        came = repr(classes) if isinstance(classes, str | float | bool) else f"dtype {dtype}"
        raise InputError(
            f"{name}: expected a class index (integer), got {came}: classes are the numbers"
            f" 0..{num_classes - 1}, in the order of the logits"
        )
    if not is_concrete(classes):
        return
    outside = np.extract((np.asarray(classes) < 0) | (np.asarray(classes) >= num_classes), classes)
    if outside.size:
        raise InputError(
            f"{name}: expected a class in 0..{num_classes - 1}, got {outside[0]}: the classifier"
            f" has {num_classes} classes"
        )


def num_classes(classifier: Callable[[Array], Array], image: AnyArray) -> int:
    """The number of logits that ``classifier`` returns for one image, found without computing them.

    Args:
        classifier: one image ``(h, w, c)`` -> logits ``(k,)``.
        image: an image, or anything of its shape and dtype.

    Raises:
        InputError: the classifier does not return a vector of at least two logits.
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    check_array(image, name="image")
    return number_of_logits(_logits_of(classifier, jax.ShapeDtypeStruct(image.shape, image.dtype)))


def number_of_logits(logits: Any) -> int:
    """The number k of one image's logits, after a check that they are logits of k >= 2 classes.

    Args:
        logits: the output of a classifier for one image, or only its shape and dtype; may be
            traced.

    Raises:
        InputError: anything but a vector of at least two floating-point numbers.
    """
    check_usable(logits, name="logits")
    shape, dtype = getattr(logits, "shape", None), getattr(logits, "dtype", None)
    if shape is None or dtype is None or len(shape) != 1 or shape[0] < 2:
        if shape in ((), (1,)):
            advice = (
                "models.two_logits makes a classifier of two classes of a network with one logit"
            )
        else:
            advice = "wrap a batched model with models.per_image"
        raise InputError(
            "classifier: expected one image -> logits (k,) with k >= 2, got"
            f" {shape if shape is not None else type(logits)}: {advice}"
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise InputError(
            f"classifier: expected logits of a floating-point dtype, got {dtype}: whole numbers"
            " have no gradient; return the values before they are rounded or compared"
        )
    return shape[0]


def _logits_of(classifier: Callable[[Array], Array], image: jax.ShapeDtypeStruct) -> Any:
    """The shape and dtype of a classifier's output."""
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
    outputs = compiled(_logits, classifier, jnp.asarray(images))
    if not is_concrete(outputs):
        return
    logits = np.asarray(outputs, np.float64)
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        raise InputError(
            f"classifier: expected finite logits, got NaN or infinity on {bad} of {len(logits)}"
            " images: check the weights and the normalisation inside the model"
        )
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-4):
        raise InputError(
            "classifier: expected logits, got probabilities (non-negative, sum 1): return the"
            " values before the softmax, or their logarithm"
        )


def _logits(classifier: Callable[[Array], Array], images: Array) -> Array:
    return jax.vmap(classifier)(images)
