"""Any optax transformation as an algorithm."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_callable, check_num_steps
from cfx_jax.optimise.algorithm import Algorithm, Objective, State


class OptaxState(NamedTuple):
    """The iterate ``x``, its value and gradient, and the transformation's state, ``inner``."""

    x: Float[Array, "*shape"]
    value: Float[Array, ""]
    gradient: Float[Array, "*shape"]
    inner: State


def from_optax(
    transformation: optax.GradientTransformation,
    *,
    num_steps: int,
    project: Callable[[Array], Array] | None = None,
) -> Algorithm:
    """Minimises with an optax optimiser, such as ``optax.adam(0.01)``.

    Args:
        transformation: any optax transformation; those that need the value or a line search get
            ``value``, ``grad`` and ``value_fn``.
        num_steps: the number of steps, at least 1.
        project: applied to every new iterate, such as ``constraint.project``.

    Returns:
        The algorithm; its solution is the last iterate (wrap it in ``best_so_far`` for the best).

    Raises:
        InputError: no optax transformation, or ``num_steps`` below 1.

    Example:
        >>> import optax
        >>> descent = from_optax(optax.sgd(0.25), num_steps=2)
        >>> run(descent, lambda x: (x**2).sum(), jnp.array([1.0, 2.0])).solution.tolist()
        [0.25, 0.5]
    """
    for part in ("init", "update"):
        given = getattr(transformation, part, None)
        check_callable(given, name=f"transformation.{part}", gives="optax, as of optax.adam(0.01)")
    if project is not None:
        check_callable(project, name="project", gives="one array -> one array")
    check_num_steps(num_steps)
    extended = optax.with_extra_args_support(transformation)

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> OptaxState:
        return OptaxState(x0, *jax.value_and_grad(objective)(x0), extended.init(x0))

    def step(objective: Objective, state: OptaxState) -> tuple[OptaxState, Array]:
        updates, inner = extended.update(
            state.gradient,
            state.inner,
            state.x,
            value=state.value,
            grad=state.gradient,
            value_fn=objective,
        )
        x = optax.apply_updates(state.x, updates)
        x = x if project is None else project(x)
        value, gradient = jax.value_and_grad(objective)(x)
        return OptaxState(x, value, gradient, inner), value

    return Algorithm(init, step, lambda state: (state.x, state.value), num_steps)
