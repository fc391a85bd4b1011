"""Scalar objectives of one image, to be minimised, that do not saturate.

For two classes they depend on one number, the logit difference; in any case their gradients keep their direction and
their values their order where a probability has rounded to 0 or 1 in float32.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

Classifier = Callable[[Float[Array, "h w c"]], Float[Array, " k"]]


def log_odds(logits: Float[Array, " k"], target: Int[Array, ""] | int) -> Float[Array, ""]:
    """The logit of the target's probability, ``log p - log(1 - p)``.

    Args:
        logits: one image's.
        target: a class index; may be traced.
    """
    others = jnp.where(jnp.arange(logits.shape[0]) == target, -jnp.inf, logits)
    return logits[target] - jax.nn.logsumexp(others)


def negative_log_probability(
    classifier: Classifier, target: Int[Array, ""] | int
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """``-log p(target | image)``, the objective of a visual counterfactual (Boreiko et al. 2022, equation 3).

    Computed as ``softplus(-log_odds)``, whose gradient is not zero before p is within 1e-38 of 1.

    Args:
        classifier: one image -> logits ``(k,)``.
        target: a class index; may be traced.

    Returns:
        A function of one image, at least 0.
    """
    return lambda image: jax.nn.softplus(-log_odds(classifier(image), target))


def negative_margin(
    classifier: Classifier, label: Int[Array, ""] | int
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """``logit[label] - max of the others``: below 0 exactly where the image is misclassified.

    To minimise it is to attack. For two classes its gradient is a positive multiple of that of ``log p(label)``, so
    attacks whose steps are normalised follow the same path as with the log-probability, for every temperature.

    Args:
        classifier: one image -> logits ``(k,)``.
        label: the class to move away from; may be traced.

    Returns:
        A function of one image.
    """

    def margin(image: Float[Array, "h w c"]) -> Float[Array, ""]:
        logits = classifier(image)
        others = jnp.where(jnp.arange(logits.shape[0]) == label, -jnp.inf, logits)
        return logits[label] - others.max()

    return margin


def negative_divergence(
    classifier: Classifier, reference: Float[Array, " k"]
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """``-KL(reference || p(. | image))``: to minimise it is the inner problem of TRADES (Zhang et al. 2019).

    Args:
        classifier: one image -> logits ``(k,)``.
        reference: logits of the clean image, held fixed.

    Returns:
        A function of one image, at most 0.
    """
    log_reference = jax.nn.log_softmax(reference)

    def divergence(image: Float[Array, "h w c"]) -> Float[Array, ""]:
        return (jnp.exp(log_reference) * (jax.nn.log_softmax(classifier(image)) - log_reference)).sum()

    return divergence
