"""Functions of a classifier of two classes: its decision, the probability of class 1, its bins."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    check_array,
    check_callable,
    check_image,
    check_integer,
    check_real,
    is_concrete,
    num_classes,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, decision, log_odds


def decided_class(classifier: Classifier, image: Float[Array, "h w c"]) -> Int[Array, ""]:
    """The class that a classifier of two classes decides on, 1 from a probability of one half.

    Args:
        classifier: one image -> two logits; ``models.thresholded`` makes one that decides at
            another probability.
        image: values in [0, 1].

    Returns:
        0 or 1, int32.

    Raises:
        InputError: no valid image, or a classifier that has not two classes.

    Example:
        >>> int(decided_class(lambda image: jnp.stack([0.5, image.mean()]), jnp.ones((2, 2, 1))))
        1
    """
    check_image(image)
    classes = num_classes(classifier, image)
    if classes != 2:
        raise InputError(
            f"classifier: expected two classes, since each has a generator, got {classes}"
        )
    return decision(compiled(classifier, image))


def class_1_probability(classifier: Classifier, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    """The probability of class 1, f(x).

    Args:
        classifier: one image -> two logits.
        image: values in [0, 1].

    Raises:
        InputError: the classifier is no function, or the image no array.

    Example:
        >>> classifier = lambda image: jnp.stack([0.5, image.mean()])
        >>> float(class_1_probability(classifier, jnp.full((2, 2, 1), 0.5)))
        0.5
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (2,)")
    check_array(image, name="image")
    return jax.nn.sigmoid(log_odds(classifier(image), 1))


def probability_bin(
    probability: Float[Array, "*shape"], *, num_bins: int = 10
) -> Int[Array, "*shape"]:
    """The bin that a probability is in: ``[k / K, (k + 1) / K)``, the last one closed.

    Args:
        probability: in [0, 1], binned in its own dtype: float32 0.7 is in bin 7 of 10.
        num_bins: K, at least 2.

    Returns:
        int32 in [0, K).

    Raises:
        InputError: fewer than two bins, or a probability outside of [0, 1].

    Example:
        >>> probability_bin(jnp.array([0.0, 0.25, 1.0]), num_bins=4).tolist()
        [0, 1, 3]
    """
    check_integer(num_bins, name="num_bins", at_least=2)
    check_real(probability, name="probability")
    probability = jnp.asarray(probability)
    if is_concrete(probability) and not ((probability >= 0) & (probability <= 1)).all():
        raise InputError(
            "probability: expected values in [0, 1], got others or NaN: give those of class 1"
        )
    return jnp.minimum((probability * num_bins).astype(jnp.int32), num_bins - 1)


def bin_centres(num_bins: int) -> Float[Array, " k"]:
    """The desired probability of each bin, ``(k + 1/2) / K``.

    Args:
        num_bins: K, at least 2.

    Raises:
        InputError: fewer than two bins.

    Example:
        >>> bin_centres(4).tolist()
        [0.125, 0.375, 0.625, 0.875]
    """
    check_integer(num_bins, name="num_bins", at_least=2)
    return (jnp.arange(num_bins) + 0.5) / num_bins


def check_two_classes(classifier: Classifier, image: Float[AnyArray, "h w c"]) -> None:
    """Checks that a classifier has the two classes between which the probability of class 1 rises.

    Raises:
        InputError: the classifier has not two classes.

    Example:
        >>> check_two_classes(lambda image: jnp.zeros(3), jnp.ones((2, 2, 1)))
        Traceback (most recent call last):
        ...
        cfx_jax.errors.InputError: classifier: expected two logits, whose class 1 is explained, ...
    """
    classes = num_classes(classifier, image)
    if classes != 2:
        raise InputError(
            f"classifier: expected two logits, whose class 1 is explained, got {classes}:"
            " models.one_label explains one label of a network of several"
        )
