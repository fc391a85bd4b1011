"""Whether a classifier's values are logits, and logits that leave something to explain."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_classes, check_classifier
from cfx_jax.diagnosis.finding import Case, Finding, findings_of, indices, share
from cfx_jax.objectives import decision

_ROUNDING = 0.02
"""The largest difference from 1 of a sum of probabilities computed in half precision."""
_NOISE_SEED = 181003292
"""No seed that the user's own images may be drawn with."""


def diagnose_logits(case: Case) -> Iterator[Finding]:
    """Yields findings about the logits of the images and, as a counter-check, of noise."""
    logits = case.logits(case.images)
    infinite = ~np.isfinite(logits).all(axis=1)
    name = "logits" if infinite.any() else "probabilities"
    unusable = findings_of(
        name, check_classifier, case.classifier, case.images, images=indices(infinite)
    )
    if case.targets is not None:
        unusable += findings_of(
            "no_class", partial(check_classes, name="targets"), case.targets, logits.shape[1]
        )
    yield from unusable
    if unusable:
        return
    everything = np.concatenate([logits, case.logits(_noise(case))])
    if _is_constant(everything):
        message = (
            "classifier: expected logits that depend on the image, got the same for all images and"
            " for noise: look for weights that are zero or not loaded, and for a model made for"
            " values in 0..255"
        )
        yield Finding("constant", "error", message)
    if _declared_kind(case) == "logits":
        yield from _diagnose_scale(everything)
    yield from _diagnose_normalisation(logits)
    yield from _diagnose_sums(case, logits)
    yield from _diagnose_probabilities(case, logits)


def _declared_kind(case: Case) -> str:
    """The meaning of a model's values, as the user has declared it; logits where nothing is."""
    outputs = getattr(case.classifier, "outputs", None)  # of a model that an adapter has wrapped
    return getattr(outputs, "kind", "logits")


def _diagnose_scale(everything: Float[np.ndarray, "m k"]) -> Iterator[Finding]:
    """Yields findings about values of another scale than logits that classify as well.

    ``everything`` is the logits of the images and of noise.
    """
    if (
        everything.shape[1] == 2
        and not everything[:, 0].any()
        and np.all((everything >= 0) & (everything <= 1))
    ):
        message = (
            "classifier: expected logits (0, z) of two classes with z of either sign, got z in [0,"
            " 1] on all images and on noise: if z is a probability, return the value before the"
            " sigmoid"
        )
        yield Finding("probability", "warning", message)
    elif np.all((everything > 0) & (everything < 1)):
        message = (
            "classifier: expected logits, of which some are below 0 or above 1, got values between"
            " 0 and 1 on all images and on noise: if they are sigmoids of several labels, choose"
            " one with Outputs('probabilities', label=...), or return the values before them"
        )
        yield Finding("sigmoids", "warning", message)


def _diagnose_normalisation(logits: Float[np.ndarray, "n k"]) -> Iterator[Finding]:
    """Yields a finding where the logits are the logarithms of probabilities."""
    if np.allclose(jax.nn.logsumexp(logits, axis=1), 0, atol=1e-4):
        message = (
            "classifier: expected logits, got log-probabilities, as of an ensemble: right for every"
            " probability, but maps of one logit, such as Grad-CAM, are maps of its"
            " log-probability; return the values before the log-softmax if there are any"
        )
        yield Finding("log_probabilities", "warning", message)


def _diagnose_sums(case: Case, logits: Float[np.ndarray, "n k"]) -> Iterator[Finding]:
    """Yields a finding where what is said to be probabilities of classes has another sum than 1."""
    kind = _declared_kind(case)
    is_of_one_value = logits.shape[1] == 2 and not logits[:, 0].any()
    if kind == "logits" or is_of_one_value:
        return
    totals = np.exp(np.logaddexp.reduce(logits, axis=1))
    off = np.abs(totals - 1) > _ROUNDING
    if off.any():
        message = (
            "classifier: expected probabilities with the sum 1, as of classes that exclude each"
            f" other, got {totals[off][0]:.3g} on {share(off)}: of several labels, each with a"
            f" sigmoid of its own, choose one with Outputs('{kind}', label=...)"
        )
        yield Finding("labels", "error", message, indices(off))


def _noise(case: Case) -> Float[np.ndarray, "n h w c"]:
    """Draws as many images of noise as there are images."""
    return (
        np.random.default_rng(_NOISE_SEED).uniform(size=case.images.shape).astype(case.images.dtype)
    )


def _is_constant(everything: Float[np.ndarray, "n k"]) -> bool:
    """Whether the probabilities of all images, noise among them, are equal."""
    differences = everything - everything[:, :1]
    return bool(np.ptp(differences, axis=0).max() <= 1e-6 * (1 + np.abs(everything).max()))


def _diagnose_probabilities(case: Case, logits: Float[np.ndarray, "n k"]) -> Iterator[Finding]:
    predicted = decision(logits)
    explained = predicted if case.targets is None else case.targets
    probability = np.asarray(jax.nn.softmax(jnp.asarray(logits, jnp.float32)))[
        np.arange(len(logits)), explained
    ]
    rounded = (probability == 0) | (probability == 1)
    if rounded.any():
        message = (
            "classifier: expected probabilities between 0 and 1, got 0 or 1 by rounding on"
            f" {share(rounded)}: the probability's gradient vanishes there, and at 1 that of its"
            " logarithm; explain objectives.log_odds, or calibrate the classifier"
        )
        yield Finding("saturated", "warning", message, indices(rounded))
    reached = (probability > 0.5) | (predicted == explained)
    if case.targets is not None and reached.any():
        message = (
            "targets: expected classes that are not predicted yet, got the predicted class on"
            f" {share(reached)}: choose another where the class is to change"
        )
        yield Finding("reached", "warning", message, indices(reached))
