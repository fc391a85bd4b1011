"""Auto-PGD in l2 and linf: projected steps along the normalised gradient.

They have momentum and an adaptive size.

Croce and Hein 2020 (see ``adaptive_step``). For l1 the rules differ: ``apgd`` hands over to
``apgd_l1``.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_at_least, check_num_steps, check_type
from cfx_jax.errors import InputError
from cfx_jax.geometry import ConstraintSet
from cfx_jax.geometry.lp_ball import unit_direction
from cfx_jax.optimise.adaptive_step import IMPROVING_SHARE, Search, adapt, begin, observe
from cfx_jax.optimise.algorithm import Algorithm, Objective
from cfx_jax.optimise.apgd_l1 import apgd_l1


class APGDState(NamedTuple):
    """``search``: the adaptive search. ``previous_x``: the iterate before it, for the momentum."""

    search: Search
    previous_x: Float[Array, "*shape"]


def apgd(
    constraint: ConstraintSet,
    *,
    num_steps: int,
    momentum: float = 0.75,
    oscillation: float = IMPROVING_SHARE,
) -> Algorithm:
    """Auto-PGD over a constraint set whose norm is 1, 2 or inf.

    The first step is ``2 * radius`` long (``radius`` for l1). The gradient is normalised over all
    pixels before the projection applies a mask, as published, so a masked l2 step is shorter. A
    projection of the published form is ``lp_ball_in_box(..., projection="ball_then_box")``.

    Args:
        constraint: the set, from ``lp_ball_in_box`` with p = 1, 2 or inf.
        num_steps: the number of steps, at least 1; the checkpoints depend on it.
        momentum: weight of the new point against the last move, from the second step on; not used
            for l1.
        oscillation: the share of improving steps at or below which the step is halved (C1); not
            used for l1.

    Returns:
        The algorithm; its solution is the best iterate, the start included.

    Raises:
        InputError: a norm without projection (use ``auto_frank_wolfe``), ``num_steps`` below
            1, ``momentum`` or ``oscillation`` below 0.

    Example:
        >>> from cfx_jax.geometry import lp_ball_in_box
        >>> ball = lp_ball_in_box(jnp.full((1, 2, 1), 0.5), 0.25, jnp.inf)
        >>> result = run(apgd(ball, num_steps=3), jnp.sum, ball.center)
        >>> result.solution[..., 0].tolist()
        [[0.25, 0.25]]
    """
    check_type(
        constraint, ConstraintSet, name="constraint", wanted="a set, as of geometry.lp_ball_in_box"
    )
    check_num_steps(num_steps)
    check_at_least(momentum, 0, name="momentum")
    check_at_least(oscillation, 0, name="oscillation")
    if constraint.p not in (1, 2, float("inf")):
        raise InputError(
            "constraint: expected a set whose p is 1, 2 or inf, which have a projection, got p ="
            f" {constraint.p:g}: use auto_frank_wolfe"
        )
    if constraint.p == 1:
        return apgd_l1(constraint, num_steps=num_steps)

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> APGDState:
        return APGDState(begin(objective, x0, 2 * constraint.radius), x0)

    def step(objective: Objective, state: APGDState) -> tuple[APGDState, Array]:
        search = state.search
        direction = unit_direction(search.gradient, constraint.p)
        projected = constraint.project(search.x - search.step_size * direction)
        # The first step has no move before it, and takes the whole new one.
        weight = jnp.where(search.iteration == 0, 1, momentum).astype(projected.dtype)
        new_move, last_move = projected - search.x, search.x - state.previous_x
        x = search.x + weight * new_move + (1 - weight) * last_move
        # The last move may lead out of the set once more.
        observed, value = observe(search, objective, constraint.project(x))
        adapted = adapt(observed, num_steps=num_steps, oscillation=oscillation)
        return APGDState(adapted, search.x), value

    return Algorithm(
        init, step, lambda state: (state.search.best_x, state.search.best_value), num_steps
    )
