"""Scalar functions of one image: scores that attributions explain, and objectives to minimise.

For two classes they depend on one number, the logit difference. For any number of classes, where a
probability has rounded to 0 or 1 in float32, gradients keep their direction and values their order.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.array_types import at_least_float32
from cfx_jax.checks import check_array, check_callable, check_choice, check_target, number_of_logits
from cfx_jax.errors import InputError

_A = TypeVar("_A", Array, np.ndarray)

Classifier = Callable[[Float[Array, "h w c"]], Float[Array, " k"]]


def log_odds(logits: Float[Array, " k"], target: Int[Array, ""] | int) -> Float[Array, ""]:
    """The logit of the target's probability, ``log p - log(1 - p)``.

    Args:
        logits: one image's.
        target: a class index; may be traced: one that names no class then returns NaN, and a
            gradient of NaN.

    Raises:
        InputError: fewer than two logits, or a target that is no class.

    Example:
        >>> float(log_odds(jnp.array([1.0, 3.0]), 1))
        2.0
    """
    target_logit = value_of_class(logits, target)
    others = jnp.where(jnp.arange(logits.shape[0]) == target, -jnp.inf, at_least_float32(logits))
    return target_logit - jax.nn.logsumexp(others)


def value_of_class(
    values: Float[Array, " k"], target: Int[Array, ""] | int, *, name: str = "target"
) -> Float[Array, ""]:
    """The entry of one class; NaN for a traced class that does not exist.

    JAX's own indexing would take the entry of another class.

    Args:
        values: one image's logits, or other values of the classes.
        target: a class index; may be traced: one that names no class then returns NaN, and a
            gradient of NaN.
        name: the argument's name in messages.

    Raises:
        InputError: fewer than two values, or a target that is no class.

    Example:
        >>> logits = jnp.array([1.0, 3.0])
        >>> float(value_of_class(logits, 1)), float(jax.jit(value_of_class)(logits, 2))
        (3.0, nan)
    """
    count = number_of_logits(values)
    check_target(target, count, name=name)
    # A factor, so that the derivative is NaN too.
    exists = jnp.where((jnp.asarray(target) >= 0) & (jnp.asarray(target) < count), 1, jnp.nan)
    entry = at_least_float32(values[target])
    return entry * exists.astype(entry.dtype)


def decision(logits: Float[_A, "*b k"]) -> Int[_A, "*b"]:
    """The class that a classifier decides on.

    Of two classes it is class 1 from a probability of one half, of more the most probable class.

    Args:
        logits: the logits of one image, or of many; probabilities give the same.

    Returns:
        A class index for each; of equal logits of three and more classes the first.

    Raises:
        InputError: no array, or fewer than two logits, between which there is nothing to decide.

    Example:
        >>> decision(jnp.array([[1.0, 3.0], [2.0, 2.0], [1.0, 0.0]])).tolist()
        [1, 1, 0]
    """
    check_array(logits, name="logits")
    if not logits.ndim or logits.shape[-1] < 2:
        raise InputError(
            "logits: expected two and more classes to decide between, got shape"
            f" {logits.shape}: models.two_logits makes a classifier of two classes of a"
            " network with one logit"
        )
    if logits.shape[-1] == 2:
        return (logits[..., 1] >= logits[..., 0]).astype(jnp.int32)
    return logits.argmax(axis=-1).astype(jnp.int32)


def class_score(
    classifier: Classifier, target: Int[Array, ""] | int, *, of: str = "log_odds"
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """A score of one image for a class, which an attribution explains.

    For two classes each has a score of its own, so an image predicted 0 is explained by the score
    of class 0 (Charachon et al. 2020 and 2021: f or 1 - f). With ``"log_odds"`` the score is then
    the difference of the two logits, that is the one logit z of a sigmoid network for class 1 and
    -z for class 0: the maps of the two classes differ by their sign alone.

    Args:
        classifier: one image -> logits ``(k,)``.
        target: the class; may be traced, and one that the classifier has not then returns NaN.
            Attributions compile once for each ``int``, but once for all JAX arrays.
        of: the quantity to explain. ``"log_odds"``, ``log p - log(1 - p)``, does not saturate.
            ``"logit"`` is the class's own and ignores the other classes. The gradient of
            ``"probability"``, in [0, 1], vanishes where it saturates. The last one is
            ``"log_probability"``.

    Returns:
        A function of one image.

    Raises:
        InputError: ``of`` is none of these; of the score, when it is called: a target that is no
            class, or a classifier of one logit (``models.two_logits`` makes one of two).

    Example:
        >>> score = class_score(lambda image: jnp.array([0.0, 4.0]) * image.mean(), 1)
        >>> float(score(jnp.full((2, 2, 1), 0.5)))
        2.0
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    check_choice(of, tuple(_SCORES), name="of")
    return lambda image: _SCORES[of](classifier(image), target)


_SCORES: dict[str, Callable[[Array, Any], Array]] = {
    "log_odds": log_odds,
    "logit": value_of_class,
    "probability": lambda logits, target: value_of_class(
        jax.nn.softmax(at_least_float32(logits)), target
    ),
    "log_probability": lambda logits, target: -jax.nn.softplus(-log_odds(logits, target)),
}


def negative_log_probability(
    classifier: Classifier, target: Int[Array, ""] | int
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """``-log p(target | image)``, the objective of a visual counterfactual.

    Boreiko et al. 2022, equation 3.

    Computed as ``softplus(-log_odds)``, whose gradient is not zero before p is within 1e-38 of 1.

    Args:
        classifier: one image -> logits ``(k,)``.
        target: a class index; may be traced, and one that the classifier has not then returns NaN.

    Returns:
        A function of one image, at least 0; it raises ``InputError`` as ``log_odds``.

    Example:
        >>> objective = negative_log_probability(lambda image: jnp.zeros(2) * image.mean(), 1)
        >>> round(float(objective(jnp.ones((2, 2, 1)))), 3)  # -log(1/2)
        0.693
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    return lambda image: jax.nn.softplus(-log_odds(classifier(image), target))


def negative_margin(
    classifier: Classifier, label: Int[Array, ""] | int
) -> Callable[[Float[Array, "h w c"]], Float[Array, ""]]:
    """The margin ``logit[label] - max(other logits)``, below 0 where the image is misclassified.

    To minimise it is to attack. For two classes its gradient is a positive multiple of the gradient
    of ``log p(label)``. Attacks with normalised steps then follow the same path as with the
    log-probability, for every temperature.

    Args:
        classifier: one image -> logits ``(k,)``.
        label: the class to move away from; may be traced, and one that the classifier has not then
            returns NaN.

    Returns:
        A function of one image; it raises ``InputError`` as ``log_odds``.

    Example:
        >>> margin = negative_margin(lambda image: jnp.array([0.0, 4.0]) * image.mean(), 0)
        >>> float(margin(jnp.full((2, 2, 1), 0.5)))
        -2.0
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")

    def margin(image: Float[Array, "h w c"]) -> Float[Array, ""]:
        logits = classifier(image)
        label_logit = value_of_class(logits, label, name="label")
        others = jnp.where(jnp.arange(logits.shape[0]) == label, -jnp.inf, logits)
        return label_logit - at_least_float32(others.max())

    return margin
