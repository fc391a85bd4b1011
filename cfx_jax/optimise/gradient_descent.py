"""Gradient descent with a fixed step: plain, projected, normalised, with momentum, proximal."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import (
    check_array,
    check_at_least,
    check_callable,
    check_choice,
    check_num_steps,
    check_positive,
    check_real,
)
from cfx_jax.errors import InputError
from cfx_jax.geometry.lp_ball import unit_direction
from cfx_jax.optimise.algorithm import Algorithm, Objective


class DescentState(NamedTuple):
    """The iterate ``x``, its value and gradient; ``velocity``, the decayed sum of directions."""

    x: Float[Array, "*shape"]
    value: Float[Array, ""]
    gradient: Float[Array, "*shape"]
    velocity: Float[Array, "*shape"]


def gradient_descent(
    *,
    num_steps: int,
    step_size: float | Float[Array, ""],
    project: Callable[[Array], Array] | None = None,
    normalise: str | None = None,
    momentum: float = 0.0,
) -> Algorithm:
    """Moves against the gradient by a fixed step; the solution is the last iterate.

    Args:
        num_steps: the number of steps, at least 1.
        step_size: above 0; in units of x where ``normalise`` is given, else of x per gradient.
        project: applied to every new iterate, such as ``constraint.project``.
        normalise: ``"l2"`` for steps of that l2 length, ``"sign"`` for steps of that size in every
            entry, or None.
        momentum: heavy-ball weight in [0, 1): ``velocity <- momentum * velocity + direction``.

    Returns:
        The algorithm. For the best instead of the last iterate wrap it in ``best_so_far``.

    Raises:
        InputError: ``num_steps`` below 1, a step not above 0, an unknown ``normalise``.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> run(descent, lambda x: (x**2).sum(), jnp.array([1.0, 2.0])).solution.tolist()
        [0.25, 0.5]
    """
    check_num_steps(num_steps)
    check_positive(step_size, name="step_size")
    check_at_least(momentum, 0, below=1, name="momentum")
    check_choice(normalise, (None, "l2", "sign"), name="normalise")
    if project is not None:
        check_callable(project, name="project", gives="one array -> one array")
    norm = {"l2": 2.0, "sign": float("inf")}.get(normalise or "")

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> DescentState:
        return DescentState(x0, *jax.value_and_grad(objective)(x0), jnp.zeros_like(x0))

    def step(objective: Objective, state: DescentState) -> tuple[DescentState, Array]:
        direction = state.gradient if norm is None else unit_direction(state.gradient, norm)
        velocity = momentum * state.velocity + direction
        x = state.x - step_size * velocity
        x = x if project is None else project(x)
        value, gradient = jax.value_and_grad(objective)(x)
        return DescentState(x, value, gradient, velocity), value

    return Algorithm(init, step, lambda state: (state.x, state.value), num_steps)


def proximal_gradient(
    proximal: Callable[[Array, Array], Array],
    penalty: Callable[[Array], Array],
    *,
    num_steps: int,
    step_size: float | Float[Array, ""],
) -> Algorithm:
    """Minimises ``objective(x) + penalty(x)`` where only the objective is smooth.

    This is forward-backward splitting.

    Args:
        proximal: ``(x, step_size) -> argmin_u penalty(u) + ||u - x||^2 / (2 step_size)``.
        penalty: the convex part that is not differentiated; it enters the reported values.
        num_steps: the number of steps, at least 1.
        step_size: above 0.

    Returns:
        The algorithm; values and traces are of the sum, the solution is the last iterate.

    Raises:
        InputError: ``num_steps`` below 1 or a step not above 0.

    Example:
        >>> soft = lambda x, step_size: soft_threshold(x, jnp.zeros(()), step_size)
        >>> descent = proximal_gradient(soft, jnp.abs, num_steps=1, step_size=0.25)
        >>> float(run(descent, lambda x: (x - 2) ** 2, jnp.array(1.0)).solution)
        1.25
    """
    check_callable(proximal, name="proximal", gives="an array and a step -> one array")
    check_callable(penalty, name="penalty", gives="one array -> one number")
    check_num_steps(num_steps)
    check_positive(step_size, name="step_size")

    def evaluate(objective: Objective, x: Float[Array, "*shape"]) -> DescentState:
        value, gradient = jax.value_and_grad(objective)(x)
        return DescentState(x, value + penalty(x), gradient, jnp.zeros_like(x))

    def step(objective: Objective, state: DescentState) -> tuple[DescentState, Array]:
        x = state.x - step_size * state.gradient
        x = proximal(x, jnp.asarray(step_size, state.x.dtype))
        new_state = evaluate(objective, x)
        return new_state, new_state.value

    return Algorithm(evaluate, step, lambda state: (state.x, state.value), num_steps)


def soft_threshold(
    x: Float[Array, "*shape"], center: Float[Array, "*shape"], threshold: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
    """Moves each entry of ``x`` towards the entry of ``center`` by the threshold, at most to it.

    This is the proximal map ``argmin_u threshold * ||u - center||_1 + ||u - x||^2 / 2``.

    Args:
        x: any shape.
        center: an array of the same shape.
        threshold: the threshold, at least 0.

    Raises:
        InputError: something else than real numbers.

    Example:
        >>> soft_threshold(jnp.array([-3.0, 0.5, 2.0]), jnp.zeros(3), 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    for name, value in (("x", x), ("center", center), ("threshold", threshold)):
        check_real(value, name=name)
    check_array(x, name="x")
    if jnp.shape(threshold) not in ((), jnp.shape(x)):
        raise InputError(
            f"threshold: expected one number, or one for each of x, got {jnp.shape(threshold)}"
        )
    if jnp.shape(x) != jnp.shape(center):
        raise InputError(
            f"center: expected the shape of x, {jnp.shape(x)}, got {jnp.shape(center)}"
        )
    delta = x - center
    return center + jnp.sign(delta) * jnp.maximum(jnp.abs(delta) - threshold, 0)
