"""The programs of functions that are called outside of ``jit``, compiled once for equal arguments.

Compiled programs are kept by JAX until the process ends, and each takes some 20 memory mappings.
Linux allows a process 65,530 of them (``vm.max_map_count``); at the next one it dies. Nothing is
compiled anew for other images of one shape; but each new shape, and each function of new code,
makes new programs, so old ones are let go in time.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from cfx_jax.array_types import check_usable
from cfx_jax.compilation.callables import needs_values
from cfx_jax.compilation.changes import forget_changes
from cfx_jax.compilation.parted_callables import Parted, arguments

_MAPPINGS, _ALLOWED = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_USUALLY_ALLOWED = 65530
_MANY = 0.4  # of those allowed; the calls between two looks may take as many once more
_CALLS_BETWEEN_LOOKS = 32
_looks = {"calls": 0, "left": 0}
_MOST_PROGRAMS, _MOST_BYTES = 1024, 2**30
_programs: "dict[Any, _Program]" = {}
_lock = threading.Lock()
_TRACED_OPTIONS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_debug_nans",
    "jax_debug_infs",
)
"""What changes how a function is traced."""


def compiled(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """``function(*args, **options)``, compiled once for calls that differ by their arrays alone.

    Composes with every transformation. A program belongs to the structure of the call: the code of
    the function and of the callables among its arguments, and all that is compared by value (see
    ``callables``). The arrays are its arguments, also those that a user's own function holds:
    compiled in, they would be stored a second time. A callable that asks for the values of arrays
    that it is given as arguments (``float(threshold)``) runs as it is.

    Args:
        function: arrays and callables -> a pytree of arrays.
        args: pytrees of arrays, callables, and numbers, which are compiled in.
        options: compiled in, but for JAX arrays.

    Raises:
        InputError: as ``check_usable``.
    """
    asked = arguments(function, args, options)
    leaves, structure = jax.tree.flatten(asked)
    for leaf in leaves:
        check_usable(leaf, name="arrays")
    is_eager = not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    try:
        if not is_eager or jax.config.jax_disable_jit:  # type: ignore[attr-defined]
            return _nested(asked)
        let_go_of_programs()
        return _program(leaves, structure, is_kept=asked.is_comparable)(leaves)
    except Exception as error:
        if not needs_values(error):
            raise
    return function(*args, **options)


@jax.jit
def _nested(asked: Parted) -> Any:
    return asked()


class _Program(NamedTuple):
    """A compiled function of ``(constants, leaves)``: its constants, and its result's structure."""

    run: Callable[..., list[Any]]
    constants: list[Any]
    result: Any

    def __call__(self, leaves: list[Any]) -> Any:
        return jax.tree.unflatten(self.result, self.run(self.constants, leaves))

    @property
    def num_bytes(self) -> int:
        return sum(getattr(constant, "nbytes", 0) for constant in self.constants)


def _program(leaves: list[Any], structure: Any, *, is_kept: bool) -> _Program:
    """The program of a call, from those that are kept, or traced now."""
    options = tuple(getattr(jax.config, name) for name in _TRACED_OPTIONS)
    key = structure, tuple(map(jax.typeof, leaves)), options, jax.sharding.get_abstract_mesh()
    with _lock:
        program = _programs.pop(key, None)
        if program is not None:
            _programs[key] = program  # as the last one used
            return program
    program = _traced(leaves, structure)
    # One of an outer trace ends with it, and one of what cannot be compared is never asked for
    # again.
    if is_kept and not any(isinstance(constant, jax.core.Tracer) for constant in program.constants):
        with _lock:
            _make_room(program.num_bytes)
            _programs[key] = program
    return program


def _traced(leaves: list[Any], structure: Any) -> _Program:
    """The program of a call, traced now."""
    traced, result = jax.make_jaxpr(lambda *given: structure.unflatten(given)(), return_shape=True)(
        *leaves
    )

    def evaluate(constants: list[Any], given: list[Any]) -> list[Any]:
        return jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, constants))(*given)

    return _Program(jax.jit(evaluate), list(map(_kept, traced.consts)), jax.tree.structure(result))


def _kept(constant: Any) -> Any:
    """The constant as a program holds it, with small arrays of JAX copied.

    A small array is compared by value, and a user may give its buffer away.
    """
    is_small = (
        isinstance(constant, jax.Array)
        and not isinstance(constant, jax.core.Tracer)
        and constant.size <= 1024
    )
    is_number = is_small and not jax.dtypes.issubdtype(constant.dtype, jax.dtypes.extended)
    return np.array(constant) if is_number else constant  # of NumPy, which no outer trace records


def _make_room(num_bytes: int) -> None:
    """Lets go of the programs that were used least recently.

    It does so where there are many, or where they hold large arrays.
    """
    held = num_bytes + sum(program.num_bytes for program in _programs.values())
    while _programs and (len(_programs) >= _MOST_PROGRAMS or held > _MOST_BYTES):
        held -= _programs.pop(next(iter(_programs))).num_bytes


def num_mappings() -> int:
    """How many memory mappings this process has; 0 where the system does not tell."""
    return _MAPPINGS.read_bytes().count(b"\n") if _MAPPINGS.exists() else 0


def let_go_of_programs(*, above: int | None = None) -> None:
    """Lets JAX's compiled programs go once there are many (``jax.clear_caches``).

    Those that are still needed compile again.

    All that compiles here calls it; every 32nd call looks. Elsewhere than on Linux nothing is ever
    let go.

    Args:
        above: how many memory mappings are many, and look now; None takes 40 % of what Linux
            allows, besides those that were left the last time.
    """
    _looks["calls"] += 1
    if above is None and _looks["calls"] % _CALLS_BETWEEN_LOOKS:
        return
    if num_mappings() > (_looks["left"] + _MANY * _num_allowed() if above is None else above):
        with _lock:
            _programs.clear()
        forget_changes()
        jax.clear_caches()
        _looks["left"] = num_mappings()


def _num_allowed() -> int:
    """The mappings that the system allows, at most the usual number: programs take memory too."""
    try:
        return min(int(_ALLOWED.read_text()), _USUALLY_ALLOWED)
    except (OSError, ValueError):
        return _USUALLY_ALLOWED
