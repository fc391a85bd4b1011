"""How functions of this library are compiled where they are called outside of ``jit``: once for equal arguments.

Compiled programs are kept by JAX until the process ends, and each takes some 20 memory mappings, of which Linux allows a
process 65,530 (``vm.max_map_count``); at the next one it dies. Nothing is compiled anew for other images of one shape; but
each new shape, and each function of new code, makes new programs, so old ones are let go in time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from cfx_jax.callables import Parted, arguments, compiled_in, needs_values

_MAPPINGS, _ALLOWED = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_USUALLY_ALLOWED = 65530
_MANY = 0.4  # of those allowed; the calls between two looks may take as many once more
_CALLS_BETWEEN_LOOKS = 32
_looks = {"calls": 0, "left": 0}


def compiled(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """``function(*args, **options)``, compiled once for all calls that differ by their arrays alone.

    Composes with every transformation: it is one ``jax.jit``, whose argument is the call itself. Its leaves are the arrays;
    its structure is the code of the function and of the callables among its arguments, and all that is compared by value
    (see ``callables``). A callable that asks for the values of arrays that it holds (``float(threshold)``) runs as it is.

    Args:
        function: arrays and callables -> a pytree of arrays.
        args: pytrees of arrays, callables, and numbers, which are compiled in.
        options: compiled in, but for JAX arrays.
    """
    asked = arguments(function, args, options)
    if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(asked)):
        let_go_of_programs()
    try:
        return _program(asked)
    except Exception as error:
        if not needs_values(error):
            raise
    return function(*args, **options)


@jax.jit
def _program(asked: Parted) -> Any:
    return asked()


def with_values_if_asked(function: Callable[[Any], Any], held: Any) -> Any:
    """``function(held)``, and again with all compiled in that callables hold, where one of them asks for its values.

    Args:
        function: calls jitted functions.
        held: a pytree with callables from ``as_pytree``.
    """
    try:
        return function(held)
    except Exception as error:
        if not needs_values(error):
            raise
    return function(compiled_in(held))


def num_mappings() -> int:
    """How many memory mappings this process has; 0 where the system does not tell."""
    return _MAPPINGS.read_bytes().count(b"\n") if _MAPPINGS.exists() else 0


def let_go_of_programs(*, above: int | None = None) -> None:
    """Lets JAX's compiled programs go once there are many (``jax.clear_caches``); those still needed compile again.

    All that compiles here calls it; every 32nd call looks. Elsewhere than on Linux nothing is ever let go.

    Args:
        above: how many memory mappings are many, and look now; None takes 40 % of what Linux allows, besides those that were
            left the last time.
    """
    _looks["calls"] += 1
    if above is None and _looks["calls"] % _CALLS_BETWEEN_LOOKS:
        return
    if num_mappings() > (_looks["left"] + _MANY * _num_allowed() if above is None else above):
        jax.clear_caches()
        _looks["left"] = num_mappings()


def _num_allowed() -> int:
    """What the system allows, or usually allows if it is more: programs take memory too."""
    try:
        return min(int(_ALLOWED.read_text()), _USUALLY_ALLOWED)
    except (OSError, ValueError):
        return _USUALLY_ALLOWED
