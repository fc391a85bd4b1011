"""The cost of a computation, told before most of it is spent: stages, memory and time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

_GIB = 2**30
_BAR = 20


def program_memory(function: Callable[..., Any], *arguments: Any) -> str:
    """The memory that a program takes on each device, in words, before it is called.

    It is compiled for its arguments; the call that follows finds the program.

    Args:
        function: a jitted function, which may be a ``functools.partial`` of one.
        arguments: the rest of its arguments.

    Returns:
        As ``describe_memory``.

    Raises:
        Exception: whatever the function raises when it is traced.

    >>> numbers = jax.ShapeDtypeStruct((2**28,), jnp.float32)
    >>> print(program_memory(jax.jit(jnp.sort), numbers))
    2.00 GiB (1.00 for arguments, 1.00 for the computation)
    """
    jitted: Any = getattr(function, "func", function)
    compiled: jax.stages.Compiled = jitted.lower(
        *getattr(function, "args", ()), *arguments
    ).compile()
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


def describe_time(seconds: float) -> str:
    """A time in words, of a precision that a forecast has.

    >>> describe_time(42.3), describe_time(500), describe_time(9000)
    ('about 42 s', 'about 8 min', 'about 2.5 h')
    """
    if seconds < 100:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.1f} h"


def describe_stage(name: str, names: Sequence[str], *, done: float | None = None) -> str:
    """A line for the beginning of a stage: a bar for the whole, the stage's number and its name.

    Args:
        name: the name of the stage.
        names: the names of all stages, in their order.
        done: the share of the whole that is done, in [0, 1]; None counts the stages before.

    >>> describe_stage("maps", ["images", "maps"])
    '[##########----------] stage 2 of 2: maps'
    """
    number = names.index(name)
    filled = int(_BAR * (number / len(names) if done is None else done))
    bar = f"[{'#' * filled}{'-' * (_BAR - filled)}]"
    return f"{bar} stage {number + 1} of {len(names)}: {name}"
