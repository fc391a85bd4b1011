"""The training loop: counting, logging, checkpoints, selection, and going on after a stop.

The loop owns what is the same in every training; what is trained lives in ``step``. Step ``i`` gets
the key ``fold_in(key, i)``, so a training that goes on from a checkpoint draws the numbers it would
have drawn. Metrics are fetched one step late: while the host reads the metrics of a step, the
device works on the next step.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.tree_util import Partial
from jaxtyping import PRNGKeyArray

from cfx_jax.costs import program_memory
from cfx_jax.errors import InputError
from cfx_jax.parallel import local_copy, replicate, shard, shard_local
from cfx_jax.training.checkpoint import CheckpointStore
from cfx_jax.training.cost_forecast import Forecast
from cfx_jax.training.finite_checks import FiniteGuard, MetricsWindow
from cfx_jax.training.metrics_writer import MetricsWriter
from cfx_jax.training.selection import Selection, Ties, copy_state
from cfx_jax.training.step_bar import StepBar
from cfx_jax.training.step_clock import Durations, StepClock
from cfx_jax.training.workdir import training_alone

Step = Callable[[Any, PRNGKeyArray, Any], tuple[Any, Mapping[str, Array]]]
Evaluate = Callable[[Any], Mapping[str, float]]


class Batches(Protocol):
    """An iterator over batches whose position can be read and set, as grain's are."""

    def __next__(self) -> Any:
        """Returns the next batch, a pytree of arrays with the examples along the first axis."""

    def get_state(self) -> Any:
        """Returns the position, of values that JSON has."""

    def set_state(self, state: Any) -> None:
        """Moves to a position that ``get_state`` returns."""


class FitResult(NamedTuple):
    """The result of a training.

    Attributes:
        state: the state after the last step.
        best: the state with the highest value of the metric of selection; ``state`` where nothing
            was selected.
        history: the lines of ``metrics.jsonl``: ``step``, training metrics (means since the line
            before) and the metrics of ``evaluate``.
        durations: where the time of this call went; 0 everywhere if the training was finished
            before.
    """

    state: Any
    best: Any
    history: list[dict[str, Any]]
    durations: Durations


def fit(
    step: Step,
    state: Any,
    batches: Batches,
    *,
    key: PRNGKeyArray,
    num_steps: int,
    workdir: str | Path,
    config: Any,
    evaluate: Evaluate | None = None,
    evaluate_every: int | None = None,
    select: str | None = None,
    ties: Ties = "earlier",
    checkpoint_every: int,
    log_every: int = 50,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> FitResult:
    """Trains for ``num_steps`` steps, or goes on where an earlier call was stopped.

    An earlier call is one with the same ``workdir``.

    A stopped training that goes on ends with the same bits as one that was not stopped (state, best
    state, position in the data, metrics file), on the same machine and with the same devices.

    Args:
        step: pure function ``(state, key, batch) -> (state, metrics)``; ``metrics`` are scalars,
            ``"loss"`` among them, and the state comes back with the structure, shapes and types
            that it had. It is jitted here, its state donated, unless it is jitted already. What a
            step reads and never changes, such as a frozen classifier, becomes an argument of the
            compiled program, and no constant in it, where the step is a ``jax.tree_util.Partial``
            of a function of that and these three.
        state: initial state, any pytree of arrays and PRNG keys; it is copied, not consumed.
        batches: iterator with ``get_state`` and ``set_state``, at its beginning; it must not end
            early. With several processes each gives its own share of every batch.
        key: base key of the training.
        num_steps: number of optimiser steps in all.
        workdir: folder of this training: configuration, checkpoints, metrics.
        config: all that the training depends on, a dataclass or mapping; a ``workdir`` of another
            one is refused.
        evaluate: state -> metrics by name, e.g. on a validation set.
        evaluate_every: steps between evaluations; the last step is always evaluated. Default: only
            the last step.
        select: name of the metric of ``evaluate`` to maximise.
        ties: whether earlier or later steps win ties of it.
        checkpoint_every: steps between checkpoints; the last step always has one.
        log_every: steps between lines of ``metrics.jsonl``; evaluations and checkpoints have a line
            too.
        mesh: devices over which batches are split, with the state on all of them; None leaves both
            where they are.
        progress: prints the memory of a step before the first one and the time that is expected
            after a few, shows a progress bar with the loss and, at the end, how long the device
            waited for the host.

    Returns:
        Final and selected state, the history, and where the time went.

    Raises:
        InputError: impossible options; a workdir of something else, or in which another process
            trains; a step that returns a state of another structure; a loss, a state or a metric of
            selection that is not finite; batches that ended; a full disk.
    """
    _check_options(num_steps, evaluate, evaluate_every, select, checkpoint_every, log_every)
    due = _Due(num_steps, log_every, evaluate_every if evaluate else None, checkpoint_every)
    with training_alone(workdir, config):
        store, selection = CheckpointStore(workdir, config), Selection(select, ties=ties)
        state, first = _start(store, _place(copy_state(state), mesh), batches, selection, num_steps)
        guard, window = FiniteGuard(state, store.latest), MetricsWindow(store.latest)
        step, kind, forecast = _compiled(step, mesh), _kind(state), Forecast(first, num_steps)
        with (
            MetricsWriter(store.workdir, step=first) as writer,
            StepBar(first, num_steps, progress=progress) as bar,
            StepClock() as clock,
        ):
            for index in range(first, num_steps):
                done, batch = index + 1, _next(batches, index, num_steps, mesh)
                step_key = jax.random.fold_in(key, index)
                if index == first and progress:
                    bar.write(_plan(first, num_steps, program_memory(step, state, step_key, batch)))
                state, metrics = clock.step(step, state, step_key, batch)
                if index == first:
                    _check_kept(kind, _kind(state))
                window.add(done, metrics)
                bar.advance(window.latest().get("loss"))
                if progress:
                    bar.write(forecast.after(done, metrics))
                if due.line(done):
                    line = window.mean()
                    if evaluate is not None and due.evaluation(done):
                        line |= (scores := dict(clock.evaluation(evaluate, state)))
                        selection.consider(done, state, scores)
                    writer.write(done, line)
                if due.checkpoint(done):
                    guard.check(done, state)
                    writer.sync()
                    store.save(done, state, best=selection.best, record=_record(batches, selection))
        if bar.is_shown and clock.durations.steps:
            print(clock.durations, file=sys.stderr)
        return FitResult(
            local_copy(state),
            local_copy(state if selection.best is None else selection.best),
            writer.history,
            clock.durations,
        )


class _Due(NamedTuple):
    """The tasks that are due after a number of steps; after the last step all are."""

    num_steps: int
    log_every: int
    evaluate_every: int | None
    checkpoint_every: int

    def _is(self, done: int, every: int) -> bool:
        return done % every == 0 or done == self.num_steps

    def evaluation(self, done: int) -> bool:
        return self._is(done, self.evaluate_every or self.num_steps)

    def checkpoint(self, done: int) -> bool:
        return self._is(done, self.checkpoint_every)

    def line(self, done: int) -> bool:
        """Whether a line of metrics is due.

        One is due at each checkpoint too, since a line covers the steps after the line before it,
        and these are lost at a stop.
        """
        return self._is(done, self.log_every) or self.evaluation(done) or self.checkpoint(done)


def _check_options(
    num_steps: int,
    evaluate: Evaluate | None,
    evaluate_every: int | None,
    select: str | None,
    checkpoint_every: int,
    log_every: int,
) -> None:
    counts = {"num_steps": num_steps, "checkpoint_every": checkpoint_every, "log_every": log_every}
    for name, value in {
        **counts,
        "evaluate_every": 1 if evaluate_every is None else evaluate_every,
    }.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name}: expected an integer of at least 1, got {value!r}")
    if evaluate is None and (select is not None or evaluate_every is not None):
        raise InputError(
            "select and evaluate_every need evaluate, a function of the state that returns metrics"
        )


