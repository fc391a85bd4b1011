"""The shape of an iterative optimiser, and the two loops that run one.

An ``Algorithm`` holds pure functions of one example. ``run`` is one ``lax.scan``: it composes with
every JAX transformation. ``drive`` is a loop on the host over one compiled, vmapped, sharded step:
it shows progress and stops early, and on a CPU it is several times faster, since XLA does not bring
the gradient of a convolution inside a compiled loop into its fast layout. Both minimise, and both
give the same result.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from cfx_jax.backend import varying_like
from cfx_jax.compilation import compiled

Objective = Callable[[Array], Array]
State: TypeAlias = Any


class Algorithm(NamedTuple):
    """An iterative minimiser of a scalar function of one array.

    Attributes:
        init: ``(objective, x0) -> state``; evaluates the objective at ``x0``.
        step: ``(objective, state) -> (state, value)``; one evaluation of value and gradient, the
            value of the new iterate returned. The state is a NamedTuple of arrays; no randomness.
        solution: ``state -> (x, value)``: the algorithm's answer so far and its objective.
        num_steps: how many steps make a full run.
    """

    init: Callable[[Objective, Array], State]
    step: Callable[[Objective, State], tuple[State, Array]]
    solution: Callable[[State], tuple[Array, Array]]
    num_steps: int


class Problem(NamedTuple):
    """One example's task: an algorithm, the objective that it minimises, and its start."""

    algorithm: Algorithm
    objective: Objective
    x0: Float[Array, "*shape"]


class MakeProblem(Protocol):
    """Makes the ``Problem`` of one example.

    ``shared`` is the same for all examples, such as a classifier; ``example`` is its own.

    Equal problems compile once: functions of one code, or instances of one class, whose numbers are
    equal.
    """

    def __call__(self, shared: Any, example: Any, /) -> Problem: ...


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        solution: the algorithm's answer, of the shape of ``x0``.
        value: the objective there.
        trace: the objective at ``x0`` and at every iterate, ``(num_steps + 1,)``; constant after an
            early stop.
    """

    solution: Float[Array, "*shape"]
    value: Float[Array, ""]
    trace: Float[Array, " num_steps_plus_1"]


def run(
    algorithm: Algorithm,
    objective: Objective,
    x0: Float[Array, "*shape"],
    *,
    unroll: int | bool = 1,
    stop_below: float | None = None,
) -> Result:
    """Minimises ``objective`` of one example in one ``lax.scan``.

    It is compiled once for equal arguments (see ``cfx_jax.compilation``).

    Args:
        algorithm: an algorithm from a factory such as ``apgd``. A new one for each example costs
            nothing.
        objective: maps an array of the shape of ``x0`` to a scalar. A new one costs nothing either.
        x0: the start.
        unroll: as in ``lax.scan``; True removes the loop, which on a CPU makes convolutions fast
            and compiling slow.
        stop_below: once the solution's value is below it, the state stays as it is.

    Returns:
        The solution, its value and the trace.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> result = run(descent, lambda x: (x**2).sum(), jnp.array([1.0, 2.0]))
        >>> result.solution.tolist(), result.trace.tolist()
        ([0.25, 0.5], [5.0, 1.25, 0.3125])
    """
    return compiled(_run, algorithm, objective, x0, unroll=unroll, stop_below=stop_below)


def _run(
    algorithm: Algorithm,
    objective: Objective,
    x0: Float[Array, "*shape"],
    *,
    unroll: int | bool,
    stop_below: float | None,
) -> Result:
    def body(state: State, _: None) -> tuple[State, Array]:
        return guarded_step(algorithm, objective, state, stop_below)

    # Inside of ``shard_map`` the carry of a scan must vary over the same devices from the start on.
    if jax.sharding.get_abstract_mesh().manual_axes:
        x0 = varying_like(x0, jax.eval_shape(objective, x0))
    start = varying_like(algorithm.init(objective, x0), jax.typeof(x0))
    final, values = lax.scan(body, start, None, length=algorithm.num_steps, unroll=unroll)
    first = algorithm.solution(start)[1]
    return Result(*algorithm.solution(final), jnp.concatenate([first[None], values]))


def guarded_step(
    algorithm: Algorithm, objective: Objective, state: State, stop_below: float | None
) -> tuple[State, Array]:
    """Does one step, or none where the solution's value is below ``stop_below`` already."""
    new_state, new_value = algorithm.step(objective, state)
    if stop_below is None:
        return new_state, new_value
    value = algorithm.solution(state)[1]
    is_done = value < stop_below
    next_state = jax.tree.map(lambda old, new: jnp.where(is_done, old, new), state, new_state)
    return next_state, jnp.where(is_done, value, new_value)
