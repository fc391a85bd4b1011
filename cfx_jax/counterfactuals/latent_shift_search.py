"""How far a latent shift goes: the searches for its factor lambda.

A search asks what becomes of a factor and answers with the factors of its final sweep, their
probabilities, and which one of them to take. Factors are those of the gradient of the target's own
probability, which a positive one raises at first. The released searches lower the probability of a
class by negative factors of its gradient; for two classes, with the other one as target, they take
the same steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from cfx_jax.backend import varying_like

_SMALLEST, _DOUBLINGS = 1e-5, 31


class Shifted(NamedTuple):
    """What becomes of one factor: the target's ``probability``, and the ``change`` of the image,
    the sum of its magnitudes as a share of the sum of the reconstruction's own."""

    probability: Float[Array, ""]
    change: Float[Array, ""]


class Sweep(NamedTuple):
    """``lambdas``, their ``probabilities`` and which of them is ``chosen``."""

    lambdas: Float[Array, " m"]
    probabilities: Float[Array, " m"]
    chosen: Int[Array, ""]


Shift = Callable[[Float[Array, ""]], Shifted]


class Search(Protocol):
    """Finds a factor."""

    def __call__(self, shift: Shift) -> Sweep: ...


def doubling(shift: Shift) -> Sweep:
    """Tries 1e-5 and its 30 doublings with both signs, and takes the best probability; of equals
    the smallest factor.

    The start and the doubling are those of Fontanella et al. 2023, appendix F; where it ends is not
    published.

    Args:
        shift: one factor -> what becomes of it.

    Returns:
        62 factors in the order of their size, the positive one of each size first.
    """
    kind = jax.eval_shape(shift, 0.0).probability
    sizes = jnp.asarray(_SMALLEST, kind.dtype) * 2.0 ** jnp.arange(_DOUBLINGS, dtype=kind.dtype)
    lambdas = varying_like(jnp.stack([sizes, -sizes], axis=1).reshape(-1), kind)
    probabilities = lax.map(lambda factor: shift(factor).probability, lambdas)
    # A decoder far off its manifold may give NaN, which argmax would take for the best.
    return Sweep(
        lambdas, probabilities, jnp.where(jnp.isnan(probabilities), -1, probabilities).argmax()
    )


@dataclass(frozen=True)
class Outwards:
    """Walks away from 0 until one of several bounds is passed, and takes the factor where it
    stopped.

    It also stops where the probability falls. The sweep then is of ten equal steps up to that
    factor.

    Attributes:
        advance: one factor -> the next.
        rise: of the probability above that of the reconstruction.
        furthest: factor.
        certain: probability.
        change: of the image, as a share.
        with_zero: whether the sweep begins at 0 instead of at its first step.
    """

    advance: Callable[[Float[Array, ""]], Float[Array, ""]]
    rise: float
    furthest: float
    certain: float = 1.0
    change: float = float("inf")
    with_zero: bool = False

    def __call__(self, shift: Shift) -> Sweep:
        kind = jax.eval_shape(shift, 0.0).probability
        zero = varying_like(jnp.zeros((), kind.dtype), kind)
        start = shift(zero)
        initial = start.probability

        def goes_on(state: tuple[Array, Array, Shifted]) -> Array:
            factor, last, (probability, change) = state
            stops = (
                (probability < last)
                | (probability > initial + self.rise)
                | (probability > self.certain)
            )
            return ~(stops | (factor >= self.furthest) | (change > self.change))

        def onwards(state: tuple[Array, Array, Shifted]) -> tuple[Array, Array, Shifted]:
            factor, _, shifted = state
            factor = self.advance(factor)
            return factor, shifted.probability, shift(factor)

        bound, _, _ = lax.while_loop(goes_on, onwards, (zero, initial, start))
        shares = jnp.linspace(0, 1, 10) if self.with_zero else jnp.linspace(0.1, 1, 10)
        lambdas = bound * shares.astype(kind.dtype)
        probabilities = lax.map(lambda factor: shift(factor).probability, lambdas)
        return Sweep(lambdas, probabilities, jnp.argmax(lambdas))


def _by_ones_then_tens(factor: Float[Array, ""]) -> Float[Array, ""]:
    return factor + jnp.where(factor < 10, 1, 10).astype(factor.dtype)


def _by_tenths(factor: Float[Array, ""]) -> Float[Array, ""]:
    return factor + 10 + jnp.ceil(factor / 10)


SEARCHES: dict[str, Search] = {
    "doubling": doubling,
    "gifsplanation": Outwards(_by_ones_then_tens, rise=0.15, furthest=1000),
    "latentshift": Outwards(
        _by_tenths, rise=0.8, furthest=3000, certain=0.95, change=0.05, with_zero=True
    ),
}
