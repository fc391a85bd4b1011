"""Many examples: a loop on the host over one compiled step, or one compiled scan.

A compiled function takes the function that makes a problem, what all examples share, and the
examples. It makes the problems itself, at every step: an algorithm holds functions, which no
compiled function can return.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh, NamedSharding

from cfx_jax import parallel
from cfx_jax.backend import platform
from cfx_jax.checks import check_choice
from cfx_jax.compilation import as_pytree, let_go_of_programs, with_values_if_asked
from cfx_jax.costs import describe_memory
from cfx_jax.optimise.algorithm import MakeProblem, Result, State, guarded_step, run

Finish = Callable[[Any, Any, Result], Any]

_STEPS_BETWEEN_LOOKS = 5


def give_result(shared: Any, example: Any, result: Result) -> Result:
    """Returns the result of one example as it is: the default of ``drive`` and ``solve``."""
    del shared, example
    return result


def solve(
    make_problem: MakeProblem, shared: Any, examples: Any, *, loop: str = "auto", **options: Any
) -> Any:
    """Solves one problem for each example, by the loop that suits the machine.

    Args:
        make_problem: ``(shared, example) -> Problem`` of ONE example; those of one code with equal
            contents compile once.
        shared: a pytree that all examples share: the classifier. It is an argument of the compiled
            step.
        examples: a pytree whose leaves have a leading axis over examples.
        loop: ``"host"`` (``drive``), ``"scan"`` (``run`` in compiled micro-batches) or ``"auto"``:
            the host loop on a CPU, where it is faster, the scan elsewhere.
        options: ``finish``, ``batch_size``, ``mesh``, ``progress``, ``stop_below`` as in ``drive``.

    Returns:
        As ``drive``; the loops agree up to rounding.

    Raises:
        InputError: an unknown loop, an invalid batch size, examples whose leaves differ in length,
            or no example.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> def make_problem(shared, example):
        ...     return Problem(descent, lambda x: ((x - shared) ** 2).sum(), example)
        >>> results = solve(make_problem, jnp.array(1.0), jnp.array([1.0, 5.0]))
        >>> results.solution.tolist(), results.trace.shape
        ([1.0, 2.0], (2, 3))
    """
    check_choice(loop, ("auto", "host", "scan"), name="loop")
    if loop == "auto":
        loop = "host" if platform() == "cpu" else "scan"
    return (drive if loop == "host" else _map_runs)(make_problem, shared, examples, **options)


def drive(
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
    """Runs one algorithm over many examples, step by step from the host.

    Args:
        make_problem: ``(shared, example) -> Problem`` of ONE example; those of one code with equal
            contents compile once.
        shared: a pytree that all examples share: the classifier.
        examples: a pytree whose leaves have a leading axis over examples.
        finish: ``(shared, example, result) -> answer`` of one example, compiled too.
        batch_size: examples in flight at once; None takes all. Changes nothing but memory and
            speed.
        mesh: devices over which each batch is spread; None takes all (``parallel.data_mesh()``).
        progress: prints the memory of a step, and shows a bar over all steps; a text is its label.
        stop_below: an example whose solution's value is below it rests; the loop ends early when
            all of a batch rest.

    Returns:
        The answers, stacked over examples, as NumPy arrays.

    Raises:
        InputError: an invalid batch size, examples whose leaves differ in length, or no example.

    Example:
        >>> descent = gradient_descent(num_steps=2, step_size=0.25)
        >>> def make_problem(shared, example):
        ...     return Problem(descent, lambda x: ((x - shared) ** 2).sum(), example)
        >>> results = drive(make_problem, jnp.array(1.0), jnp.array([1.0, 5.0]))
        >>> results.solution.tolist(), results.trace.shape
        ([1.0, 2.0], (2, 3))
    """
    parallel.num_examples(examples)  # checks that all leaves have the same length
    let_go_of_programs()  # those of earlier calls, where they are many: see its docstring
    mesh = mesh or parallel.data_mesh()
    batches = parallel.batches(examples, batch_size=batch_size, mesh=mesh)

    def drive_batches(arguments: Any) -> list[Any]:
        make, end, same = parallel.replicate(arguments, mesh)
        num_steps = _num_steps(make, same, examples)
        programs, answers = _programs(mesh), []
        with parallel.progress_bar(len(batches) * num_steps, progress) as bar:
            for number, batch in enumerate(batches):
                if number == 0:
                    started, compiled = _start_and_compile(
                        programs, make, stop_below, same, batch.examples
                    )
                    if progress:
                        parallel.tell_memory(bar, progress, describe_memory(compiled))
                else:
                    started = programs.start(make, same, batch.examples)
                advance = partial(programs.step, make, stop_below, same, batch.examples)
                state, trace = _drive_batch(advance, *started, num_steps, stop_below, bar)
                answer = parallel.gather(_finish(make, end, same, batch.examples, state, trace))
                answers.append(jax.tree.map(lambda leaf, n=batch.num_real: leaf[:n], answer))
        return answers

    arguments = as_pytree(make_problem), as_pytree(finish), shared
    # Arrays are arguments of the programs, unless a function asks for the numbers in them.
    return parallel.concatenate(with_values_if_asked(drive_batches, arguments))


def _drive_batch(
    advance: Callable[[State], tuple[State, Array, Array]],
    state: State,
    value: Array,
    num_steps: int,
    stop_below: float | None,
    bar: Any,
) -> tuple[State, Array]:
    """Returns the last state of one batch, and its values (n, num_steps + 1)."""
    values, num_done = [value], 0
    while num_done < num_steps:
        for _ in range(min(_STEPS_BETWEEN_LOOKS, num_steps - num_done)):
            state, value, best = advance(state)
            values.append(value)
            num_done += 1
            bar.update(1)
        # Waiting now and then keeps the bar honest and lets the loop end early; every step would
        # starve a GPU.
        if stop_below is not None and bool((best < stop_below).all()):
            break
        jax.block_until_ready(value)
    bar.update(num_steps - num_done)
    # After an early end the last values are repeated.
    return state, jnp.stack(values + values[-1:] * (num_steps - num_done), axis=1)


class _Programs(NamedTuple):
    """The programs that start searches and move them by a step, over the devices of a mesh.

    Attributes:
        start: ``(make_problem, shared, examples) -> (state, value)``.
        step: ``(make_problem, stop_below, shared, examples, state) -> (state, value, best)``.
        sharding: of all arrays in their results. Left to the compiler, it would differ between the
            states of the two, and the step would be compiled once for each.
    """

    start: Any
    step: Any
    sharding: NamedSharding


@lru_cache(maxsize=8)
def _programs(mesh: Mesh) -> _Programs:
    sharding = parallel.batch_sharding(mesh)
    start = jax.jit(_start, out_shardings=sharding)
    step = jax.jit(_step, static_argnums=1, donate_argnums=4, out_shardings=sharding)
    return _Programs(start, step, sharding)


def _start_and_compile(
    programs: _Programs,
    make_problem: MakeProblem,
    stop_below: float | None,
    shared: Any,
    examples: Any,
) -> tuple[tuple[State, Array], jax.stages.Compiled]:
    """Returns the start of a batch, and the program of its step, which is compiled meanwhile.

    The calls of the step find that program. The compiler of one program keeps little more than one
    core busy.
    """
    shapes, _ = programs.start.eval_shape(make_problem, shared, examples)
    state = jax.tree.map(lambda leaf: leaf.update(sharding=programs.sharding), shapes)
    # Traced here: only what the compiler does may run in another thread without this one's options.
    lowered = programs.step.lower(make_problem, stop_below, shared, examples, state)
    with ThreadPoolExecutor(1) as thread:
        compiling = thread.submit(lowered.compile)
        started = programs.start(make_problem, shared, examples)
    return started, compiling.result()


def _start(make_problem: MakeProblem, shared: Any, examples: Any) -> tuple[State, Array]:
    def start_one(example: Any) -> tuple[State, Array]:
        problem = make_problem(shared, example)
        state = problem.algorithm.init(problem.objective, problem.x0)
        return state, problem.algorithm.solution(state)[1]

    return jax.vmap(start_one)(examples)


def _step(
    make_problem: MakeProblem, stop_below: float | None, shared: Any, examples: Any, state: State
) -> tuple[State, Array, Array]:
    def step_one(example: Any, state: State) -> tuple[State, Array, Array]:
        problem = make_problem(shared, example)
        state, value = guarded_step(problem.algorithm, problem.objective, state, stop_below)
        return state, value, problem.algorithm.solution(state)[1]

    return jax.vmap(step_one)(examples, state)


@jax.jit
def _finish(
    make_problem: MakeProblem,
    finish: Finish,
    shared: Any,
    examples: Any,
    state: State,
    trace: Array,
) -> Any:
    def finish_one(example: Any, state: State, trace: Array) -> Any:
        solution, value = make_problem(shared, example).algorithm.solution(state)
        return finish(shared, example, Result(solution, value, trace))

    return jax.vmap(finish_one)(examples, state, trace)


def _num_steps(make_problem: MakeProblem, shared: Any, examples: Any) -> int:
    """Returns the algorithm's number of steps, from shapes alone: nothing is computed."""
    return _zeros_of_steps.eval_shape(make_problem, shared, examples).shape[1]


@jax.jit
def _zeros_of_steps(make_problem: MakeProblem, shared: Any, examples: Any) -> Array:
    """Returns zeros (n, num_steps): an array can leave a compiled function, a number cannot."""
    return jax.vmap(lambda example: jnp.zeros(make_problem(shared, example).algorithm.num_steps))(
        examples
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


def _map_runs(
    make_problem: MakeProblem,
    shared: Any,
    examples: Any,
    *,
    finish: Finish = give_result,
    stop_below: float | None = None,
    **options: Any,
) -> Any:
    return parallel.map_examples(
        _CompleteRun(make_problem, finish, stop_below), shared, examples, **options
    )
