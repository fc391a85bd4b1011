"""The ensemble of classifiers that averages their probabilities (Boreiko et al. 2022, section 2).

p(k | x) = (1/M) sum_m p_m(k | x), given as logits log p(k | x) = logsumexp_m(log_softmax(z_m))_k -
log M. In this form values and gradients stay finite where a probability rounds to 0 or 1. The
published code takes the logarithm of the averaged softmax, which gives -inf and NaN there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cfx_jax.array_types import at_least_float32
from cfx_jax.compilation import as_pytree, surrogates_of
from cfx_jax.errors import InputError
from cfx_jax.models.views.calibrated import uncalibrated
from cfx_jax.objectives import Classifier


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Ensemble:
    """Classifiers whose probabilities are averaged; a pytree.

    Attributes:
        classifiers: its members, each image (h, w, c) -> logits (k,).
    """

    classifiers: tuple[Classifier, ...]

    def __call__(self, image: Float[Array, "h w c"]) -> Float[Array, " k"]:
        """Computes the logarithms of the averaged probabilities of one image."""
        logits = [classifier(image) for classifier in self.classifiers]
        shapes = {member.shape for member in logits}
        if len(shapes) > 1:
            raise InputError(
                "classifiers: expected the same number of classes from each, got logits"
                f" {sorted(shapes)}"
            )
        log_probabilities = jax.nn.log_softmax(at_least_float32(jnp.stack(logits)), axis=-1)
        return jax.nn.logsumexp(log_probabilities, axis=0) - jnp.log(float(len(logits)))

    @property
    def surrogates(self) -> tuple[Classifier, ...]:
        """The classifiers that an attack on the ensemble has to try too.

        They are its members and their average, all at temperature 1. A member that is sure of its
        class, with p within 1e-38 of 1, has no part in the gradient of the average, which then
        shows the way to the other members' decision only. Temperatures do not change the directions
        in which a member's own margins fall.
        """
        members = tuple(map(uncalibrated, self.classifiers))
        inner = tuple(surrogate for member in members for surrogate in surrogates_of(member))
        return (*members, *inner, Ensemble(members))


def ensemble(classifiers: Sequence[Classifier]) -> Ensemble:
    """Averages the probabilities of classifiers.

    Args:
        classifiers: at least one, each image (h, w, c) -> logits (k,) with the same k, calibrated
            beforehand.

    Returns:
        The ensemble, image (h, w, c) -> log-probabilities (k,), which are logits too; a pytree.
        ``classifiers`` are its members.

    Raises:
        InputError: no classifier, or (when called) logits of different shapes.

    >>> first = lambda image: jnp.log(jnp.array([0.9, 0.1]))
    >>> second = lambda image: jnp.log(jnp.array([0.5, 0.5]))
    >>> [round(float(p), 3) for p in jnp.exp(ensemble([first, second])(jnp.zeros((4, 4, 1))))]
    [0.7, 0.3]
    """
    if not isinstance(classifiers, Sequence) or not classifiers:
        raise InputError(f"classifiers: expected a list of at least one, got {classifiers!r}")
    return Ensemble(tuple(as_pytree(classifier) for classifier in classifiers))
