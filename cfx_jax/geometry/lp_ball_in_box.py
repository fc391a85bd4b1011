"""The lp ball around an image, inside a box of pixel values, restricted to a mask.

Perturbations are ``delta = x - center``. The box leaves each pixel a head-room ``h_i`` in the direction in which it
moves, and none outside the mask. Three problems over ``{||delta||_p <= radius, box, mask}`` are solved exactly:

- the linear oracle (Boreiko et al. 2022, "Sparse Visual Counterfactual Explanations in Image Space", rebuilt): by its
  optimality conditions ``|delta_i| = min(h_i, s |w_i|^{1/(p-1)})`` with one number ``s``. The published routine sorts
  breakpoints and cancels in float32 (values of the objective near 0 for small gradients at p = 1.5, norms 1 % above
  the radius at p = 4); here a fixed point over the set of saturated pixels rises to ``s`` from below, in logarithms,
  without a sort and whatever the gradient's scale;
- the l2 projection, the same form with exponent 1 and ``s <= 1``;
- the l1 projection, ``|delta_i| = clip(|y_i| - level, 0, h_i)``, by a safeguarded Newton search for ``level``.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, PRNGKeyArray

from cfx_jax.checks import check_choice, check_dtype, check_positive, is_concrete
from cfx_jax.errors import InputError
from cfx_jax.geometry.constraint_set import ConstraintSet
from cfx_jax.geometry.exact import accurate_sum, weighted_threshold
from cfx_jax.geometry.lp_ball import lp_norm, project_l2, project_linf, sample_gaussian, sample_sphere
from cfx_jax.programs import compiled

_MAX_ROUNDS = 64
_Bracket = tuple[Array, Array, Array, Array, Array]


def lp_ball_in_box(
    center: Float[Array, "*shape"],
    radius: float | Float[Array, ""],
    p: float,
    *,
    lower: float = 0.0,
    upper: float = 1.0,
    mask: Bool[Array, "*mask"] | None = None,
    projection: str = "exact",
) -> ConstraintSet:
    """The images within ``radius`` of ``center`` in the lp norm, with values in [lower, upper], equal to it off a mask.

    Args:
        center: an image ``(h, w, c)`` (or any float array) with values in [lower, upper].
        radius: above 0, in units of the image's values; may be traced.
        p: the norm, at least 1 or ``inf``; a Python number.
        lower: smallest value allowed; ``-inf`` for none.
        upper: largest value allowed; ``inf`` for none.
        mask: True where the image may change, of the image's shape or ``(h, w)``; None allows every pixel.
        projection: ``"exact"``, the nearest point of the set, or ``"ball_then_box"``, the form APGD was published with
            (Croce and Hein 2020; p = 2 or inf): onto the ball, then clipped, which is feasible but for p = 2 not
            nearest.

    Returns:
        The set. ``project`` exists for p in {1, 2, inf}. ``linear_minimiser`` exists for every p, obeys the mask before
        it solves, does not depend on the gradient's scale, and is feasible to float32 rounding. ``sample`` draws as
        the norm's own attack starts: a point on the sphere (2, inf), the projection of a Gaussian (1), or the oracle's
        answer to a Gaussian (other p), then clipped.

    Raises:
        InputError: p < 1, radius not above 0, a centre outside the box, a mask of another shape, an unknown
            ``projection``; and ``project`` itself where p has no projection.
    """
    _check_arguments(center, radius, p, lower, upper, projection)
    center = jnp.asarray(center)  # of a NumPy array the values would be compiled in
    allowed = _broadcast_mask(mask, center)
    radius = jnp.asarray(radius, center.dtype)

    def headroom(direction: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        room = jnp.where(direction > 0, upper - center, jnp.where(direction < 0, center - lower, 0))
        return jnp.where(allowed, room, 0)

    def finish(delta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.where(allowed, jnp.clip(center + delta, lower, upper), center)

    def project(point: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        delta = jnp.where(allowed, point - center, 0)
        if projection == "ball_then_box":
            return finish(project_l2(delta, radius) if p == 2 else project_linf(delta, radius))
        return finish(jnp.sign(delta) * _project_magnitudes(jnp.abs(delta), headroom(delta), radius, p))

    def linear_minimiser(gradient: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        weights = jnp.where(allowed, jnp.abs(gradient), 0)
        return finish(-jnp.sign(gradient) * _largest_product(weights, headroom(-gradient), radius, p))

    def sample(key: PRNGKeyArray) -> Float[Array, "*shape"]:
        if p == 2 or math.isinf(p):
            return finish(radius * sample_sphere(key, center.shape, p, center.dtype))
        gaussian = sample_gaussian(key, center.shape, center.dtype)
        return project(center + gaussian) if p == 1 else linear_minimiser(gaussian)

    once = functools.partial(functools.partial, compiled)
    return ConstraintSet(once(project), once(linear_minimiser), once(sample), center, radius, float(p))


def _check_arguments(
    center: Array, radius: float | Array, p: float, lower: float, upper: float, projection: str
) -> None:
    check_dtype(center, name="center")
    check_positive(radius, name="radius")
    if not p >= 1:
        raise InputError(f"p: expected a norm with p >= 1 (or inf), got {p}: for p < 1 it is no norm")
    check_choice(projection, ("exact", "ball_then_box"), name="projection")
    if projection == "ball_then_box" and p not in (2, float("inf")):
        raise InputError(f"projection: 'ball_then_box' exists for p = 2 and inf, got p = {p}: use 'exact'")
    if is_concrete(center) and not _inside(np.asarray(center), lower, upper):
        raise InputError(f"center: expected finite values in [{lower:g}, {upper:g}]: clip the image first")


def _inside(values: np.ndarray, lower: float, upper: float) -> bool:
    return bool(np.isfinite(values).all() and (values >= lower).all() and (values <= upper).all())


def _broadcast_mask(mask: Bool[Array, "*mask"] | None, center: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    if mask is None:
        return jnp.ones(center.shape, bool)
    mask = jnp.asarray(mask)
    if mask.dtype != bool:
        raise InputError(f"mask: expected booleans (True where the image may change), got dtype {mask.dtype}")
    if mask.shape == center.shape[:-1]:
        mask = mask[..., None]
    if mask.shape not in (center.shape, (*center.shape[:-1], 1)):
        raise InputError(f"mask: expected shape {center.shape} or {center.shape[:-1]} like the image, got {mask.shape}")
    return jnp.broadcast_to(mask, center.shape)


def _project_magnitudes(
    size: Float[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """The magnitudes, between 0 and ``room``, nearest to ``size`` with lp norm at most ``radius``."""
    if math.isinf(p):
        return jnp.minimum(jnp.minimum(size, room), radius)
    if p == 2:
        clipped = jnp.minimum(size, room)
        shortened = _saturating_profile(jnp.log(size), room, radius, 2)
        return jnp.where(lp_norm(clipped, 2) <= radius, clipped, shortened)
    if p == 1:
        return _shrink_to(jnp.minimum(room, radius), size, radius)
    raise InputError(
        f"project: there is no exact projection onto the l{p:g} ball, it exists for p in 1, 2, inf: use Auto-Frank-Wolfe"
        " (optimise.auto_frank_wolfe), which needs the linear oracle only"
    )


def _largest_product(
    weights: Float[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """The magnitudes t, between 0 and ``room`` with lp norm at most ``radius``, that maximise ``<weights, t>``."""
    room = jnp.where(weights > 0, room, 0)
    if math.isinf(p):
        return jnp.minimum(room, radius)
    if p == 1:
        return _knapsack(weights, jnp.minimum(room, radius), radius)
    largest = weights.max()
    logarithm = jnp.log(weights / jnp.where(largest > 0, largest, 1)) / (p - 1)
    return _saturating_profile(logarithm, room, radius, p)


def _knapsack(
    weights: Float[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """p = 1: fill the pixels of largest weight; those of equal weight at the border share what is left."""
    border = weighted_threshold(weights, room, radius)
    filled = jnp.where(weights > border, room, 0)
    at_border = jnp.where(weights == border, room, 0)
    share = (radius - accurate_sum(filled)) / jnp.maximum(accurate_sum(at_border), jnp.finfo(room.dtype).tiny)
    return _within(filled + jnp.clip(share, 0, 1) * at_border, radius, 1)


def _saturating_profile(
    log_profile: Float[Array, "*shape"], room: Float[Array, "*shape"], radius: Float[Array, ""], p: float
) -> Float[Array, "*shape"]:
    """``min(room, s * exp(log_profile))`` with the ``s`` that brings its lp norm to ``radius`` (or all of ``room``).

    Works in units of the radius and in logarithms. Given the saturated set S, the rest must carry
    ``s^p sum exp(p log_profile) = 1 - sum_S room^p``; a larger ``s`` saturates more pixels, so ``s`` rises to the
    solution and the iteration ends when no pixel joins S.
    """
    room = jnp.minimum(room / radius, 1)
    log_profile = jnp.where(room > 0, log_profile, -jnp.inf)
    budget = room**p
    log_break = jnp.log(room) - log_profile

    def scale_given(saturated: Bool[Array, "*shape"]) -> Float[Array, ""]:
        free = jnp.where(saturated, -jnp.inf, log_profile)
        top = jnp.where(jnp.isfinite(free.max()), free.max(), 0)
        carried = jnp.log(accurate_sum(jnp.exp(p * (free - top))))
        left = jnp.maximum(1 - accurate_sum(jnp.where(saturated, budget, 0)), 0)
        return (jnp.log(left) - carried) / p - top

    def saturation(log_scale: Float[Array, ""]) -> Bool[Array, "*shape"]:
        return (log_profile > -jnp.inf) & (log_break <= log_scale)

    def grow(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        log_scale, _, rounds = carry
        saturated = saturation(log_scale)
        new = jnp.maximum(scale_given(saturated), log_scale)
        return new, saturation(new).sum() > saturated.sum(), rounds + 1

    def unsettled(carry: tuple[Array, Array, Array]) -> Array:
        _, joined, rounds = carry
        return joined & (rounds < _MAX_ROUNDS)

    start = (scale_given(jnp.zeros(room.shape, bool)), jnp.ones((), bool), jnp.zeros((), jnp.int32))
    log_scale, _, _ = lax.while_loop(unsettled, grow, start)
    partial = jnp.minimum(room, jnp.exp(log_profile + log_scale))
    reachable = jnp.where(log_profile > -jnp.inf, room, 0)
    everything_fits = accurate_sum(jnp.where(reachable > 0, budget, 0)) <= 1
    return _within(radius * jnp.where(everything_fits, reachable, partial), radius, p)


def _shrink_to(
    room: Float[Array, "*shape"], size: Float[Array, "*shape"], radius: Float[Array, ""]
) -> Float[Array, "*shape"]:
    """``clip(size - level, 0, room)`` with the level >= 0 that brings its sum to ``radius``; 0 where it fits already."""

    def total(level: Float[Array, ""]) -> Float[Array, ""]:
        return accurate_sum(jnp.clip(size - level, 0, room))

    def narrow(bracket: _Bracket) -> _Bracket:
        low, high, level, rounds, _ = bracket
        excess = total(level) - radius
        low, high = jnp.where(excess > 0, level, low), jnp.where(excess > 0, high, level)
        slope = ((size > level) & (size - level < room)).sum().astype(size.dtype)
        newton = level + excess / jnp.maximum(slope, 1)
        # Newton settles within a linear piece at once; every third step halves the bracket, so it cannot stall.
        trusted = (newton > low) & (newton < high) & (rounds % 3 < 2)
        settled = jnp.abs(excess) <= tolerance
        following = jnp.where(trusted, newton, (low + high) / 2)
        return low, high, jnp.where(settled, level, following), rounds + 1, settled

    def unsettled(bracket: _Bracket) -> Array:
        low, high, level, rounds, settled = bracket
        return ~settled & (level > low) & (level < high) & (rounds < _MAX_ROUNDS)

    tolerance = 4 * jnp.finfo(size.dtype).eps * radius
    zero = jnp.zeros((), size.dtype)
    start = (zero, size.max(), size.max() / 2, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    _, high, level, _, settled = lax.while_loop(unsettled, narrow, start)
    level = jnp.where(total(zero) <= radius, zero, jnp.where(settled, level, high))
    return _within(jnp.clip(size - level, 0, room), radius, 1)


def _within(magnitudes: Float[Array, "*shape"], radius: Float[Array, ""], p: float) -> Float[Array, "*shape"]:
    """Takes back the last rounding: scales down where the norm came out above the radius."""
    norm = lp_norm(magnitudes, p)
    return jnp.where(norm > radius, magnitudes * (radius / jnp.where(norm > 0, norm, 1)), magnitudes)
