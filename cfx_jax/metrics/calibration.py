"""Whether probabilities mean what they say, and the temperature that calibrates a classifier.

Expected calibration error: Naeini et al. 2015. Reliability curve: DeGroot and Fienberg 1983; Guo et
al. 2017, figure 1. Compatibility of explanations with the probability that was asked for: Singla et
al. 2020, section 4.2.

Temperature scaling by the likelihood: Guo et al. 2017; the targets that keep it from running away
follow Platt 1999, "Probabilistic outputs for support vector machines". Boreiko et al. 2022 minimise
the calibration error instead, on a grid: log T at 2000 even steps in [-3, 3], then T = 1; the first
minimiser is taken.

Deviation: the likelihood is the default. Where a classifier is right on all calibration images, the
smallest temperature has the least calibration error and the greatest likelihood. Both rules then
run to the edge of any grid, and the classifier becomes as sure as float32 lets it be. The targets
say that n images, all right, leave room for an error in the next one (Laplace's rule of succession;
Platt applies it to each of two classes, here it is of all images, since they share one
temperature).
"""

import functools
import math
import warnings
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from cfx_jax.array_types import AnyArray, at_least_float32
from cfx_jax.checks import (
    as_numpy,
    check_choice,
    check_classes,
    check_count,
    check_number,
    check_real,
    is_concrete,
)
from cfx_jax.errors import InputError
from cfx_jax.metrics.checks import (
    as_decisions,
    as_probabilities,
    as_vector,
    check_same_shape,
    ratio,
)
from cfx_jax.objectives import decision

_GRID = np.exp(np.append(np.linspace(-3.0, 3.0, 2000), 0.0))
_RANGES = {"likelihood": (math.exp(-12.0), math.exp(12.0)), "ece": (_GRID[0], _GRID[-2])}
"""The smallest and the largest temperature that each method gives."""

Method = Literal["likelihood", "ece"]
"""How a temperature is fitted."""
_NUM_BINS = 20
THRESHOLD = 0.5
_METHOD: Method = "likelihood"


def expected_calibration_error(
    probabilities: Float[Array, "n k"], labels: Int[Array, " n"], *, num_bins: int = _NUM_BINS
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
        InputError: there are no images or no bins, the shapes do not match, a label names no class,
            a value lies outside of [0, 1], or a row does not sum to 1.

    >>> error = expected_calibration_error(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, 1]))
    >>> float(error)
    0.25
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
    method: Method = _METHOD,
    num_bins: int = _NUM_BINS,
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

    >>> logits = np.array([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0]])
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 2)  # far too sure
    12.98
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
            f" of what is searched: the {len(labels)} images do not determine it (all right, or no"
            " better than chance)",
            stacklevel=2,
        )
    return temperature


def temperature_at_edge(temperature: float, *, method: Method = _METHOD) -> bool:
    """Whether a fitted temperature is the smallest or the largest one that is searched.

    The images on which it was fitted then do not determine it.

    Args:
        temperature: from ``fit_temperature``.
        method: the method by which it was fitted.

    Raises:
        InputError: the temperature is no number, or the method unknown.

    >>> temperature_at_edge(1.3), temperature_at_edge(6e-6)
    (False, True)
    """
    check_number(temperature, name="temperature")
    check_choice(method, tuple(_RANGES), name="method")
    low, high = _RANGES[method]
    return not low * (1 + 1e-6) < temperature < high * (1 - 1e-6)


class ReliabilityCurve(NamedTuple):
    """The stated probability and the share for which it came true, for each bin of the former."""

    stated: Float[np.ndarray, " bins"]
    """Mean of the stated probability; NaN in a bin without an image."""
    observed: Float[np.ndarray, " bins"]
    """Share of the images for which it came true; NaN in a bin without an image."""
    num_images: Int[np.ndarray, " bins"]
    """Number of images."""


