"""Whether a classifier is a function of one image, the same at every call, that JAX can trace."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cfx_jax.checks import num_classes
from cfx_jax.compilation import SideEffectError
from cfx_jax.diagnosis.finding import Case, Finding, indices, one_line, share
from cfx_jax.errors import InputError

_REPEATED, _BATCHED = 1e-4, 1e-2
"""Largest difference of logits, as a share of their size: of two calls, and of vmap and single
calls (TensorFloat-32).
"""

_ADVICE = "a model in training mode does so; models.per_image(model) is in inference mode"


def diagnose_calls(case: Case) -> Iterator[Finding]:
    """Yields findings from calling the classifier for all images at once, for each, and again."""
    together = None
    try:
        num_classes(case.classifier, case.images[0])
        together = case.logits(case.images)
    except Exception as error:
        if isinstance(error, InputError) and not isinstance(error, SideEffectError):
            yield Finding("output", "error", str(error))
            return
        message = (
            "classifier: expected a function that jax.jit and jax.vmap can trace, got"
            f" {one_line(error)}: {_ADVICE}"
        )
        yield Finding("untraceable", "error", message)
    try:
        alone = np.stack(
            [np.asarray(case.classifier(jnp.asarray(image)), np.float64) for image in case.images]
        )
        again = np.asarray(case.classifier(jnp.asarray(case.images[0])), np.float64)
    except Exception as error:
        message = (
            f"classifier: expected one image -> logits also outside of jit, got {one_line(error)}:"
            " mend the classifier"
        )
        yield Finding("raises", "error", message)
        return
    yield from _compare_calls(alone[0], again)
    if together is not None:
        yield from _compare_with_vmap(together, alone)


def _compare_calls(
    once: Float[np.ndarray, " k"], again: Float[np.ndarray, " k"]
) -> Iterator[Finding]:
    if not _alike(once, again, _REPEATED):
        message = (
            "classifier: expected the same logits of the same image, got others at the second"
            f" call: {_ADVICE}"
        )
        yield Finding("random", "error", message, (0,))


def _compare_with_vmap(
    together: Float[np.ndarray, "n k"], alone: Float[np.ndarray, "n k"]
) -> Iterator[Finding]:
    off = np.asarray([not _alike(*pair, _BATCHED) for pair in zip(together, alone, strict=True)])
    if off.any():
        message = (
            "classifier: expected the logits of single calls under jax.vmap, got others on"
            f" {share(off)}: look for random numbers of NumPy, Python state that changes between"
            " calls, and low precision"
        )
        yield Finding("vmap", "warning", message, indices(off))


def _alike(first: np.ndarray, second: np.ndarray, tolerance: float) -> bool:
    size = 1 + np.abs(second[np.isfinite(second)]).max(initial=0)
    return first.shape == second.shape and np.allclose(
        first, second, rtol=0, atol=tolerance * size, equal_nan=True
    )
