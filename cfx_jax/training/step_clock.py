"""A clock that measures how long the device waited for the host during a training.

Steps run asynchronously: what the host spends on data, logs and checkpoints costs nothing as long
as the device is busy with a step meanwhile. What costs is the time from the end of a step until the
next one is called. A thread waits for the results of each step and notes when they are there. It
may come late by the interpreter's switch interval (5 ms) while the host is busy with Python, so
waits shorter than that can be missed; none is invented. The first step, which compiles, is not
counted.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

import jax
from jax import Array


class Durations(NamedTuple):
    """The times of a training, from the end of its first step to its end, in seconds.

    The end is the end of the last step or evaluation.

    Attributes:
        steps: the device was busy with a step, its call included.
        waiting: it waited for the host, for data and their placing, for logs and checkpoints.
        evaluation: evaluations, as far as they did not run beside a step.
    """

    steps: float = 0.0
    waiting: float = 0.0
    evaluation: float = 0.0

    @property
    def share_waiting(self) -> float:
        """The waiting part of the time without evaluations, in [0, 1]; 0 if not measured."""
        training = self.steps + self.waiting
        return self.waiting / training if training else 0.0

    def __str__(self) -> str:
        return (
            f"after the first step: {self.steps:.1f} s in steps, {self.waiting:.1f} s waiting for"
            f" data, logs and checkpoints ({self.share_waiting:.1%} of both), {self.evaluation:.1f}"
            " s in evaluations"
        )


class StepClock:
    """A clock that calls steps and evaluations and measures them.

    Use it in a ``with`` statement, after which the times are complete.

    Attributes:
        durations: the times so far.
    """

    def __init__(self) -> None:
        self.durations = Durations()
        self._last_end: float | None = None
        self._watcher = ThreadPoolExecutor(max_workers=1)

    def step(self, step: Callable[..., tuple[Any, Mapping[str, Array]]], *arguments: Any) -> Any:
        """Calls ``step(*arguments)``, a state and metrics; the metrics are not to be donated."""
        begin = time.perf_counter()
        state, metrics = step(*arguments)
        self._watcher.submit(self._add_step, begin, metrics)
        return state, metrics

    def evaluation(
        self, evaluate: Callable[[Any], Mapping[str, float]], state: Any
    ) -> Mapping[str, float]:
        """Calls ``evaluate(state)``, numbers that are computed when it returns."""
        begin = time.perf_counter()
        scores = evaluate(state)
        self._watcher.submit(self._add, "evaluation", begin, time.perf_counter())
        return scores

    def __enter__(self) -> "StepClock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for the last step, except where something has failed."""
        del error, trace
        self._watcher.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _add_step(self, begin: float, metrics: Mapping[str, Array]) -> None:
        jax.block_until_ready(metrics)
        self._add("steps", begin, time.perf_counter())

    def _add(self, name: str, begin: float, end: float) -> None:
        """Counts one piece of work, after all pieces before it.

        It runs in the watching thread alone.
        """
        if self._last_end is not None:
            times = self.durations._asdict()
            times["waiting"] += max(begin - self._last_end, 0.0)
            times[name] += max(end - max(begin, self._last_end), 0.0)
            self.durations = Durations(**times)
        self._last_end = max(end, self._last_end or end)
