"""The adaptive step of APGD (l2, linf) and Auto-Frank-Wolfe: best point, checkpoints, restarts.

At planned checkpoints the step is halved and the search goes back to its best point where it
oscillates (C1) or stagnates (C2); Croce and Hein 2020, "Reliable evaluation of adversarial
robustness with an ensemble of diverse parameter-free attacks", section 3, with the periods of their
released code. Written for minimisation.

Deviations:

- The first iterate is compared with the start's value; the released code compares it with 0.
- A value or gradient that is not finite is never stored; the search goes back to its best point.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from cfx_jax.optimise.algorithm import Objective

IMPROVING_SHARE = 0.75
"""The published share of improving steps at or below which the step is halved."""


class Search(NamedTuple):
    """The state of a search with an adaptive step.

    Attributes:
        x, gradient: where the next step starts: the iterate, or the best point after a restart.
        value: the value of the last iterate, with which C1 compares the next, restart or not.
        best_x, best_gradient, best_value: the iterate of smallest value so far, the start included.
        step_size: relative or absolute, as the algorithm defines it.
        iteration: steps done.
        num_improved: steps since the last checkpoint whose value was below the previous one.
        was_reduced: whether the last checkpoint reduced the step; True at the start, so that C2
            needs two checkpoints.
        value_at_check: the best value at the last checkpoint.
    """

    x: Float[Array, "*shape"]
    gradient: Float[Array, "*shape"]
    value: Float[Array, ""]
    best_x: Float[Array, "*shape"]
    best_gradient: Float[Array, "*shape"]
    best_value: Float[Array, ""]
    step_size: Float[Array, ""]
    iteration: Int[Array, ""]
    num_improved: Int[Array, ""]
    was_reduced: Bool[Array, ""]
    value_at_check: Float[Array, ""]


def checkpoints(num_steps: int) -> tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The steps that end with a check, and how many steps each check looks back.

    The first period is ``max(floor(.22 N), 1)``; each following is shorter by
    ``max(floor(.03 N), 1)`` down to ``max(floor(.06 N), 1)``. For N = 75: after 16, 30, 42, 52, 60,
    66, 70, 74 steps.

    Returns:
        (is_check, period), both ``(num_steps,)``; the period is 0 where there is no check.
    """
    period = max(int(0.22 * num_steps), 1)
    shrink, shortest = max(int(0.03 * num_steps), 1), max(int(0.06 * num_steps), 1)
    periods = np.zeros(num_steps, np.int32)
    check_step = period
    while check_step <= num_steps:
        periods[check_step - 1] = period
        period = max(period - shrink, shortest)
        check_step += period
    return periods > 0, periods


def begin(objective: Objective, x0: Float[Array, "*shape"], step_size: Float[Array, ""]) -> Search:
    """Starts a search at ``x0``.

    A start that is not finite gets the value infinity and a zero gradient.
    """
    value, gradient = jax.value_and_grad(objective)(x0)
    finite = _all_finite(value, gradient)
    value = jnp.where(finite, value, jnp.inf)
    gradient = jnp.where(finite, gradient, 0)
    return Search(
        x0,
        gradient,
        value,
        x0,
        gradient,
        value,
        step_size=jnp.asarray(step_size, x0.dtype),
        iteration=jnp.zeros((), jnp.int32),
        num_improved=jnp.zeros((), jnp.int32),
        was_reduced=jnp.ones((), bool),
        value_at_check=value,
    )


def observe(
    search: Search, objective: Objective, x: Float[Array, "*shape"]
) -> tuple[Search, Float[Array, ""]]:
    """Evaluates the new iterate ``x``, stores it, and keeps the best iterate.

    Returns:
        The search at ``x`` (at the best point where ``x`` gave NaN or infinity), and the raw value
        at ``x``.
    """
    raw_value, raw_gradient = jax.value_and_grad(objective)(x)
    finite = _all_finite(raw_value, raw_gradient)
    x = jnp.where(finite, x, search.best_x)
    gradient = jnp.where(finite, raw_gradient, search.best_gradient)
    value = jnp.where(finite, raw_value, search.best_value)
    better = value < search.best_value
    observed = search._replace(
        x=x,
        gradient=gradient,
        value=value,
        best_x=jnp.where(better, x, search.best_x),
        best_gradient=jnp.where(better, gradient, search.best_gradient),
        best_value=jnp.where(better, value, search.best_value),
        iteration=search.iteration + 1,
        # A step that was not finite improved nothing, although its value is now the best one.
        num_improved=search.num_improved + (finite & (value < search.value)),
    )
    return observed, raw_value


def adapt(search: Search, *, num_steps: int, oscillation: float) -> Search:
    """Halves the step and restarts from the best point, at a checkpoint where C1 or C2 holds.

    C1, oscillation: at most ``oscillation * period`` of the period's steps improved on the step
    before. C2, stagnation: the last checkpoint did not reduce the step, and the best value is what
    it was then.

    Args:
        search: after a step.
        num_steps: the number of steps of the whole search, on which the checkpoints depend.
        oscillation: a share of the period's steps.
    """
    is_check, period = checkpoints(num_steps)
    checked = jnp.asarray(is_check)[search.iteration - 1]
    oscillates = search.num_improved <= oscillation * jnp.asarray(period)[search.iteration - 1]
    stagnates = ~search.was_reduced & (search.best_value == search.value_at_check)
    reduce = checked & (oscillates | stagnates)
    return return_to_best(search, reduce)._replace(
        step_size=jnp.where(reduce, search.step_size / 2, search.step_size),
        num_improved=jnp.where(checked, 0, search.num_improved),
        was_reduced=jnp.where(checked, reduce, search.was_reduced),
        value_at_check=jnp.where(checked, search.best_value, search.value_at_check),
    )


def return_to_best(search: Search, where: Bool[Array, ""]) -> Search:
    """Returns the search to its best point where ``where`` is True."""
    return search._replace(
        x=jnp.where(where, search.best_x, search.x),
        gradient=jnp.where(where, search.best_gradient, search.gradient),
    )


def _all_finite(value: Float[Array, ""], gradient: Float[Array, "*shape"]) -> Bool[Array, ""]:
    return jnp.isfinite(value) & jnp.isfinite(gradient).all()
