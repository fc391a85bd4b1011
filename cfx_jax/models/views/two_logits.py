"""Networks with one logit and a sigmoid, as classifiers of two classes.

``softmax((0, z)) = (1 - sigmoid(z), sigmoid(z))``: the probabilities, their logarithms and all
gradients equal the sigmoid's, and the log-odds of class 1 are z itself.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.checks import check_callable
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError


def two_logits(network: Callable[[Float[Array, "*s h w c"]], Float[Array, "*one"]]) -> Partial:
    """Turns a network of one logit into a classifier of two classes.

    Give the value before the sigmoid. A probability in its place is a logit too, of another
    classifier; ``diagnosis`` warns of logits that stay in [0, 1].

    Args:
        network: one image -> the logit of class 1, a scalar or ``(1,)``, such as ``per_image`` of a
            model with one output.

    Returns:
        The classifier, image -> logits ``(0, z)``, a pytree with the network's weights as leaves.

    Raises:
        InputError: when called, an output of another shape.

    >>> two_logits(lambda image: image.mean())(jnp.ones((4, 4, 1))).tolist()
    [0.0, 1.0]
    """
    check_callable(network, name="network", gives="one image -> one logit")
    return Partial(_with_zero, as_pytree(network))


def _with_zero(
    network: Callable[[Array], Array], image: Float[Array, "*s h w c"]
) -> Float[Array, "2"]:
    logit = network(image)
    if jnp.shape(logit) not in ((), (1,)):
        raise InputError(
            f"network: expected one image -> one logit, shape () or (1,), got {jnp.shape(logit)}: a"
            " network of several logits is a classifier already; wrap one of batches with"
            " models.per_image"
        )
    return jnp.append(jnp.zeros_like(logit), logit)
