"""Expected calibration error, and the temperature that calibrates a classifier.

Expected calibration error: Naeini et al. 2015; temperature scaling by the likelihood: Guo et al.
2017; the targets that keep it from running away follow Platt 1999, "Probabilistic outputs for
support vector machines". Boreiko et al. 2022 minimise the calibration error instead, on a grid: log
T at 2000 even steps in [-3, 3], then T = 1, of which the first minimiser is taken.

Deviation: the likelihood is the default. Where a classifier is right on all calibration images, the
smallest temperature has the least calibration error, and so the least likelihood: both rules run to
the edge of any grid, and the classifier is made as sure as float32 lets it be. The targets say that
n images, all right, leave room for an error in the next (Laplace's rule of succession; Platt
applies it to each of two classes, here it is of all images, since they share one temperature).
"""

import functools
import math
import warnings
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.checks import check_choice, check_classes, check_count, check_real, is_concrete
from cfx_jax.errors import InputError
from cfx_jax.metrics.value_arrays import as_probabilities
from cfx_jax.objectives import decision

_GRID = np.exp(np.append(np.linspace(-3.0, 3.0, 2000), 0.0))
_RANGES = {"likelihood": (math.exp(-12.0), math.exp(12.0)), "ece": (_GRID[0], _GRID[-2])}
"""The smallest and the largest temperature that each method gives."""

Method = Literal["likelihood", "ece"]
"""How a temperature is fitted."""


def expected_calibration_error(
    probabilities: Float[Array, "n k"], labels: Int[Array, " n"], *, num_bins: int = 20
) -> Float[Array, ""]:
    """Measures how far confidence is from accuracy, as a share in [0, 1].

    Images are binned by confidence, their largest probability, into equal bins (lo, hi] of [0, 1];
    the result is the sum over bins of |accuracy - mean confidence| * images in the bin / n.

    Args:
        probabilities: (n, k), rows in [0, 1] that sum to 1; half precision is counted in float32.
        labels: (n,) integers in [0, k).
        num_bins: number of bins, at least 1.

    Returns:
        A scalar, 0 for a calibrated classifier.

    Raises:
        InputError: no images, shapes that do not match, labels that name no class, values outside
            [0, 1], rows that do not sum to 1, no bins.
    """
    check_real(probabilities, name="probabilities")
    given = jnp.asarray(probabilities)
    probabilities = _as_scores("probabilities", given)
    labels = _as_labels("probabilities", probabilities, labels, num_bins)
    _check_distributions(probabilities, precision=float(jnp.finfo(given.dtype).eps))
    inner_edges = jnp.asarray(np.linspace(0.0, 1.0, num_bins + 1)[1:-1], probabilities.dtype)
    confidences = probabilities.max(axis=-1)
    # The number of edges strictly below a confidence: one exactly on an edge falls into the lower
    # bin.
    bins = jnp.searchsorted(inner_edges, confidences, side="left")
    surplus = (decision(probabilities) == labels) - confidences
    return jnp.abs(jax.ops.segment_sum(surplus, bins, num_segments=num_bins)).sum() / len(labels)


def fit_temperature(
    logits: Float[Array, "n k"],
    labels: Int[Array, " n"],
    *,
    method: Method = "likelihood",
    num_bins: int = 20,
) -> float:
    """Finds the temperature that calibrates a classifier best, for ``models.calibrated``.

    Fit it for each model before an ensemble is made, on images that neither training nor the test
    has seen.

    Args:
        logits: (n, k), of the uncalibrated classifier; half precision is counted in float32.
        labels: (n,) integers in [0, k).
        method: ``"likelihood"``: the least mean cross-entropy, for T in [6e-6, 1.6e5], with targets
            of ``(n + 1) / (n + 2)`` for the label and the rest shared by the other classes. Its
            minimum is inside for every classifier that does better than chance, also where all n
            images are right. ``"ece"``, as published: the least expected calibration error, which
            then runs to the edge.
        num_bins: bins of the calibration error, at least 1; not used by the likelihood.

    Returns:
        The temperature. At the edge of what was searched, ``temperature_at_edge``, it says nothing
        about the classifier, and a ``UserWarning`` is given. Of ``"ece"`` the first minimiser among
        log T at 2000 even steps in [-3, 3], followed by T = 1.

    Raises:
        InputError: as ``expected_calibration_error``, logits that are not finite, or an unknown
            method.
    """
    check_choice(method, tuple(_RANGES), name="method")
    logits = _as_scores("logits", logits)
    labels = _as_labels("logits", logits, labels, num_bins)
    if not bool(jnp.isfinite(logits).all()):
        raise InputError(
            "logits: expected finite values, got NaN or infinity: check the model on its validation"
            " images"
        )
    if method == "likelihood":
        temperature = _most_likely(np.asarray(logits, np.float64), np.asarray(labels))
    else:
        errors = _errors(logits, labels, jnp.asarray(_GRID, logits.dtype), num_bins)
        temperature = float(_GRID[int(jnp.argmin(errors))])
    if temperature_at_edge(temperature, method=method):
        warnings.warn(
            f"fit_temperature: the best temperature by {method!r} is {temperature:.3g}, at the edge"
            f" of what is searched: the"
            f" {len(labels)} images do not determine it (all right, or no better than chance)",
            stacklevel=2,
        )
    return temperature


