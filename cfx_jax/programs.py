"""How functions of this library are compiled where they are called outside of ``jit``: once for equal arguments.

Compiled programs are kept by JAX until the process ends, and each takes some 20 memory mappings, of which Linux allows a
process 65,530 (``vm.max_map_count``); at the next one it dies. Nothing is compiled anew for other images of one shape; but
each new shape, and each function of new code, makes new programs, so old ones are let go in time.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from cfx_jax.callables import Parted, arguments, needs_values

_MAPPINGS, _LARGEST = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_CALLS_BETWEEN_LOOKS = 32
_SHARE = 0.4
_calls = 0


def compiled(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """``function(*args, **options)``, compiled once for all calls that differ by their arrays alone.

    Composes with every transformation: it is one ``jax.jit``, whose argument is the call itself. Its structure is the code of
    the function and of the callables among its arguments, and all that is compared by value (see ``callables``); its leaves
    are the arrays. A callable that asks for the values of arrays that it holds (``if threshold > 0``) runs as it is.

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


def num_mappings() -> int:
    """How many memory mappings this process has; 0 where the system does not tell."""
    return _MAPPINGS.read_bytes().count(b"\n") if _MAPPINGS.exists() else 0


def let_go_of_programs(*, above: int | None = None) -> None:
    """Lets JAX's compiled programs go once they are many; those still needed are compiled again.

    Called by every function here that compiles; it looks at every 32nd call. Elsewhere than on Linux it does nothing.

    Args:
        above: how many memory mappings are many, looked at now; None takes 40 % of what the system allows.
    """
    global _calls
    _calls += 1
    if above is None and _calls % _CALLS_BETWEEN_LOOKS or not sys.platform.startswith("linux"):
        return
    if num_mappings() > (_most_mappings() * _SHARE if above is None else above):
        jax.clear_caches()


def _most_mappings() -> int:
    try:
        return int(_LARGEST.read_text())
    except (OSError, ValueError):
        return 65530
