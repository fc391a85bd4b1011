"""Compiled programs that are kept on disk, for the next start of a command."""

import glob
import os
import re
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

_DAMAGED_PROGRAM = re.compile(r"Error reading persistent compilation cache entry for '([^']+)'")


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs.

    They are in the folder ``JAX_COMPILATION_CACHE_DIR``, or in the user's cache folder; where that
    cannot be written, none are kept. A damaged program, as a process that is killed while it writes
    leaves one, is removed, so that it is written anew: JAX itself would warn of it at each start.
    """
    _remove_damaged_programs()
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "cfx_jax" / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Many small programs take long as well.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def _remove_damaged_programs() -> None:
    """Removes a program that JAX warns it cannot read, and makes the warning one line."""
    show = warnings.showwarning
    if show.__module__ == __name__:  # done before
        return

    def remove_or_show(message: Warning | str, *details: Any, **options: Any) -> None:
        damaged = _DAMAGED_PROGRAM.match(str(message))
        folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
        if damaged is None or folder is None:
            show(message, *details, **options)
            return
        name = glob.escape(damaged[1])
        for program in [*Path(folder).glob(f"{name}-cache"), *Path(folder).glob(f"{name}-*-cache")]:
            with suppress(OSError):
                program.unlink()
        print(
            f"a compiled program of {damaged[1]} in {folder} is damaged and is made anew",
            file=sys.stderr,
        )

    warnings.filterwarnings("always", message=_DAMAGED_PROGRAM.pattern)
    warnings.showwarning = remove_or_show
