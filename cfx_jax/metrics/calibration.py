"""Expected calibration error and the temperature that minimises it.

Expected calibration error: Naeini et al. 2015; temperature scaling: Guo et al. 2017. The grid of temperatures is
that of Boreiko et al. 2022: log T at 2000 even steps in [-3, 3], then T = 1, and the first minimiser is taken.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_classes, is_concrete
from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import as_probabilities

_GRID = np.exp(np.append(np.linspace(-3.0, 3.0, 2000), 0.0))


def expected_calibration_error(
    probabilities: Float[Array, "n k"], labels: Int[Array, " n"], *, num_bins: int = 20
) -> Float[Array, ""]:
    """Measures how far confidence is from accuracy, as a share in [0, 1].

    Images are binned by confidence, their largest probability, into equal bins (lo, hi] of [0, 1]; the result is
    the sum over bins of |accuracy - mean confidence| * images in the bin / n.

    Args:
        probabilities: (n, k), rows in [0, 1] that sum to 1.
        labels: (n,) integers in [0, k).
        num_bins: number of bins, at least 1.

    Returns:
        A scalar, 0 for a calibrated classifier.

    Raises:
        InputError: no images, shapes that do not match, labels that name no class, values outside [0, 1], rows that do
            not sum to 1, no bins.
    """
    probabilities, labels = jnp.asarray(probabilities), jnp.asarray(labels)
    _check("probabilities", probabilities, labels, num_bins)
    _check_distributions(probabilities)
    inner_edges = jnp.asarray(np.linspace(0.0, 1.0, num_bins + 1)[1:-1], probabilities.dtype)
    confidences = probabilities.max(axis=-1)
    # The number of edges strictly below a confidence: one exactly on an edge falls into the lower bin.
    bins = jnp.searchsorted(inner_edges, confidences, side="left")
    surplus = (probabilities.argmax(axis=-1) == labels) - confidences
    return jnp.abs(jax.ops.segment_sum(surplus, bins, num_segments=num_bins)).sum() / len(labels)


def fit_temperature(logits: Float[Array, "n k"], labels: Int[Array, " n"], *, num_bins: int = 20) -> float:
    """Finds the temperature with the least expected calibration error, for ``models.calibrated``.

    Fit it for each model before an ensemble is made, on images that neither training nor the test has seen.

    Args:
        logits: (n, k), of the uncalibrated classifier.
        labels: (n,) integers in [0, k).
        num_bins: bins of the calibration error, at least 1.

    Returns:
        The first minimiser among log T at 2000 even steps in [-3, 3], followed by T = 1.

    Raises:
        InputError: as ``expected_calibration_error``, or logits that are not finite.
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    _check("logits", logits, labels, num_bins)
    if not bool(jnp.isfinite(logits).all()):
        raise InputError(
            "logits: expected finite values, got NaN or infinity: check the model on its validation images"
        )
    errors = _errors(logits, labels, jnp.asarray(_GRID, logits.dtype), num_bins)
    return float(_GRID[int(jnp.argmin(errors))])


@functools.partial(jax.jit, static_argnames="num_bins")
def _errors(
    logits: Float[Array, "n k"], labels: Int[Array, " n"], temperatures: Float[Array, " t"], num_bins: int
) -> Float[Array, " t"]:
    def error(temperature: Float[Array, ""]) -> Float[Array, ""]:
        probabilities = jax.nn.softmax(logits / temperature)
        return expected_calibration_error(probabilities, labels, num_bins=num_bins)

    return jax.lax.map(error, temperatures)


def _check(name: str, scores: Array, labels: Array, num_bins: int) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or scores.size == 0:
        raise InputError(
            f"{name}: expected (n, k) with labels (n,) for at least one image, got shapes {scores.shape}, {labels.shape}"
        )
    check_classes(labels, scores.shape[1], name="labels")
    if num_bins < 1:
        raise InputError(f"num_bins: expected at least 1, got {num_bins}")


def _check_distributions(probabilities: Array) -> None:
    if not is_concrete(probabilities):
        return
    sums = np.asarray(probabilities.sum(axis=-1))
    worst = sums[np.argmax(np.abs(sums - 1))]
    if not abs(worst - 1) < 1e-3:
        raise InputError(f"probabilities: expected rows that sum to 1, got a sum of {worst:g}: apply softmax to logits")
    as_probabilities(np.asarray(probabilities), name="probabilities")
