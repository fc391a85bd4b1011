"""The shape of an iterative optimiser, and the loop that runs one.

An ``Algorithm`` holds pure functions of one example. ``run`` is one compiled loop: it composes with
every JAX transformation, and ``solve`` runs it for many examples in batches over all devices.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from cfx_jax.backend import loop_body, varying_like
from cfx_jax.checks import check_array, check_callable, check_number, check_type
from cfx_jax.compilation import compiled
from cfx_jax.errors import InputError

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
    stop_below: float | None = None,
) -> Result:
    """Minimises ``objective`` of one example in one compiled loop.

    It is compiled once for equal arguments (see ``cfx_jax.compilation``).

    Args:
        algorithm: an algorithm from a factory such as ``apgd``. A new one for each example costs
            nothing.
        objective: maps an array of the shape of ``x0`` to a scalar. A new one costs nothing either.
        x0: the start.
        stop_below: once the solution's value is below it, the loop ends. Such a run has no reverse
            derivative.

    Returns:
        The solution, its value and the trace.

    Raises:
        InputError: no algorithm, no objective, or a start that is no array of floating-point
            numbers.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> result = run(descent, lambda x: (x**2).sum(), jnp.array([1.0, 2.0]))
        >>> result.solution.tolist(), result.trace.tolist()
        ([0.25, 0.5], [5.0, 1.25, 0.3125])
    """
    check_type(algorithm, Algorithm, name="algorithm", wanted="an algorithm, as of apgd")
    check_callable(objective, name="objective", gives="one array -> one number")
    check_array(x0, name="x0")
    if not jnp.issubdtype(x0.dtype, jnp.floating):
        raise InputError(f"x0: expected floating-point numbers, got dtype {x0.dtype}: cast it")
    if stop_below is not None:
        check_number(stop_below, name="stop_below")
    return compiled(_run, algorithm, objective, x0, stop_below=stop_below)


def _run(
    algorithm: Algorithm,
    objective: Objective,
    x0: Float[Array, "*shape"],
    *,
    stop_below: float | None,
) -> Result:
    # Inside of ``shard_map`` the carry of a loop must vary over the same devices from the start on.
    if jax.sharding.get_abstract_mesh().manual_axes:
        x0 = varying_like(x0, jax.eval_shape(objective, x0))
    start = varying_like(algorithm.init(objective, x0), jax.typeof(x0))
    step = loop_body(partial(algorithm.step, objective))
    if stop_below is None:
        final, values = lax.scan(lambda state, _: step(state), start, length=algorithm.num_steps)
        first = algorithm.solution(start)[1]
        return Result(*algorithm.solution(final), jnp.concatenate([first[None], values]))
    return _run_until(algorithm, step, start, stop_below)


def _run_until(
    algorithm: Algorithm, step: Callable[[State], Any], start: State, stop_below: float
) -> Result:
    """Steps from a start until the solution's value is below a bound, or all steps are done."""
    first = algorithm.solution(start)[1]

    def goes_on(carry: tuple[Array, State, Array]) -> Array:
        number, state, _ = carry
        is_done = algorithm.solution(state)[1] < stop_below
        return (number < algorithm.num_steps) & ~is_done

    def advance(carry: tuple[Array, State, Array]) -> tuple[Array, State, Array]:
        number, state, trace = carry
        state, value = step(state)
        return number + 1, state, trace.at[number + 1].set(value)

    number = varying_like(jnp.zeros((), jnp.int32), jax.typeof(first))
    trace = jnp.broadcast_to(first, algorithm.num_steps + 1)
    number, final, trace = lax.while_loop(goes_on, advance, (number, start, trace))
    # From the last step on, its value is repeated.
    trace = trace[jnp.minimum(jnp.arange(len(trace)), number)]
    return Result(*algorithm.solution(final), trace)
