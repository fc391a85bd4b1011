"""The memory allocator of the C library, set up for commands that compute on a CPU.

A compiled program allocates the values of its layers anew at each call, and so does a PyTorch
network that JAX calls back. By its defaults glibc returns so large blocks to the system once they
are freed, and the system clears each page again: of EfficientNet-Lite0 of PyTorch at 224 pixels
this was a third of the processor time, of training steps at 64 pixels an eighth to a fifth.
"""

import ctypes

# Parameters of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = -1


def keep_freed_memory() -> None:
    """Lets the process keep the memory that it frees, in one heap for all threads.

    It is for processes that do one job: their memory stays at its largest. Threads that have a heap
    of their own already keep it, so this comes before JAX and PyTorch start theirs. With another C
    library than glibc nothing changes.
    """
    try:
        library = ctypes.CDLL(None)
        set_parameter = library.mallopt
        library.gnu_get_libc_version  # noqa: B018, as others have a mallopt of their own
    except (AttributeError, OSError, TypeError):
        return
    set_parameter(_MMAP_MAX, 0)
    set_parameter(_TRIM_THRESHOLD, _NEVER)
    set_parameter(_ARENA_MAX, 1)
