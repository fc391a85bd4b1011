"""Whether a classifier has gradients, which nearly all explanations follow."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from cfx_jax.compilation import as_pytree
from cfx_jax.diagnosis.finding import Case, Finding, indices, one_line, share
from cfx_jax.objectives import Classifier, decision, log_odds
from cfx_jax.parallel import map_examples


def diagnose_gradients(case: Case) -> Iterator[Finding]:
    """Yields findings about the gradients of the log-odds.

    They do not vanish where a probability rounds to 0 or 1.
    """
    targets = decision(case.logits(case.images)) if case.targets is None else case.targets
    try:
        steepest = map_examples(_steepest, as_pytree(case.classifier), (case.images, targets))
    except Exception as error:
        message = (
            f"classifier: expected a function that jax.grad takes, got {one_line(error)}: compute"
            " float logits in JAX"
        )
        yield Finding("undifferentiable", "error", message)
        return
    infinite, zero = ~np.isfinite(steepest), steepest == 0
    if infinite.any():
        message = (
            f"classifier: expected finite gradients, got NaN or infinity on {share(infinite)}: look"
            " for roots, logarithms and divisions at 0, also where jnp.where discards them"
        )
        yield Finding("gradient", "error", message, indices(infinite))
    if zero.any():
        message = (
            "classifier: expected gradients that are not zero, got 0 at every pixel on"
            f" {share(zero)}: look for rounding, argmax and stop_gradient, and for activations that"
            " are off or saturated"
        )
        yield Finding("zero_gradient", "error" if zero.all() else "warning", message, indices(zero))


def _steepest(classifier: Classifier, example: tuple[Array, Array]) -> Float[Array, ""]:
    image, target = example
    return jnp.abs(jax.grad(lambda x: log_odds(classifier(x), target))(image)).max()