def _start(
    store: CheckpointStore, state: Any, batches: Batches, selection: Selection, num_steps: int
) -> tuple[Any, int]:
    """Returns the state to begin with and the number of steps that it has behind it."""
    checkpoint = store.restore(state)
    if checkpoint is None:
        return state, 0
    if checkpoint.step > num_steps:
        raise InputError(
            f"num_steps: {store.workdir} holds a training of {checkpoint.step} steps already, got"
            f" {num_steps}: ask for at least as many, or choose another workdir"
        )
    selection.resume(checkpoint.best, checkpoint.record["best_value"])
    batches.set_state(checkpoint.record["batches"])
    return checkpoint.state, checkpoint.step


def _record(batches: Batches, selection: Selection) -> dict[str, Any]:
    return {"batches": batches.get_state(), "best_value": selection.value}


def _place(state: Any, mesh: Mesh | None) -> Any:
    return state if mesh is None else replicate(state, mesh)


def _compiled(step: Step, mesh: Mesh | None) -> Step:
    if isinstance(step, jax.stages.Wrapped):
        return step
    everywhere = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    if not isinstance(step, Partial):
        return jax.jit(step, donate_argnums=0, out_shardings=everywhere)
    frozen = jax.device_put(step.args) if mesh is None else replicate(step.args, mesh)
    return partial(
        jax.jit(step.func, donate_argnums=len(frozen), out_shardings=everywhere), *frozen
    )


class _Kind(NamedTuple):
    """The properties of a state that a step is compiled for.

    They are its structure, and the shape and type of each array by its path.
    """

    structure: Any
    leaves: dict[str, str]


def _kind(state: Any) -> _Kind:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    described = {jax.tree_util.keystr(path): f"{leaf.dtype}{leaf.shape}" for path, leaf in leaves}
    return _Kind(jax.tree.structure(state), described)


def _check_kept(before: _Kind, after: _Kind) -> None:
    """Checks that a step returns a state of the kind that it takes.

    A state of another kind would be compiled for anew at the next step, or fit no checkpoint.
    """
    names = [
        name
        for name in {**before.leaves, **after.leaves}
        if before.leaves.get(name) != after.leaves.get(name)
    ]
    if names:
        given, got = (kind.leaves.get(names[0], "absent") for kind in (before, after))
        raise InputError(
            f"step: expected {names[0]} of the state to stay {given}, got {got}: return it as it"
            " came"
        )
    if before.structure != after.structure:
        raise InputError(
            "step: expected the state back in the containers that it came in, got others of the"
            " same arrays, such as an nnx.State in the place of a dict: return those of the first"
            " state"
        )


def _next(batches: Batches, index: int, num_steps: int, mesh: Mesh | None) -> Any:
    try:
        batch = next(batches)
    except StopIteration:
        raise InputError(
            f"batches: ended after {index} of {num_steps} steps: pass an iterator that repeats the"
            " data"
        ) from None
    if mesh is None:
        return batch
    return shard(batch, mesh) if jax.process_count() == 1 else shard_local(batch, mesh)


def _plan(first: int, num_steps: int, memory: str) -> str:
    takes = f"; a step takes {memory} on each device" if memory else ""
    return f"steps {first + 1} to {num_steps}{takes}"
