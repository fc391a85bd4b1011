"""A classifier of two classes out of one of several: some classes against some others.

Generators of counterfactuals need two classes. The probability of a side is the sum of its classes'
probabilities, given that the image is of one of the two sides. Its logit is the logsumexp of the
classes' logits, so of a classifier of two classes the sides (0,) and (1,) are the classifier
itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import as_numpy, check_callable, check_integer
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier

Sides = tuple[tuple[int, ...], tuple[int, ...]]
"""The classes of side 0, and the classes of side 1."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class TwoSides:
    """A classifier of two sides; a pytree.

    Attributes:
        classifier: one image -> the logits of all classes.
        sides: the classes of side 0 and of side 1; other sides compile anew.
    """

    classifier: Classifier
    sides: Sides = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "h w c"]) -> Float[Array, "2"]:
        """Computes the two logits of one image."""
        logits = self.classifier(image)
        largest = max(max(side) for side in self.sides)
        if jnp.ndim(logits) != 1 or len(logits) <= largest:
            raise InputError(
                f"classifier: expected one image -> more than {largest} logits, got shape"
                f" {jnp.shape(logits)}"
            )
        joined = [_joined(at_least_float32(logits), side) for side in self.sides]
        return jnp.stack(joined)


def two_sides(classifier: Classifier, side_0: Sequence[int], side_1: Sequence[int]) -> TwoSides:
    """Turns a classifier of several classes into one of two sides.

    Args:
        classifier: one image -> logits ``(k,)``.
        side_0: the classes that become class 0.
        side_1: the classes that become class 1. Classes of neither side are left aside.

    Returns:
        The classifier, image -> two logits, a pytree with the given one's weights as leaves.

    Raises:
        InputError: a side without classes, a class twice or below 0; when called, one that the
            classifier has not.

    >>> classifier = lambda image: jnp.log(jnp.array([0.5, 0.3, 0.2]))
    >>> one_against_the_rest = two_sides(classifier, (0, 2), (1,))
    >>> [round(float(p), 3) for p in jnp.exp(one_against_the_rest(jnp.zeros((4, 4, 1))))]
    [0.7, 0.3]
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    for side in (side_0, side_1):
        if isinstance(side, str) or as_numpy(side, name="sides").ndim != 1:
            raise InputError(f"sides: expected the classes of each side in a list, got {side!r}")
    sides = (tuple(side_0), tuple(side_1))
    for side in sides:
        if not side:
            raise InputError("sides: expected one class or more on each side, got none")
        for number in side:
            check_integer(number, name="sides", at_least=0)
    classes = [*sides[0], *sides[1]]
    if len(set(classes)) < len(classes):
        raise InputError(f"sides: expected each class once, got {sides[0]} and {sides[1]}")
    return TwoSides(as_pytree(classifier), sides)


def _joined(logits: Float[Array, " k"], side: tuple[int, ...]) -> Float[Array, ""]:
    # Of one class the logit itself, so that nothing is rounded.
    return logits[side[0]] if len(side) == 1 else jax.nn.logsumexp(logits[jnp.array(side)])
