"""Cross-entropy of a classifier's logits with class labels, each image with a weight.

A batch's mean is divided by the sum of its weights, as in PyTorch, so that a batch with many images
of a rare class counts no more than another; ``losses.cross_entropy`` divides by the number of
images.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_array
from cfx_jax.errors import InputError
from cfx_jax.losses.cross_entropy import log_probability_of


def weighted_cross_entropy(
    logits: Float[Array, "b k"], labels: Int[Array, " b"], weights: Float[Array, " b"]
) -> Float[Array, ""]:
    """Computes the mean of ``-log softmax(logits)[label]`` over a batch, weighted by image.

    Args:
        logits: any finite scale, the log-softmax is taken in its stable form.
        labels: class indices in 0..k-1.
        weights: the weight of each image, at least 0.

    Returns:
        The sum of weighted terms over the sum of weights, in nats; 0 where no image has a weight.

    Raises:
        InputError: another number of weights than of images, or labels that name no class.

    >>> logits = jnp.array([[0.0, 0.0], [9.0, 0.0]])
    >>> loss = weighted_cross_entropy(logits, jnp.array([0, 0]), jnp.array([1.0, 0.0]))
    >>> round(float(loss), 3)
    0.693
    """
    check_array(labels, name="labels")
    if labels.ndim != 1:
        raise InputError(f"labels: expected a class for each image (b,), got shape {labels.shape}")
    check_array(weights, name="weights")
    if weights.shape != labels.shape:
        raise InputError(
            f"weights: expected one for each of the {labels.shape[0]} images, got shape"
            f" {weights.shape}"
        )
    terms = -log_probability_of(logits, labels)
    total = weights.sum()
    return (weights * terms).sum() / jnp.where(total > 0, total, 1)
