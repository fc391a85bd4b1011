"""Temperature scaling of a classifier.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.checks import check_callable, check_positive
from cfx_jax.compilation import as_pytree, surrogates_of
from cfx_jax.objectives import Classifier


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Calibrated:
    """A classifier whose logits are divided by a temperature; a pytree.

    Attributes:
        classifier: image (h, w, c) -> logits (k,).
        temperature: above 0, float32; a leaf.
    """

    classifier: Classifier
    temperature: Float[Array, ""]

    def __call__(self, image: Float[Array, "h w c"]) -> Float[Array, " k"]:
        """Computes the logits of one image."""
        return self.classifier(image) / self.temperature

    @property
    def surrogates(self) -> tuple[Classifier, ...]:
        """The surrogates of the classifier: a temperature changes no direction of its gradients."""
        return surrogates_of(self.classifier)


def calibrated(classifier: Classifier, temperature: float | Float[Array, ""]) -> Calibrated:
    """Divides a classifier's logits by a temperature; the predicted class stays.

    Args:
        classifier: image (h, w, c) -> logits (k,).
        temperature: above 0; 1 changes nothing, more makes the classifier less confident. See
            ``metrics.fit_temperature``.

    Returns:
        The calibrated classifier, image (h, w, c) -> logits (k,), a pytree with the temperature as
        a leaf.

    Raises:
        InputError: no function, or a temperature that is not a positive finite number.

    >>> classifier = calibrated(lambda image: image.mean() * jnp.array([2.0, 4.0]), 2.0)
    >>> classifier(jnp.ones((4, 4, 1))).tolist()
    [1.0, 2.0]
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    check_positive(temperature, name="temperature")
    return Calibrated(as_pytree(classifier), jnp.asarray(temperature, jnp.float32))


def uncalibrated(classifier: Classifier) -> Classifier:
    """Returns the classifier before ``calibrated``; any other classifier as it is."""
    return uncalibrated(classifier.classifier) if isinstance(classifier, Calibrated) else classifier
