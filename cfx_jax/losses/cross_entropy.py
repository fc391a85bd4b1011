"""Cross-entropy of a classifier's logits with class labels, with a weight for each class."""

import reprlib

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import as_numpy, check_array, check_classes, check_count
from cfx_jax.errors import InputError
from cfx_jax.losses.checks import check_alike


def cross_entropy(
    logits: Float[Array, "b k"],
    labels: Int[Array, " b"],
    *,
    class_weights: Float[AnyArray, " k"] | None = None,
) -> Float[Array, ""]:
    """Computes the mean of ``-log softmax(logits)[label]`` over a batch, in nats.

    Args:
        logits: any finite scale, the log-softmax is taken in its stable form.
        labels: class indices in 0..k-1; traced ones that name no class return NaN.
        class_weights: the factor on an image's term, by its label; None for 1. The mean is still
            over the number of images, as in Keras, so that a batch weighs as much as its images do.

    Returns:
        The mean in nats, at least 0.

    Raises:
        InputError: another number of weights than of classes, or labels that name no class.

    >>> round(float(cross_entropy(jnp.zeros((2, 2)), jnp.array([0, 1]))), 3)
    0.693
    """
    terms = -log_probability_of(logits, labels)
    if class_weights is None:
        return terms.mean()
    check_array(class_weights, name="class_weights")
    if class_weights.shape != logits.shape[1:]:
        raise InputError(
            f"class_weights: expected one for each of the {logits.shape[1]} classes, got shape"
            f" {class_weights.shape}"
        )
    return (jnp.asarray(class_weights, terms.dtype)[labels] * terms).mean()


def log_probability_of(logits: Float[Array, "b k"], labels: Int[Array, " b"]) -> Float[Array, " b"]:
    """Computes ``log softmax(logits)[label]`` of each row, in nats.

    Args:
        logits: any finite scale, the log-softmax is taken in its stable form.
        labels: class indices in 0..k-1; traced ones that name no class return NaN, in value and
            gradient.

    Raises:
        InputError: labels that name no class, or not one for each row.
    """
    check_alike(logits=logits, ndim=2)
    check_classes(labels, logits.shape[1], name="labels")
    labels = jnp.asarray(labels)
    if labels.shape != logits.shape[:1]:
        raise InputError(
            f"labels: expected one for each of {len(logits)} rows, got shape {labels.shape}"
        )
    exists = jnp.where((labels >= 0) & (labels < logits.shape[1]), 1, jnp.nan).astype(logits.dtype)
    return (
        jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1, mode="clip")[:, 0]
        * exists
    )


def inverse_frequency(labels: Int[np.ndarray, " n"], num_classes: int) -> Float[np.ndarray, " k"]:
    """Computes weights that make each class count alike: ``n / (k n_c)``, with mean 1 over images.

    Args:
        labels: the labels of the training images, in 0..k-1.
        num_classes: k.

    Returns:
        float32 weights, inversely proportional to the classes' frequencies.

    Raises:
        InputError: a class without images.

    >>> inverse_frequency(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    check_count(num_classes, name="num_classes")
    given = as_numpy(labels, name="labels")
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise InputError(f"labels: expected integers (n,), got {reprlib.repr(labels)}")
    counts = np.bincount(labels, minlength=num_classes)
    if not counts.all() or len(counts) > num_classes:
        raise InputError(
            f"labels: expected images of each of the {num_classes} classes, got"
            f" {reprlib.repr(counts.tolist())}: leave out the weights, or add images"
        )
    return (len(labels) / (num_classes * counts)).astype(np.float32)
