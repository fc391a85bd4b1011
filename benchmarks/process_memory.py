"""The memory of this process, as Linux counts it; nothing large is imported."""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def peak_memory_of(call: Callable[[], object]) -> float | None:
    """GiB that one call, which waits for its result, takes at its peak beyond what this process
    held before; None where only Linux would tell.

    Call it once before: compiled programs and caches count too. Memory on an accelerator does not.
    """
    with suppress(AttributeError, OSError):
        # Blocks that were freed but kept for later would be used again without being seen.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    before = memory_in_use("VmRSS")
    call()
    return max(memory_in_use("VmHWM") - before, 0.0)


def memory_in_use(field: str) -> float:
    """A field of this process's status, in GiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 2**20
