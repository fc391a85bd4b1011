"""TRADES (Zhang et al. 2019, "Theoretically Principled Trade-off between Robustness and Accuracy").

The loss is ``CE(z, y) + beta * KL(p || p')`` with ``p = softmax(z)`` of the clean and
``p' = softmax(z')`` of the adversarial images, each averaged over the batch. The gradient flows
through both arguments of the divergence, as in the published code. Boreiko et al. 2022 print the
divergence with its arguments exchanged (their equation 1, ``order="adversarial_first"``), while
their code has this order, which is the default.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from cfx_jax.checks import check_choice, check_number
from cfx_jax.losses.checks import check_alike
from cfx_jax.losses.cross_entropy import cross_entropy

Order = Literal["clean_first", "adversarial_first"]
"""Which prediction is the first argument of the divergence."""
_ORDER: Order = "clean_first"

ORDERS: tuple[Order, ...] = ("clean_first", "adversarial_first")


def trades_loss(
    clean_logits: Float[Array, "b k"],
    adversarial_logits: Float[Array, "b k"],
    labels: Int[Array, " b"],
    *,
    beta: float | Float[Array, ""],
    order: Order = _ORDER,
) -> Float[Array, ""]:
    """Computes the loss of TRADES: cross-entropy plus ``beta`` times the mean divergence, in nats.

    The divergence is from or to the adversarial logits.

    Args:
        clean_logits: logits of the images.
        adversarial_logits: logits of the same images after the inner maximisation, in the same
            order.
        labels: class indices in 0..k-1.
        beta: weight of the divergence, at least 0; 0 leaves the cross-entropy.
        order: ``"clean_first"`` for ``KL(p || p')`` of the published codes, ``"adversarial_first"``
            for ``KL(p' || p)``.

    Returns:
        The loss in nats, at least 0.

    Raises:
        InputError: an unknown order.

    >>> clean, adversarial = jnp.array([[9.0, 0.0]]), jnp.array([[0.0, 0.0]])
    >>> round(float(trades_loss(clean, adversarial, jnp.array([0]), beta=2.0)), 3)
    1.384
    """
    check_number(beta, name="beta")
    divergence = trades_divergence(clean_logits, adversarial_logits, order=order).mean()
    return cross_entropy(clean_logits, labels) + beta * divergence


def trades_divergence(
    clean_logits: Float[Array, "*b k"],
    adversarial_logits: Float[Array, "*b k"],
    *,
    order: Order = _ORDER,
) -> Float[Array, "*b"]:
    """Computes the divergence that ``trades_loss`` averages, for each row, in nats.

    Args:
        clean_logits: logits of the images; the last axis holds the classes.
        adversarial_logits: logits of the adversarial images, same shape.
        order: as in ``trades_loss``.

    Returns:
        One value in nats for each row, at least 0 up to rounding.

    Raises:
        InputError: an unknown order.

    >>> logits = jnp.array([[1.0, 0.0], [0.0, 2.0]])
    >>> trades_divergence(logits, logits).tolist()
    [0.0, 0.0]
    """
    return kl_divergence(*_in_order(clean_logits, adversarial_logits, order))


def log_trades_divergence(
    clean_logits: Float[Array, "*b k"],
    adversarial_logits: Float[Array, "*b k"],
    *,
    order: Order = _ORDER,
) -> Float[Array, "*b"]:
    """Computes the logarithm of ``trades_divergence``, for attacks that follow its direction only.

    Where both predictions are sure of one class, the divergence and its gradient underflow in
    float32 (margins of 100 and more); their logarithm does not.

    Args:
        clean_logits, adversarial_logits, order: as in ``trades_divergence``.

    Returns:
        One value for each row, with its gradient; -1e6 with gradient 0 where the rows are equal.

    Raises:
        InputError: an unknown order.

    >>> clean, adversarial = jnp.array([[500.0, 0.0]]), jnp.array([[400.0, 0.0]])
    >>> round(float(log_trades_divergence(clean, adversarial)[0]))  # the divergence underflows
    -400
    """
    log_p, log_q = map(_log_softmax, _in_order(clean_logits, adversarial_logits, order))
    # The divergence is the sum of p (q / p - 1 - log(q / p)), of which no term is below 0 and none
    # cancels another.
    terms = _log_terms(log_p, log_q)
    return jax.nn.logsumexp(
        jnp.append(terms, jnp.full((*terms.shape[:-1], 1), -1e6, terms.dtype), axis=-1), axis=-1
    )


def _log_softmax(logits: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """Computes the log-softmax with all digits of the logarithm of the largest probability.

    It is near 0 where the prediction is sure, and JAX's own loses digits there.
    """
    below = logits - lax.stop_gradient(logits.max(axis=-1, keepdims=True))
    largest = jnp.arange(logits.shape[-1]) == logits.argmax(axis=-1, keepdims=True)
    highest = jnp.where(largest, below, 0).sum(axis=-1, keepdims=True)
    return (
        below
        - highest
        - jnp.log1p(jnp.where(largest, 0, jnp.exp(below - highest)).sum(axis=-1, keepdims=True))
    )


def _log_terms(log_p: Float[Array, "*b k"], log_q: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """Computes ``log(q - p - p t)`` with t = log(q / p).

    It is computed by its series where t is small, and from q where t is large.
    """
    rise = log_q - log_p
    large, other = jnp.maximum(rise, 1), jnp.minimum(rise, 1)
    small = jnp.where(jnp.abs(other) < 0.05, other, 0)
    series = small**2 * (1 / 2 + small / 6 + small**2 / 24 + small**3 / 120)
    excess = jnp.where(jnp.abs(other) < 0.05, series, jnp.expm1(other) - other)
    logarithm = jnp.where(excess > 0, jnp.log(jnp.where(excess > 0, excess, 1)), -jnp.inf)
    return jnp.where(rise > 1, log_q + jnp.log1p(-(1 + large) * jnp.exp(-large)), log_p + logarithm)


def _in_order(clean: Array, adversarial: Array, order: Order) -> tuple[Array, Array]:
    check_choice(order, ORDERS, name="order")
    check_alike(clean_logits=clean, adversarial_logits=adversarial)
    return (clean, adversarial) if order == "clean_first" else (adversarial, clean)


def kl_divergence(
    logits: Float[Array, "*b k"], other_logits: Float[Array, "*b k"]
) -> Float[Array, "*b"]:
    """Computes the Kullback-Leibler divergence of two softmaxes, ``sum p (log p - log q)``.

    The second softmax diverges from the first.

    Args:
        logits: logits of ``p``; the last axis holds the classes.
        other_logits: logits of ``q``, same shape.

    Returns:
        One value in nats for each row, at least 0, with gradient 0 where the two rows are equal;
        both up to rounding.

    >>> kl_divergence(jnp.array([[0.0, 0.0]]), jnp.array([[0.0, 0.0]])).tolist()
    [0.0]
    """
    check_alike(logits=logits, other_logits=other_logits)
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other_logits)
    return (jnp.exp(log_p) * (log_p - log_q)).sum(axis=-1)