def temperature_at_edge(temperature: float, *, method: Method = "likelihood") -> bool:
    """Whether a fitted temperature is the smallest or the largest that ``fit_temperature``
    searches, so that the images do not determine it.

    Args:
        temperature: from ``fit_temperature``.
        method: the one that it was fitted by.

    Raises:
        InputError: an unknown method.
    """
    check_choice(method, tuple(_RANGES), name="method")
    low, high = _RANGES[method]
    return not low * (1 + 1e-6) < temperature < high * (1 - 1e-6)


def _most_likely(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> float:
    """The minimum of a convex function of 1 / T, by bisection of its slope's sign."""
    count, classes = logits.shape
    sure = (count + 1) / (count + 2)
    targets = np.where(
        np.arange(classes) == labels[:, None], sure, (1 - sure) / max(classes - 1, 1)
    )
    logits = logits - logits.max(axis=1, keepdims=True)

    def falls(inverse: float) -> bool:
        weights = np.exp(logits * inverse)
        return bool(((weights / weights.sum(axis=1, keepdims=True) - targets) * logits).sum() < 0)

    low, high = np.log(_RANGES["likelihood"])
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if falls(math.exp(-middle)) else (middle, high)
    return math.exp((low + high) / 2)


@functools.partial(jax.jit, static_argnames="num_bins")
def _errors(
    logits: Float[Array, "n k"],
    labels: Int[Array, " n"],
    temperatures: Float[Array, " t"],
    num_bins: int,
) -> Float[Array, " t"]:
    def error(temperature: Float[Array, ""]) -> Float[Array, ""]:
        probabilities = jax.nn.softmax(logits / temperature)
        return expected_calibration_error(probabilities, labels, num_bins=num_bins)

    return jax.lax.map(error, temperatures)


def _as_scores(name: str, scores: Float[AnyArray, "n k"]) -> Float[Array, "n k"]:
    """Floating-point numbers in at least float32: sums and counts of half precision are off by per
    cents.
    """
    check_real(scores, name=name)
    scores = jnp.asarray(scores)
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        raise InputError(
            f"{name}: expected floating-point numbers, got dtype {scores.dtype}: give the model's"
            f" own"
        )
    return scores.astype(jnp.promote_types(scores.dtype, jnp.float32))


def _as_labels(
    name: str, scores: Array, labels: Int[AnyArray, " n"], num_bins: int
) -> Int[Array, " n"]:
    """The labels of these scores as an array, after a check of them and of the number of bins."""
    # By NumPy, since JAX would not say what else than numbers it was given.
    labels = labels if isinstance(labels, Array) else np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or scores.size == 0:
        raise InputError(
            f"{name}: expected (n, k) with labels (n,) for at least one image, got shapes"
            f" {scores.shape}, {labels.shape}"
        )
    check_classes(labels, scores.shape[1], name="labels")
    check_count(num_bins, name="num_bins")
    return jnp.asarray(labels)


def _check_distributions(probabilities: Array, *, precision: float) -> None:
    """``precision`` is that of the dtype that the probabilities were rounded to before."""
    if not is_concrete(probabilities):
        return
    sums = np.asarray(probabilities.sum(axis=-1))
    worst = sums[np.argmax(np.abs(sums - 1))]
    if not abs(worst - 1) < max(1e-3, precision * probabilities.shape[1]):
        raise InputError(
            f"probabilities: expected rows that sum to 1, got a sum of {worst:g}: apply softmax to"
            f" logits"
        )
    as_probabilities(np.asarray(probabilities), name="probabilities")
