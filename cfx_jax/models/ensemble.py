"""The ensemble of classifiers that averages their probabilities (Boreiko et al. 2022, section 2).

p(k | x) = (1/M) sum_m p_m(k | x), given as logits log p(k | x) = logsumexp_m(log_softmax(z_m))_k - log M. In this
form values and gradients stay finite where a probability rounds to 0 or 1. The published code takes the logarithm
of the averaged softmax, which gives -inf and NaN there.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.callables import as_pytree
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier


def ensemble(classifiers: Sequence[Classifier]) -> Partial:
    """Averages the probabilities of classifiers.

    Args:
        classifiers: at least one, each image (h, w, c) -> logits (k,) with the same k, calibrated beforehand.

    Returns:
        The ensemble, image (h, w, c) -> log-probabilities (k,), which are logits too; a pytree.

    Raises:
        InputError: no classifier, or (when called) logits of different shapes.
    """
    if not isinstance(classifiers, Sequence) or not classifiers:
        raise InputError(f"classifiers: expected a list of at least one, got {classifiers!r}")
    return Partial(_average, tuple(as_pytree(classifier) for classifier in classifiers))


def _average(classifiers: tuple[Classifier, ...], image: Float[Array, "h w c"]) -> Float[Array, "k"]:
    logits = [classifier(image) for classifier in classifiers]
    shapes = {each.shape for each in logits}
    if len(shapes) > 1:
        raise InputError(f"classifiers: expected the same number of classes from each, got logits {sorted(shapes)}")
    log_probabilities = jax.nn.log_softmax(jnp.stack(logits), axis=-1)
    return jax.nn.logsumexp(log_probabilities, axis=0) - jnp.log(float(len(logits)))
