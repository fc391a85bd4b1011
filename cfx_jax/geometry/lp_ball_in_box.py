"""The lp ball around an image, inside a box of pixel values, restricted to a mask.

In terms of the change ``delta = x - center`` the set is

    S = {delta: ||delta||_p <= radius, lower <= center + delta <= upper, delta = 0 off the mask}.

The box leaves the change of pixel i a head-room ``h_i``, in the direction in which it moves, and
none outside of the mask. ``bounded_magnitudes`` solves for the magnitudes of a change.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, PRNGKeyArray

from cfx_jax.checks import (
    check_array,
    check_choice,
    check_dtype,
    check_norm,
    check_number,
    check_positive,
    is_concrete,
)
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError
from cfx_jax.geometry.bounded_magnitudes import largest_product, project_magnitudes
from cfx_jax.geometry.constraint_set import ConstraintSet
from cfx_jax.geometry.exact import magnitude_bits
from cfx_jax.geometry.lp_ball import project_l2, project_linf, sample_gaussian, sample_sphere


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
    """The images within ``radius`` of ``center`` in the lp norm.

    Their values are in [lower, upper]. Outside of a mask they equal ``center``.

    Args:
        center: an image ``(h, w, c)`` (or any float array) with values in [lower, upper].
        radius: above 0, in units of the image's values; may be traced.
        p: the norm, at least 1 or ``inf``; a Python number.
        lower: smallest value allowed; ``-inf`` for none.
        upper: largest value allowed; ``inf`` for none.
        mask: True where the image may change, of the image's shape or ``(h, w)``; None allows every
            pixel.
        projection: ``"exact"``, the nearest point of the set, or ``"ball_then_box"``, the form APGD
            was published with (Croce and Hein 2020; p = 2 or inf): onto the ball, then clipped,
            which is feasible but for p = 2 not nearest.

    Returns:
        The set, with three functions:

        - ``project`` exists for p in {1, 2, inf}. An entry of NaN stays at the centre.
        - ``linear_minimiser`` exists for every p. It obeys the mask before it solves, does not
          depend on the gradient's scale (from the smallest subnormal number to the largest), and is
          feasible to float32 rounding. A gradient with NaN or infinity where the mask allows a
          change has no direction and yields the centre.
        - ``sample`` draws as the norm's own attack starts: a point on the sphere (2, inf), the
          projection of a Gaussian (1), or the minimiser of a Gaussian (other p), then clipped.

    Raises:
        InputError: p < 1, radius not above 0, a centre outside the box, a mask whose shape does
            not fit the centre, an unknown ``projection``; and ``project`` itself where p has
            no projection.

    Example:
        >>> ball = lp_ball_in_box(jnp.array([[0.0, 0.5]])[..., None], 0.5, 2)
        >>> ball.project(jnp.array([[-1.0, 2.0]])[..., None])[..., 0].tolist()
        [[0.0, 1.0]]
        >>> ball.linear_minimiser(jnp.array([[1.0, 1.0]])[..., None])[..., 0].round(3).tolist()
        [[0.0, 0.0]]
    """
    _check_arguments(center, radius, p, lower, upper, projection)
    center = jnp.asarray(center)  # of a NumPy array the values would be compiled in
    # All is computed in one dimension: along a last axis of three colours no loop of a CPU works on
    # several numbers at once.
    flat_center = center.reshape(-1)  # (h, w, c) -> (d,)
    allowed = _flat_mask(mask, center)
    info = jnp.finfo(center.dtype)
    # So that neither the radius nor its reciprocal is subnormal; no image in a box can tell the
    # difference.
    radius = jnp.clip(jnp.asarray(radius, center.dtype), info.tiny, float(info.max) / 8)

    def headroom(rising: Bool[Array, " d"]) -> Float[Array, " d"]:
        return jnp.where(allowed, jnp.where(rising, upper - flat_center, flat_center - lower), 0)

    def finish(delta: Float[Array, " d"]) -> Float[Array, "*shape"]:
        moved = jnp.where(allowed, jnp.clip(flat_center + delta, lower, upper), flat_center)
        return moved.reshape(center.shape)

    def project(point: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        delta = jnp.nan_to_num(jnp.where(allowed, point.reshape(-1) - flat_center, 0))
        if projection == "ball_then_box":
            return finish(project_l2(delta, radius) if p == 2 else project_linf(delta, radius))
        return finish(
            jnp.sign(delta) * project_magnitudes(jnp.abs(delta), headroom(delta > 0), radius, p)
        )

    def linear_minimiser(gradient: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        flat = gradient.reshape(-1)
        usable = (jnp.isfinite(flat) | ~allowed).all()
        weights = jnp.where(usable & allowed, magnitude_bits(flat), 0)
        rising = jnp.signbit(flat)
        size = largest_product(weights, headroom(rising), radius, p)
        return finish(jnp.where(rising, size, -size))

    def sample(key: PRNGKeyArray) -> Float[Array, "*shape"]:
        if p == 2 or math.isinf(p):
            return finish(radius * sample_sphere(key, flat_center.shape, p, center.dtype))
        gaussian = sample_gaussian(key, center.shape, center.dtype)
        return project(center + gaussian) if p == 1 else linear_minimiser(gaussian)

    once = functools.partial(functools.partial, compiled)
    return ConstraintSet(
        once(project), once(linear_minimiser), once(sample), center, radius, float(p)
    )


def _check_arguments(
    center: Array, radius: float | Array, p: float, lower: float, upper: float, projection: str
) -> None:
    check_array(center, name="center")
    check_dtype(center, name="center")
    check_positive(radius, name="radius")
    check_norm(p)
    check_number(lower, name="lower")
    check_number(upper, name="upper")
    check_choice(projection, ("exact", "ball_then_box"), name="projection")
    if projection == "ball_then_box" and p not in (2, float("inf")):
        raise InputError(
            f"projection: 'ball_then_box' exists for p = 2 and inf, got p = {p}: use 'exact'"
        )
    if is_concrete(center) and not _inside(np.asarray(center), lower, upper):
        raise InputError(
            f"center: expected finite values in [{lower:g}, {upper:g}]: clip the image first"
        )


def _inside(values: np.ndarray, lower: float, upper: float) -> bool:
    return bool(np.isfinite(values).all() and (values >= lower).all() and (values <= upper).all())


def _flat_mask(
    mask: Bool[Array, "*mask"] | None, center: Float[Array, "*shape"]
) -> Bool[Array, " d"]:
    """The mask of every number of the centre, in one dimension."""
    if mask is None:
        return jnp.ones(center.size, bool)
    check_array(mask, name="mask")
    mask = jnp.asarray(mask)
    if mask.dtype != bool:
        raise InputError(
            f"mask: expected booleans (True where the image may change), got dtype {mask.dtype}"
        )
    if mask.shape == center.shape[:-1]:
        mask = mask[..., None]
    if mask.shape not in (center.shape, (*center.shape[:-1], 1)):
        raise InputError(
            f"mask: expected shape {center.shape} or {center.shape[:-1]} like the image, got"
            f" {mask.shape}"
        )
    # The barrier keeps the repetition over colours out of the loops that read the mask.
    return lax.optimization_barrier(jnp.broadcast_to(mask, center.shape).reshape(-1))
