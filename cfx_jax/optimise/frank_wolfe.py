"""Auto-Frank-Wolfe: steps towards the linear oracle's answer, for every norm p >= 1.

Boreiko et al. 2022, "Sparse Visual Counterfactual Explanations in Image Space". A step is

    v = argmin_{v in set} <gradient, v>,    x <- x + step_size * (v - x),

and its size adapts as APGD's step does (see ``adaptive_step``). Between checkpoints the size is
constant; there is no 2 / (t + 2) decay.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from cfx_jax.checks import (
    check_array,
    check_at_least,
    check_num_steps,
    check_positive,
    check_type,
    is_concrete,
)
from cfx_jax.errors import InputError
from cfx_jax.geometry import ConstraintSet
from cfx_jax.optimise.adaptive_step import IMPROVING_SHARE, Search, adapt, begin, observe
from cfx_jax.optimise.algorithm import Algorithm, Objective


class FrankWolfeState(NamedTuple):
    """The adaptive ``search``, and the moving average of its gradients, ``mean_gradient``."""

    search: Search
    mean_gradient: Float[Array, "*shape"]


def auto_frank_wolfe(
    constraint: ConstraintSet,
    *,
    num_steps: int,
    step_size: float = 0.75,
    momentum: float = 0.0,
    oscillation: float = IMPROVING_SHARE,
    update_mask: Bool[Array, "*shape"] | None = None,
) -> Algorithm:
    """Auto-Frank-Wolfe over a constraint set of any norm.

    Iterates are convex combinations of points of the set, so they stay in it.

    Args:
        constraint: the set; its mask, if any, is obeyed before the oracle solves, as the paper's
            equation 3 asks.
        num_steps: the number of steps, at least 1.
        step_size: the first step, a fraction in (0, 1] of the way to the oracle's answer.
        momentum: weight of older gradients in the average that the oracle sees; 0 in every
            published setting.
        oscillation: the share of improving steps at or below which the step is halved (C1).
        update_mask: the released code's behaviour: solve over the whole image, then drop the change
            outside this mask, shaped to broadcast against the image; part of the radius is lost.
            Then build ``constraint`` without a mask.

    Returns:
        The algorithm; its solution is the best iterate, the start included.

    Raises:
        InputError: no constraint set, ``num_steps`` below 1, a step outside of (0, 1], momentum
            outside of [0, 1).

    Example:
        >>> from cfx_jax.geometry import lp_ball_in_box
        >>> ball = lp_ball_in_box(jnp.full((1, 2, 1), 0.5), 0.25, 4)
        >>> result = run(auto_frank_wolfe(ball, num_steps=3), lambda x: x[0, 0, 0], ball.center)
        >>> (result.solution - ball.center)[..., 0].round(2).tolist()
        [[-0.25, 0.0]]
    """
    check_type(
        constraint, ConstraintSet, name="constraint", wanted="a set, as of geometry.lp_ball_in_box"
    )
    check_num_steps(num_steps)
    check_positive(step_size, name="step_size")
    if is_concrete(step_size) and step_size > 1:
        raise InputError(f"step_size: expected a share of the way, at most 1, got {step_size}")
    check_at_least(momentum, 0, below=1, name="momentum")
    check_at_least(oscillation, 0, name="oscillation")
    if update_mask is not None:
        check_array(update_mask, name="update_mask")
        if update_mask.dtype != bool:
            raise InputError(f"update_mask: expected booleans, got {update_mask.dtype}")
    outer_mask = None if update_mask is None else jnp.asarray(update_mask)

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> FrankWolfeState:
        search = begin(objective, x0, jnp.asarray(step_size, x0.dtype))
        return FrankWolfeState(search, search.gradient)

    def step(objective: Objective, state: FrankWolfeState) -> tuple[FrankWolfeState, Array]:
        search = state.search
        mean_gradient = search.gradient
        if momentum:
            mean_gradient = momentum * state.mean_gradient + (1 - momentum) * search.gradient
        change = constraint.linear_minimiser(mean_gradient) - search.x
        if outer_mask is not None:
            # The oracle has spent a part of its radius outside of the mask: it is lost here.
            change = jnp.where(outer_mask, change, 0)
        # x and the oracle's answer are in the set, which is convex: so is every point between.
        observed, value = observe(search, objective, search.x + search.step_size * change)
        adapted = adapt(observed, num_steps=num_steps, oscillation=oscillation)
        return FrankWolfeState(adapted, mean_gradient), value

    return Algorithm(
        init, step, lambda state: (state.search.best_x, state.search.best_value), num_steps
    )
