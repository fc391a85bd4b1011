"""The cost of a computation, told before most of it is spent: stages, memory and time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from cfx_jax.backend import equations_of

_GIB = 2**30
_BAR = 20


class KeptMemory(NamedTuple):
    """Memory that a callback keeps while a program runs, which JAX does not know of.

    Attributes:
        purpose: what it is for, such as ``"PyTorch's graph"``.
        num_bytes: the most at one time, on each device.
    """

    purpose: str
    num_bytes: int


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
    traced: jax.stages.Traced = jitted.trace(*getattr(function, "args", ()), *arguments)
    return describe_memory(traced.lower().compile(), kept_memory(traced))


def kept_memory(traced: jax.stages.Traced) -> KeptMemory | None:
    """The largest memory that a callback of a program keeps, None where none keeps any.

    A callback that does has a method ``kept_memory``: shapes of its arrays -> ``KeptMemory``.

    Args:
        traced: the program, before it is compiled.
    """
    memories = [
        equation.params["callback"].kept_memory([atom.aval.shape for atom in equation.invars])
        for equation in equations_of(traced.jaxpr.jaxpr)
        if hasattr(equation.params.get("callback"), "kept_memory")
    ]
    return max(memories, key=lambda memory: memory.num_bytes, default=None)


def describe_memory(compiled: jax.stages.Compiled, kept: KeptMemory | None = None) -> str:
    """The memory that a compiled program takes on each device, in words.

    Args:
        compiled: the program.
        kept: what its callbacks keep beside it, as ``kept_memory`` finds it.

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
    total = given + computed + made
    if kept is not None:
        parts += f", {kept.num_bytes / _GIB:.2f} for {kept.purpose}"
        total += kept.num_bytes
    return f"{total / _GIB:.2f} GiB ({parts})"


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
