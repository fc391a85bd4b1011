"""A classifier that decides at another threshold than one half.

Charachon et al. 2020, section III.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.checks import check_callable, check_number, is_concrete
from cfx_jax.compilation import as_pytree, surrogates_of
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier, log_odds


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Thresholded:
    """A classifier of two classes with another threshold; a pytree.

    Attributes:
        classifier: image (h, w, c) -> two logits.
        threshold: the probability of class 1 from which it is decided, float32; a leaf.
    """

    classifier: Classifier
    threshold: Float[Array, ""]

    def __call__(self, image: Float[Array, "h w c"]) -> Float[Array, " 2"]:
        """Computes the logarithms of the two remapped probabilities of one image."""
        return _remap(self.classifier, self.threshold, image)

    @property
    def surrogates(self) -> tuple[Classifier, ...]:
        """The surrogates of the classifier: a threshold changes no direction of its gradients."""
        return surrogates_of(self.classifier)


def thresholded(classifier: Classifier, threshold: float | Float[Array, ""]) -> Thresholded:
    """Remaps the probability of class 1 so that a threshold becomes one half.

    The map is piecewise linear; 0 and 1 stay.

    Args:
        classifier: image (h, w, c) -> two logits.
        threshold: the probability of class 1 from which class 1 is decided, in (0, 1); 0.5 changes
            nothing.

    Returns:
        The classifier, image (h, w, c) -> the logarithms of the two remapped probabilities, which
        are logits too; a pytree with the threshold as a leaf.

    Raises:
        InputError: a threshold outside (0, 1), or (when called) another number of classes.

    >>> classifier = thresholded(lambda image: jnp.log(jnp.array([0.8, 0.2])), 0.2)
    >>> jnp.exp(classifier(jnp.zeros((4, 4, 1)))).round(3).tolist()
    [0.5, 0.5]
    """
    check_callable(classifier, name="classifier", gives="one image -> two logits")
    check_number(threshold, name="threshold")
    if is_concrete(threshold) and not 0 < threshold < 1:
        raise InputError(f"threshold: expected a probability in (0, 1), got {threshold}")
    return Thresholded(as_pytree(classifier), jnp.asarray(threshold, jnp.float32))


def _remap(
    classifier: Classifier, threshold: Float[Array, ""], image: Float[Array, "h w c"]
) -> Float[Array, " 2"]:
    logits = classifier(image)
    if logits.shape != (2,):
        raise InputError(
            "classifier: expected two logits, since one threshold parts two classes, got"
            f" {logits.shape}: models.two_logits makes them of one"
        )
    odds = log_odds(logits, 1)
    # The class below its threshold has p / (2 t); the other's is taken from it, so that nothing
    # cancels.
    below = odds < jnp.log(threshold) - jnp.log1p(-threshold)
    smaller = -jax.nn.softplus(jnp.where(below, -odds, odds)) - jnp.log(
        2 * jnp.where(below, threshold, 1 - threshold)
    )
    # At the threshold itself the smaller is one half up to rounding, never above it.
    smaller = jnp.minimum(smaller, -jnp.log(2.0))
    larger = jnp.log1p(-jnp.exp(smaller))
    return jnp.where(below, jnp.stack([larger, smaller]), jnp.stack([smaller, larger]))
