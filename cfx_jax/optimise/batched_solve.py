"""Many examples: one compiled run for each, in batches over all devices.

A compiled function takes the function that makes a problem, what all examples share, and the
examples. It makes the problems itself: an algorithm holds functions, which no compiled function can
return.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax.sharding import Mesh

from cfx_jax import parallel
from cfx_jax.checks import check_callable
from cfx_jax.optimise.algorithm import MakeProblem, Result, run

Finish = Callable[[Any, Any, Result], Any]


def give_result(shared: Any, example: Any, result: Result) -> Result:
    """Returns the result of one example as it is: the default of ``solve``."""
    del shared, example
    return result


def solve(
    make_problem: MakeProblem,
    shared: Any,
    examples: Any,
    *,
    finish: Finish = give_result,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool | str = False,
    stop_below: float | None = None,
) -> Any:
    """Solves one problem for each example.

    Args:
        make_problem: ``(shared, example) -> Problem`` of ONE example; those of one code with equal
            contents compile once.
        shared: a pytree that all examples share: the classifier. It is an argument of the compiled
            program.
        examples: a pytree whose leaves have a leading axis over examples.
        finish: ``(shared, example, result) -> answer`` of one example, compiled too.
        batch_size: examples in flight at once; None takes all. Changes nothing but memory and
            speed.
        mesh: devices over which each batch is spread; None takes all (``parallel.data_mesh()``).
        progress: prints the memory of a batch, and shows a bar over batches; a text is its label.
        stop_below: an example whose solution's value is below it rests; a batch ends early when all
            its examples rest.

    Returns:
        The answers, stacked over examples, as NumPy arrays.

    Raises:
        InputError: an invalid batch size, examples whose leaves differ in length, or no example.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> def make_problem(shared, example):
        ...     return Problem(descent, lambda x: ((x - shared) ** 2).sum(), example)
        >>> results = solve(make_problem, jnp.array(1.0), jnp.array([1.0, 5.0]))
        >>> results.solution.tolist(), results.trace.shape
        ([1.0, 2.0], (2, 3))
    """
    check_callable(make_problem, name="make_problem", gives="shared and one example -> Problem")
    check_callable(finish, name="finish", gives="shared, one example and its Result -> an answer")
    solve_one = _CompleteRun(make_problem, finish, stop_below)
    return parallel.map_examples(
        solve_one, shared, examples, batch_size=batch_size, mesh=mesh, progress=progress
    )


@dataclass(frozen=True)
class _CompleteRun:
    """All steps of one example, as a function; equal ones compile once."""

    make_problem: MakeProblem
    finish: Finish
    stop_below: float | None

    def __call__(self, shared: Any, example: Any) -> Any:
        problem = self.make_problem(shared, example)
        return self.finish(shared, example, run(*problem, stop_below=self.stop_below))