def reliability_curve(
    probabilities: Float[np.ndarray, " n"],
    occurred: Bool[np.ndarray, " n"],
    *,
    num_bins: int = _NUM_BINS,
) -> ReliabilityCurve:
    """Measures for which share of the images a stated probability came true.

    Give the confidences, ``probabilities.max(axis=1)``, with whether ``argmax`` is the label: the
    curve's distance from the diagonal, weighted with the numbers of images, is then the
    ``expected_calibration_error``. For two classes the curve may be drawn of the positive class,
    with the labels.

    Args:
        probabilities: one for each image, in [0, 1].
        occurred: whether it came true, 1 (True) for yes.
        num_bins: equal bins (lo, hi] of [0, 1], the first one closed; at least 1.

    Returns:
        The curve, from the bin at 0 to that at 1; on the diagonal for a calibrated classifier.

    Raises:
        InputError: there is no image or no bin, a probability lies outside of [0, 1], ``occurred``
            has other values than 0 and 1, or the shapes differ.

    >>> curve = reliability_curve(np.array([0.2, 0.4, 0.9]), np.array([0, 1, 1]), num_bins=2)
    >>> curve.stated.round(2).tolist(), curve.observed.tolist(), curve.num_images.tolist()
    ([0.3, 0.9], [0.5, 1.0], [2, 1])
    """
    probabilities = as_vector(probabilities, name="probabilities")
    values, true = (
        as_probabilities(probabilities, name="probabilities"),
        as_decisions(occurred, name="occurred"),
    )
    check_same_shape(values, true, names=("probabilities", "occurred"))
    check_count(num_bins, name="num_bins")
    # Compared in the probabilities' own precision: float32 0.6 is on the edge at 0.6, not above it.
    precision = np.result_type(probabilities, np.float32)
    bins = np.searchsorted(
        np.linspace(0, 1, num_bins + 1)[1:-1].astype(precision), probabilities.astype(precision)
    )
    count = np.bincount(bins, minlength=num_bins)
    return ReliabilityCurve(_bin_mean(values, bins, count), _bin_mean(true, bins, count), count)


class CompatibilityCurve(NamedTuple):
    """The probability that explanations reach, for each bin of the desired one."""

    centre: Float[np.ndarray, " bins"]
    """Centre of each bin of the desired probability."""
    mean: Float[np.ndarray, " bins"]
    """Mean of the reached probability; NaN in a bin without an image."""
    deviation: Float[np.ndarray, " bins"]
    """Standard deviation of the reached probability over images (divided by their number); NaN in a
    bin without an image.
    """
    num_images: Int[np.ndarray, " bins"]
    """Number of images."""


