"""The time that a training still takes, from its first measured steps."""

import time
from typing import Any

import jax

from cfx_jax.costs import describe_time

_MEASURED_STEPS = 5
"""Steps whose time is measured, after the first, which compiles."""


class Forecast:
    """The time that a training still takes, from its first measured steps.

    Args:
        first: the step at which it starts or goes on.
        num_steps: the number of steps of the whole training.
    """

    def __init__(self, first: int, num_steps: int) -> None:
        self._first, self._num_steps = first, num_steps
        self._begin = 0.0

    def after(self, done: int, metrics: Any) -> str:
        """The time ahead in words, once, when it is known; empty before and afterwards.

        Args:
            done: steps done.
            metrics: the metrics of the newest step, whose end is waited for where time is taken.
        """
        measured = done - self._first - 1
        if measured not in (0, _MEASURED_STEPS) or self._num_steps - done < _MEASURED_STEPS:
            return ""
        jax.block_until_ready(metrics)
        if measured == 0:
            self._begin = time.perf_counter()
            return ""
        seconds = (time.perf_counter() - self._begin) / measured
        ahead = seconds * (self._num_steps - done)
        return f"{seconds:.2g} s a step: {describe_time(ahead)} to step {self._num_steps}"
