"""The stages of a diagnosis, one after the other.

Seen are only faults that one image at a time can show. A training-mode batch norm shows where it
writes its averages; one that only normalises an image by its own statistics looks like any other
layer. Dropout shows where two calls differ; with a fixed key it does not. That an image's answer
depends on the rest of its batch cannot be seen at all: a classifier takes no batch.
``models.per_image`` rules all of this out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.array_types import AnyArray, check_usable
from cfx_jax.diagnosis.finding import Case, Finding, findings_of
from cfx_jax.diagnosis.gradients import diagnose_gradients
from cfx_jax.diagnosis.images import diagnose_images
from cfx_jax.diagnosis.logits import diagnose_logits
from cfx_jax.diagnosis.purity import diagnose_calls
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier


def diagnose(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    *,
    targets: Int[AnyArray, " n"] | None = None,
) -> tuple[Finding, ...]:
    """Runs a classifier on a few images, outside of ``jit``, and names what is wrong.

    A fault never raises.

    Four stages. The first with an error is the last, since what followed would only be its echo:

    - images: ``images`` and ``targets`` (shape or dtype), ``not_finite``, ``range``;
    - calls: ``output`` (not of a classifier's shape), ``untraceable``, ``raises``, ``random`` (two
      calls differ), and as a warning ``vmap`` (differs from single calls);
    - logits: ``no_class`` (a target), ``logits`` (NaN, infinity), ``probabilities``, ``constant``,
      ``labels`` (probabilities that do not sum to 1), and as warnings ``probability`` (one logit in
      [0, 1]), ``sigmoids`` (all of several), ``log_probabilities``, ``saturated``, ``reached`` (the
      target is predicted already);
    - gradients of the target's log-odds: ``undifferentiable``, ``gradient`` (NaN, infinity),
      ``zero_gradient`` (a warning unless on all images).

    Args:
        classifier: one image -> logits ``(k,)``. It is called outside of ``jit`` too; one in
            training mode may change its state there, as at any other call.
        images: a few, as the classifier will be given them; expected in [0, 1].
        targets: the class to explain or to reach, for each image; None takes the predicted one.

    Returns:
        The findings in the order of the stages, empty where all is well.

    >>> import jax.numpy as jnp
    >>> def classifier(image):  # gives probabilities where logits are expected
    ...     share = image.mean()
    ...     return jnp.stack([share, 1 - share])
    >>> images = np.random.default_rng(0).uniform(size=(2, 4, 4, 1)).astype(np.float32)
    >>> [finding.name for finding in diagnose(classifier, images)]
    ['probabilities']
    """
    # Before they become arrays of NumPy, which would drop masks.
    findings = findings_of("images", partial(check_usable, name="images"), images)
    if findings:
        return tuple(findings)
    case = Case(classifier, _as_array(images), None if targets is None else _as_array(targets))
    for stage in (diagnose_images, diagnose_calls, diagnose_logits, diagnose_gradients):
        findings += stage(case)
        if any(finding.severity == "error" for finding in findings):
            break
    return tuple(findings)


def check_diagnosis(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    *,
    targets: Int[AnyArray, " n"] | None = None,
    show: Callable[[str], object] = print,
) -> tuple[Finding, ...]:
    """Diagnoses a classifier in a script: stops at errors and shows warnings.

    Args:
        classifier, images, targets: as in ``diagnose``.
        show: called with one line for each warning.

    Returns:
        The warnings.

    Raises:
        InputError: the messages of all errors that ``diagnose`` finds, in one line.

    >>> import jax.numpy as jnp
    >>> images = np.random.default_rng(0).uniform(size=(2, 4, 4, 1)).astype(np.float32)
    >>> check_diagnosis(lambda image: jnp.stack([image.mean(), 0.5]) * 4, images)
    ()
    """
    findings = diagnose(classifier, images, targets=targets)
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if errors:
        raise InputError("; ".join(errors))
    for warning in findings:
        show(f"warning: {warning.message}")
    return findings


def _as_array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError):  # random keys, nested sequences of different lengths
        return np.asarray(None)
