"""A classifier of two classes out of one label of a multi-label network.

Each label of such a network has a sigmoid of its own. Multi-label networks give one logit for each
label; so do binary ones with two sigmoids, whose second output is the label that is explained
(Singla et al. 2020, code). See ``two_logits`` for why ``(0, z)`` is the same classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.checks import check_callable, check_integer
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class OneLabel:
    """A classifier of one label; a pytree.

    Attributes:
        network: one image -> the logits of all labels.
        label: the one; another label compiles anew.
    """

    network: Callable[[Array], Array]
    label: int = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "*s h w c"]) -> Float[Array, "2"]:
        """Computes the two logits of one image, 0 and the label's own."""
        logits = self.network(image)
        if jnp.ndim(logits) != 1 or len(logits) <= self.label:
            raise InputError(
                f"network: expected one image -> one logit for each label, more than {self.label}"
                f" of them, got shape {jnp.shape(logits)}: wrap a model of batches with"
                " models.per_image"
            )
        return jnp.stack([jnp.zeros_like(logits[0]), logits[self.label]])


def one_label(
    network: Callable[[Float[Array, "*s h w c"]], Float[Array, " k"]], label: int
) -> OneLabel:
    """Turns a network of several independent labels into the classifier of one of them.

    Args:
        network: one image -> the logits of the labels, ``(k,)``, such as ``per_image`` of a
            multi-label model. Give the values before the sigmoids; a softmax over several classes
            is another thing, and a classifier already.
        label: which one, in 0..k-1.

    Returns:
        The classifier, image -> logits ``(0, z_label)``, a pytree with the network's weights as
        leaves.

    Raises:
        InputError: a negative label, or, when called, one that the network has not or an output of
            another shape.

    >>> network = lambda image: jnp.array([-1.0, 3.0, 0.5])
    >>> one_label(network, 1)(jnp.zeros((4, 4, 1))).tolist()
    [0.0, 3.0]
    """
    check_callable(network, name="network", gives="one image -> the logits of all labels")
    check_integer(label, name="label", at_least=0)
    return OneLabel(as_pytree(network), label)
