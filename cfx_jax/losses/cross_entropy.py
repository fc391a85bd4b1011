"""Cross-entropy of a classifier's logits with class labels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(logits: Float[Array, "b k"], labels: Int[Array, " b"]) -> Float[Array, ""]:
    """Mean of ``-log softmax(logits)[label]`` over a batch.

    Args:
        logits: any finite scale, the log-softmax is taken in its stable form.
        labels: class indices in 0..k-1.

    Returns:
        The mean in nats, at least 0.
    """
    log_probability = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_probability, labels[:, None], axis=1).mean()
