"""The magnitudes of a change within an lp ball, each at most its head-room.

The magnitude of pixel i is at most ``h_i``, the room that the box leaves it. Three problems are
solved exactly:

- the linear oracle ``argmax_t <w, t>`` (Boreiko et al. 2022, "Sparse Visual Counterfactual
  Explanations in Image Space", rebuilt). Its optimality conditions give
  ``t_i = min(h_i, s w_i^{1/(p-1)})`` with one number ``s``, which brings the norm to the radius.
  The published routine sorts breakpoints and cancels in float32 (values of the objective near 0 for
  small gradients at p = 1.5, norms 1 % above the radius at p = 4). Here a fixed point over the set
  of saturated pixels, those with ``t_i = h_i``, rises to ``s`` from below, in logarithms, without a
  sort and whatever the gradient's scale. Where the rise is slow, as it is for p near 1, a bisection
  over the set takes over;
- the projection ``argmin_t ||t - y||_2`` for p = 2, which has the same form:
  ``t_i = min(h_i, s y_i)`` with ``s <= 1``;
- the projection for p = 1: ``t_i = clip(y_i - level, 0, h_i)``, by a safeguarded Newton search for
  the ``level >= 0`` that brings the sum to the radius.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from cfx_jax.backend import varying_like
from cfx_jax.errors import InputError
from cfx_jax.geometry.exact import (
    accurate_sum,
    log_magnitude,
    magnitude_bits,
    power,
    threshold_of_bits,
)
from cfx_jax.geometry.lp_ball import lp_norm

_MAX_RISES = 12
_MAX_ROUNDS = 128
_Bracket = tuple[Array, Array, Array, Array, Array]
"""The lower and the upper end, the level between them, the rounds done, whether it is settled."""


def project_magnitudes(
    size: Float[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """The projection of magnitudes, for p in {1, 2, inf}.

    ``argmin_t ||t - size||_2`` over ``0 <= t <= room`` and ``||t||_p <= radius``.

    Args:
        size: the magnitudes that are projected.
        room: the largest magnitudes.
        radius: the radius of the ball.
        p: 1, 2 or inf.

    Raises:
        InputError: another p, for which there is no exact projection.
    """
    if math.isinf(p):
        return jnp.minimum(jnp.minimum(size, room), radius)
    if p == 2:
        clipped = jnp.minimum(size, room)
        shortened = _saturating_profile(log_magnitude(magnitude_bits(size)), room, radius, 2)
        return jnp.where(lp_norm(clipped, 2) <= radius, clipped, shortened)
    if p == 1:
        return _shrink_to(jnp.minimum(room, radius), size, radius)
    raise InputError(
        f"project: there is no exact projection onto the l{p:g} ball, it exists for p in 1, 2, inf:"
        " use Auto-Frank-Wolfe (optimise.auto_frank_wolfe), which needs the linear oracle only"
    )


def largest_product(
    weights: Int[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """The magnitudes of the linear oracle's answer.

    ``argmax_t <w, t>`` over ``0 <= t <= room`` and ``||t||_p <= radius``.

    Args:
        weights: the bits of w, from ``magnitude_bits``.
        room: the largest magnitudes.
        radius: the radius of the ball.
        p: at least 1.
    """
    room = jnp.where(weights > 0, room, 0)
    if math.isinf(p):
        return jnp.minimum(room, radius)
    if p == 1:
        return _knapsack(weights, jnp.minimum(room, radius), radius)
    logarithm = log_magnitude(weights)
    largest = logarithm.max()
    return _saturating_profile(
        (logarithm - jnp.where(jnp.isfinite(largest), largest, 0)) / (p - 1), room, radius, p
    )


def _knapsack(
    weights: Int[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """The linear oracle for p = 1, which fills the pixels of largest weight.

    Pixels of equal weight at the border share what is left of the radius.
    """
    border = threshold_of_bits(weights, room, radius)
    filled = jnp.where(weights > border, room, 0)
    at_border = jnp.where(weights == border, room, 0)
    share = (radius - accurate_sum(filled)) / jnp.maximum(
        accurate_sum(at_border), jnp.finfo(room.dtype).tiny
    )
    return _within(filled + jnp.clip(share, 0, 1) * at_border, radius, 1)


def _saturating_profile(
    log_profile: Float[Array, "*shape"],
    room: Float[Array, "*shape"],
    radius: Float[Array, ""],
    p: float,
) -> Float[Array, "*shape"]:
    """``min(room, s * exp(log_profile))`` with the ``s`` that brings its lp norm to ``radius``.

    Where all of ``room`` is within the radius, it is the answer. Everything is in units of the
    radius and in logarithms.

    A pixel is saturated where ``s * exp(log_profile) >= room``. Given the saturated set A, the
    other pixels have to carry the rest of the norm:

        s^p * sum_{not A} exp(p * log_profile) = 1 - sum_A room^p.

    The ``s`` of this equation is at most the solution's as long as A is a part of the solution's
    set, and every pixel that it saturates belongs to that set too. So A grows from the empty set,
    and its ``s`` rises, until no pixel joins.
    """
    room = jnp.minimum(room / radius, 1)
    log_profile = jnp.where(room > 0, log_profile, -jnp.inf)
    can_move = log_profile > -jnp.inf
    # What a saturated pixel takes of the norm's p-th power, which is 1 in all.
    saturated_power = jnp.where(can_move, power(room, p), 0)
    # The logarithm of the s from which on a pixel is saturated.
    log_room = jnp.log(room)
    log_break = jnp.where(can_move, log_room - log_profile, jnp.inf)

    def top_and_log_share(saturated: Bool[Array, "*shape"]) -> tuple[Array, Array]:
        """The largest level of the free pixels' profile, and the logarithm of the magnitude there.

        For p near 1 the levels are so large that only differences of them are exact: instead of s
        itself the magnitude at one level is computed.
        """
        free = jnp.where(saturated, -jnp.inf, log_profile)
        top = jnp.where(jnp.isfinite(free.max()), free.max(), 0)
        free_power = accurate_sum(jnp.exp(p * (free - top)))
        power_left = jnp.maximum(1 - accurate_sum(jnp.where(saturated, saturated_power, 0)), 0)
        return top, (jnp.log(power_left) - jnp.log(free_power)) / p

    def log_unbounded(saturated: Bool[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The logarithm of ``s * exp(log_profile)`` for the ``s`` of a saturated set."""
        top, log_share = top_and_log_share(saturated)
        return log_profile - top + log_share

    # 1. The rise. Most often a few rounds are enough; it stops after 12 of them.
    def grow(rise: _Rise) -> _Rise:
        saturated = rise.saturated | (can_move & (log_unbounded(rise.saturated) >= log_room))
        return _Rise(saturated, (saturated != rise.saturated).any(), rise.num_rounds + 1)

    def grow_until_none_joins(start: _Rise) -> _Rise:
        start = varying_like(start, jax.typeof(log_profile))
        return lax.while_loop(
            lambda rise: rise.has_joined & (rise.num_rounds < _MAX_RISES), grow, start
        )

    zero = jnp.zeros((), jnp.int32)
    rise = grow_until_none_joins(_Rise(jnp.zeros(room.shape, bool), jnp.ones((), bool), zero))

    # 2. The bisection over log s, between the largest break reached and the largest of all; where
    # the rise has ended by itself, the bracket is empty and nothing is done.
    def halve(bracket: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, high, num_rounds = bracket
        middle = low + (high - low) / 2
        # The pixels that break at or below the middle are a part of the solution's set where the
        # last of them is saturated by the s that they give.
        saturated = log_break <= middle
        last = jnp.where(saturated, log_break, -jnp.inf).argmax()
        top, log_share = top_and_log_share(saturated)
        is_part_of_solution = log_profile.reshape(-1)[last] - top + log_share >= jnp.log(
            room.reshape(-1)[last]
        )
        return (
            jnp.where(is_part_of_solution, middle, low),
            jnp.where(is_part_of_solution, high, middle),
            num_rounds + 1,
        )

    def is_wide(bracket: tuple[Array, Array, Array]) -> Array:
        low, high, num_rounds = bracket
        middle = low + (high - low) / 2
        return (middle > low) & (middle < high) & (num_rounds < _MAX_ROUNDS)

    reached_break = jnp.where(rise.saturated, log_break, -jnp.inf).max()
    largest_break = jnp.where(can_move, log_break, -jnp.inf).max()
    bracket = varying_like(
        (reached_break, jnp.where(rise.has_joined, largest_break, reached_break), zero),
        jax.typeof(log_profile),
    )
    low, _, _ = lax.while_loop(is_wide, halve, bracket)

    # 3. A last rise, from the set of the bisection.
    rise = grow_until_none_joins(_Rise(rise.saturated | (log_break <= low), rise.has_joined, zero))
    unbounded = jnp.exp(log_unbounded(rise.saturated))
    magnitudes = jnp.where(rise.saturated, room, jnp.minimum(room, unbounded))
    everything_fits = accurate_sum(saturated_power) <= 1
    magnitudes = jnp.where(can_move, jnp.where(everything_fits, room, magnitudes), 0)
    # Rounding may have brought the norm, which is at most 1 here, above it.
    norm = accurate_sum(power(magnitudes, p)) ** (1 / p)
    return radius * (magnitudes / jnp.maximum(norm, 1))


class _Rise(NamedTuple):
    """The rise of the saturated set.

    Attributes:
        saturated: the saturated pixels so far.
        has_joined: whether any pixel joined them in the last round.
        num_rounds: how many rounds were done.
    """

    saturated: Bool[Array, "*shape"]
    has_joined: Bool[Array, ""]
    num_rounds: Int[Array, ""]


def _shrink_to(
    room: Float[Array, "*shape"], size: Float[Array, "*shape"], radius: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """``clip(size - level, 0, room)`` with the level >= 0 that brings its sum to ``radius``.

    The level is 0 where the sum of ``clip(size, 0, room)`` is within the radius already. The sum is
    piecewise linear in the level and falls with it.
    """

    def total(level: Float[Array, ""]) -> Float[Array, ""]:
        return accurate_sum(jnp.clip(size - level, 0, room))

    def narrow(bracket: _Bracket) -> _Bracket:
        low, high, level, num_rounds, _ = bracket
        excess = total(level) - radius
        low, high = jnp.where(excess > 0, level, low), jnp.where(excess > 0, high, level)
        # As many pixels fall with the level as are strictly between their bounds.
        slope = ((size > level) & (size - level < room)).sum().astype(size.dtype)
        newton = level + excess / jnp.maximum(slope, 1)
        # Newton settles within a linear piece at once; every third step halves the bracket, so it
        # cannot stall.
        is_trusted = (newton > low) & (newton < high) & (num_rounds % 3 < 2)
        is_settled = jnp.abs(excess) <= tolerance
        # Halved in its bits, that is in its digits and its exponent: the points may be far away.
        low_bits, high_bits = magnitude_bits(low), magnitude_bits(high)
        middle = lax.bitcast_convert_type(low_bits + (high_bits - low_bits) // 2, size.dtype)
        next_level = jnp.where(is_trusted, newton, middle)
        return low, high, jnp.where(is_settled, level, next_level), num_rounds + 1, is_settled

    def is_open(bracket: _Bracket) -> Array:
        low, high, level, num_rounds, is_settled = bracket
        return ~is_settled & (level > low) & (level < high) & (num_rounds < _MAX_ROUNDS)

    tolerance = 4 * jnp.finfo(size.dtype).eps * radius
    zero = jnp.zeros((), size.dtype)
    start = (zero, size.max(), size.max() / 2, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    start = varying_like(start, jax.typeof(size.max() * room.max() * radius))
    _, high, level, _, is_settled = lax.while_loop(is_open, narrow, start)
    # An unsettled search takes the upper end, whose sum is not above the radius.
    level = jnp.where(total(zero) <= radius, zero, jnp.where(is_settled, level, high))
    return _within(jnp.clip(size - level, 0, room), radius, 1)


def _within(
    magnitudes: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """Scales magnitudes down where rounding has brought their norm above the radius."""
    norm = lp_norm(magnitudes, p)
    return jnp.where(norm > radius, magnitudes * (radius / jnp.maximum(norm, radius)), magnitudes)