def compatibility_curve(
    expected: Float[np.ndarray, " n"], achieved: Float[np.ndarray, " n"], *, num_bins: int = 10
) -> CompatibilityCurve:
    """Measures the mean probability that explanations reach against the one that was asked for.

    The paper draws one curve for each range of the query's own probability: call this function with
    the images of that range. The rank correlation is ``rank_correlation(expected, achieved)``, the
    error ``abs(achieved - expected).mean()``.

    Args:
        expected: the desired probability of each explanation, f(x) + δ, in [0, 1].
        achieved: the classifier's probability of that explanation, f(x_δ), in [0, 1].
        num_bins: equal bins [lo, hi) of [0, 1], the last one closed; at least 1, the paper's 10.

    Returns:
        The curve; the diagonal for a perfect explainer.

    Raises:
        InputError: there is no image or no bin, a probability lies outside of [0, 1], or the shapes
            differ.

    >>> expected, achieved = np.array([0.2, 0.3, 0.8]), np.array([0.1, 0.3, 0.9])
    >>> curve = compatibility_curve(expected, achieved, num_bins=2)
    >>> curve.centre.tolist(), curve.mean.tolist(), curve.num_images.tolist()
    ([0.25, 0.75], [0.2, 0.9], [2, 1])
    """
    desired, reached = as_vector(expected, name="expected"), as_vector(achieved, name="achieved")
    check_same_shape(desired, reached, names=("expected", "achieved"))
    check_count(num_bins, name="num_bins")
    as_probabilities(desired, name="expected")
    # Binned in their own precision: float32 0.7 is in bin 7.
    bins = np.minimum((desired * num_bins).astype(int), num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    mean = _bin_mean(as_probabilities(reached, name="achieved"), bins, count)
    variance = _bin_mean((reached - mean[bins]) ** 2, bins, count)
    return CompatibilityCurve(
        (np.arange(num_bins) + 0.5) / num_bins, mean, np.sqrt(variance), count
    )


def decision_flips(
    before: Float[np.ndarray, "*shape"],
    after: Float[np.ndarray, "*shape"],
    *,
    threshold: float = THRESHOLD,
) -> Bool[np.ndarray, "*shape"]:
    """Tells for each image whether its explanation flips the decision; the mean is the flip rate.

    Args:
        before: the probability of each image, in [0, 1].
        after: the probability of its explanation, in [0, 1].
        threshold: a probability of at least this much is a yes, strictly between 0 and 1.

    Returns:
        True where one is a yes and the other a no.

    Raises:
        InputError: a probability or the threshold is out of range, or the shapes differ.

    >>> decision_flips(np.array([0.2, 0.6]), np.array([0.9, 0.8]))
    array([ True, False])
    """
    before, after = as_probabilities(before, name="before"), as_probabilities(after, name="after")
    check_same_shape(before, after, names=("before", "after"))
    check_number(threshold, name="threshold")
    if not 0 < threshold < 1:
        raise InputError(f"threshold: expected a number strictly between 0 and 1, got {threshold}")
    return (before >= threshold) != (after >= threshold)


def _bin_mean(values: np.ndarray, bins: np.ndarray, count: np.ndarray) -> np.ndarray:
    return ratio(np.bincount(bins, values, minlength=len(count)), count)


def _most_likely(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> float:
    """Finds the minimum of a convex function of 1 / T, by bisection of its slope's sign."""
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
    """Measures the calibration error at each temperature."""

    def error(temperature: Float[Array, ""]) -> Float[Array, ""]:
        probabilities = jax.nn.softmax(logits / temperature)
        return expected_calibration_error(probabilities, labels, num_bins=num_bins)

    return jax.lax.map(error, temperatures)


def _as_scores(name: str, scores: Float[AnyArray, "n k"]) -> Float[Array, "n k"]:
    """Converts floating-point numbers to at least float32.

    Sums and counts of half precision are off by per cents.
    """
    check_real(scores, name=name)
    scores = jnp.asarray(scores)
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        raise InputError(
            f"{name}: expected floating-point numbers, got dtype {scores.dtype}: give the model's"
            " own"
        )
    return at_least_float32(scores)


def _as_labels(
    name: str, scores: Array, labels: Int[AnyArray, " n"], num_bins: int
) -> Int[Array, " n"]:
    """Checks labels and the number of bins, and gives the labels as an array."""
    # By NumPy, since JAX would not say what else than numbers it was given.
    labels = labels if isinstance(labels, Array) else as_numpy(labels, name="labels")
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or scores.size == 0:
        raise InputError(
            f"{name}: expected (n, k) with labels (n,) for at least one image, got shapes"
            f" {scores.shape}, {labels.shape}"
        )
    check_classes(labels, scores.shape[1], name="labels")
    check_count(num_bins, name="num_bins")
    return jnp.asarray(labels)


def _check_distributions(probabilities: Array, *, precision: float) -> None:
    """Checks rows of probabilities, given the precision of the dtype that they were rounded to."""
    if not is_concrete(probabilities):
        return
    sums = np.asarray(probabilities.sum(axis=-1))
    worst = sums[np.argmax(np.abs(sums - 1))]
    if not abs(worst - 1) < max(1e-3, precision * probabilities.shape[1]):
        raise InputError(
            f"probabilities: expected rows that sum to 1, got a sum of {worst:g}: apply softmax to"
            " logits"
        )
    as_probabilities(np.asarray(probabilities), name="probabilities")
