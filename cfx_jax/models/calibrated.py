"""Temperature scaling of a classifier (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2)."""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_positive
from cfx_jax.objectives import Classifier


def calibrated(classifier: Classifier, temperature: float | Float[Array, ""]) -> Partial:
    """Divides a classifier's logits by a temperature; the predicted class stays.

    Args:
        classifier: image (h, w, c) -> logits (k,).
        temperature: above 0; 1 changes nothing, more makes the classifier less confident. See
            ``metrics.fit_temperature``.

    Returns:
        The calibrated classifier, image (h, w, c) -> logits (k,), a pytree with the temperature as a leaf.

    Raises:
        InputError: the temperature is not a positive finite number.
    """
    check_positive(temperature, name="temperature")
    return Partial(_scale, as_pytree(classifier), jnp.asarray(temperature, jnp.float32))


def _scale(classifier: Classifier, temperature: Float[Array, ""], image: Float[Array, "h w c"]) -> Float[Array, "k"]:
    return classifier(image) / temperature
