"""The cost of a training before most of it is spent: memory of its step, and the time ahead."""

import time
from collections.abc import Callable
from typing import Any

import jax

_MEASURED_STEPS = 5
"""Steps whose time is measured, after the first, which compiles."""
_GIB = 2**30


def step_memory(step: Callable[..., Any], *arguments: Any) -> str:
    """The memory that a step takes on each device, in words, before it is called.

    It is compiled for its arguments; the call that follows finds the program.

    Args:
        step: a jitted function, which may be a ``functools.partial`` of one.
        arguments: the rest of its arguments.

    Returns:
        As ``describe_memory``.
    """
    jitted: Any = getattr(step, "func", step)
    compiled: jax.stages.Compiled = jitted.lower(*getattr(step, "args", ()), *arguments).compile()
    return describe_memory(compiled)


def describe_memory(compiled: jax.stages.Compiled) -> str:
    """The memory that a compiled program takes on each device, in words.

    Args:
        compiled: the program.

    Returns:
        Its peak without what is stored elsewhere, such as ``"0.52 GiB (0.11 for arguments, 0.41 for
        the computation)"``; empty where the compiler does not tell.
    """
    try:
        memory = compiled.memory_analysis()
    except (NotImplementedError, RuntimeError):
        return ""
    if memory is None:
        return ""
    given = memory.argument_size_in_bytes
    computed = memory.temp_size_in_bytes
    made = max(0, memory.output_size_in_bytes - memory.alias_size_in_bytes)
    parts = f"{given / _GIB:.2f} for arguments, {(computed + made) / _GIB:.2f} for the computation"
    return f"{(given + computed + made) / _GIB:.2f} GiB ({parts})"


class Forecast:
    """The time that a training still takes, from its first measured steps.

    Args:
        first: the step at which it starts or goes on.
        num_steps: of the whole training.
    """

    def __init__(self, first: int, num_steps: int) -> None:
        self._first, self._num_steps = first, num_steps
        self._begin = 0.0

    def after(self, done: int, metrics: Any) -> str:
        """The time ahead in words, once, when it is known; empty before and afterwards.

        Args:
            done: steps done.
            metrics: of the newest step, whose end is waited for where time is taken.
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


def describe_time(seconds: float) -> str:
    """A time in words, of a precision that a forecast has.

    >>> describe_time(42.3), describe_time(500), describe_time(9000)
    ('about 42 s', 'about 8 min', 'about 2.5 h')
    """
    if seconds < 100:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.1f} h"
