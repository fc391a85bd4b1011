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

from cfx_jax.checks import check_choice
from cfx_jax.losses.cross_entropy import cross_entropy

Order = Literal["clean_first", "adversarial_first"]
"""Which prediction is the first argument of the divergence."""

ORDERS: tuple[Order, ...] = ("clean_first", "adversarial_first")


def trades_loss(
    clean_logits: Float[Array, "b k"],
    adversarial_logits: Float[Array, "b k"],
    labels: Int[Array, " b"],
    *,
    beta: float | Float[Array, ""],
    order: Order = "clean_first",
) -> Float[Array, ""]:
    """Cross-entropy of the clean logits plus ``beta`` times the mean divergence from or to the
    adversarial ones.

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
    """
    divergence = trades_divergence(clean_logits, adversarial_logits, order=order).mean()
    return cross_entropy(clean_logits, labels) + beta * divergence


def trades_divergence(
    clean_logits: Float[Array, "*b k"],
    adversarial_logits: Float[Array, "*b k"],
    *,
    order: Order = "clean_first",
) -> Float[Array, "*b"]:
    """The divergence that ``trades_loss`` averages, for each row.

    Args:
        clean_logits: logits of the images; the last axis holds the classes.
        adversarial_logits: logits of the adversarial images, same shape.
        order: as in ``trades_loss``.

    Returns:
        One value in nats for each row, at least 0 up to rounding.

    Raises:
        InputError: an unknown order.
    """
    return kl_divergence(*_in_order(clean_logits, adversarial_logits, order))


def log_trades_divergence(
    clean_logits: Float[Array, "*b k"],
    adversarial_logits: Float[Array, "*b k"],
    *,
    order: Order = "clean_first",
) -> Float[Array, "*b"]:
    """The logarithm of ``trades_divergence``, for attacks that follow its direction only: it does
    not saturate.

    Where both predictions are sure of one class, the divergence and its gradient underflow in
    float32 (margins of 100 and more); their logarithm does not.

    Args:
        clean_logits, adversarial_logits, order: as in ``trades_divergence``.

    Returns:
        One value for each row, with its gradient; -1e6 with gradient 0 where the rows are equal.

    Raises:
        InputError: an unknown order.
    """
    log_p, log_q = map(_log_softmax, _in_order(clean_logits, adversarial_logits, order))
    # The divergence is the sum of p (q / p - 1 - log(q / p)), of which no term is below 0 and none
    # cancels another.
    terms = _log_terms(log_p, log_q)
    return jax.nn.logsumexp(
        jnp.append(terms, jnp.full((*terms.shape[:-1], 1), -1e6, terms.dtype), axis=-1), axis=-1
    )


def _log_softmax(logits: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """That of JAX, but with all digits of the largest one's logarithm, which is near 0 where the
    prediction is sure.
    """
    below = logits - lax.stop_gradient(logits.max(axis=-1, keepdims=True))
    largest = jnp.arange(logits.shape[-1]) == logits.argmax(axis=-1, keepdims=True)
    own = jnp.where(largest, below, 0).sum(axis=-1, keepdims=True)
    return (
        below
        - own
        - jnp.log1p(jnp.where(largest, 0, jnp.exp(below - own)).sum(axis=-1, keepdims=True))
    )


def _log_terms(log_p: Float[Array, "*b k"], log_q: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """``log(q - p - p t)`` with t = log(q / p): by its series where t is small, and from q where it
    is large.
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
    return (clean, adversarial) if order == "clean_first" else (adversarial, clean)


def kl_divergence(
    logits: Float[Array, "*b k"], other_logits: Float[Array, "*b k"]
) -> Float[Array, "*b"]:
    """Kullback-Leibler divergence of the second softmax from the first, ``sum p (log p - log q)``.

    Args:
        logits: logits of ``p``; the last axis holds the classes.
        other_logits: logits of ``q``, same shape.

    Returns:
        One value in nats for each row, at least 0, with gradient 0 where the two rows are equal;
        both up to rounding.
    """
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other_logits)
    return (jnp.exp(log_p) * (log_p - log_q)).sum(axis=-1)
