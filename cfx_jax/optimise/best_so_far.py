"""A wrapper by which any algorithm answers with its best iterate."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from cfx_jax.checks import check_type
from cfx_jax.optimise.algorithm import Algorithm, Objective, State


class BestState(NamedTuple):
    """The algorithm's own state, ``inner``, with its best solution so far."""

    inner: State
    best_x: Float[Array, "*shape"]
    best_value: Float[Array, ""]


def best_so_far(algorithm: Algorithm) -> Algorithm:
    """Keeps the solution of smallest value, the start included.

    A solution whose value is NaN is never kept.

    Args:
        algorithm: any algorithm.

    Returns:
        An algorithm with the same iterates whose solution is the best of them.

    Example:
        >>> descent = gradient_descent(num_steps=1, step_size=2.0)  # it steps too far
        >>> objective, x0 = lambda x: x**2, jnp.array(1.0)
        >>> float(run(descent, objective, x0).solution)
        -3.0
        >>> float(run(best_so_far(descent), objective, x0).solution)
        1.0
    """
    check_type(algorithm, Algorithm, name="algorithm", wanted="an algorithm, as of apgd")

    def init(objective: Objective, x0: Float[Array, "*shape"]) -> BestState:
        inner = algorithm.init(objective, x0)
        x, value = algorithm.solution(inner)
        return BestState(inner, x, jnp.where(jnp.isnan(value), jnp.inf, value))

    def step(objective: Objective, state: BestState) -> tuple[BestState, Array]:
        inner, iterate_value = algorithm.step(objective, state.inner)
        x, value = algorithm.solution(inner)
        better = value < state.best_value
        best_x = jnp.where(better, x, state.best_x)
        return BestState(inner, best_x, jnp.where(better, value, state.best_value)), iterate_value

    return Algorithm(
        init, step, lambda state: (state.best_x, state.best_value), algorithm.num_steps
    )
