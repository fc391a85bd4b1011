"""Auto-Frank-Wolfe: steps towards the linear oracle's answer, with the adaptive step of APGD, for
every norm p >= 1.

Boreiko et al. 2022, "Sparse Visual Counterfactual Explanations in Image Space".
Between checkpoints the step is constant; there is no 2 / (t + 2) decay.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from cfx_jax.checks import check_at_least, check_num_steps, check_positive, is_concrete
from cfx_jax.errors import InputError
from cfx_jax.geometry import ConstraintSet
from cfx_jax.optimise.adaptive_step import Search, adapt, begin, observe
from cfx_jax.optimise.algorithm import Algorithm, Objective


class FrankWolfeState(NamedTuple):
    """``search``: the adaptive search. ``averaged``: the moving average of gradients."""

    search: Search
    averaged: Float[Array, "*shape"]


def auto_frank_wolfe(
    constraint: ConstraintSet,
    *,
    num_steps: int,
    step_size: float = 0.75,
    momentum: float = 0.0,
    oscillation: float = 0.75,
    update_mask: Bool[Array, "*shape"] | None = None,
) -> Algorithm:
    """Auto-Frank-Wolfe over a constraint set of any norm.

    Iterates are convex combinations of points of the set, so they stay in it.

    Args:
        constraint: the set; its mask, if any, is obeyed before the oracle solves, as the paper's
            equation 3 asks.
        num_steps: at least 1.
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
        InputError: ``num_steps`` below 1, a step outside of (0, 1], momentum outside of [0, 1).
    """
    check_num_steps(num_steps)
    check_positive(step_size, name="step_size")
    if is_concrete(step_size) and step_size > 1:
        raise InputError(f"step_size: expected a share of the way, at most 1, got {step_size}")
    check_at_least(momentum, 0, below=1, name="momentum")
    check_at_least(oscillation, 0, name="oscillation")
    outer_mask = None if update_mask is None else jnp.asarray(update_mask)

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> FrankWolfeState:
        search = begin(objective, x0, jnp.asarray(step_size, x0.dtype))
        return FrankWolfeState(search, search.gradient)

    def step(objective: Objective, state: FrankWolfeState) -> tuple[FrankWolfeState, Array]:
        search = state.search
        averaged = (
            momentum * state.averaged + (1 - momentum) * search.gradient
            if momentum
            else search.gradient
        )
        change = constraint.linear_minimiser(averaged) - search.x
        if outer_mask is not None:
            change = jnp.where(outer_mask, change, 0)
        observed, value = observe(search, objective, search.x + search.step_size * change)
        adapted = adapt(observed, num_steps=num_steps, oscillation=oscillation)
        return FrankWolfeState(adapted, averaged), value

    return Algorithm(
        init, step, lambda state: (state.search.best_x, state.search.best_value), num_steps
    )
