"""How commands end: a mistake of the user's is one line on stderr."""

import os
import sys
from collections.abc import Callable

import jax

from cfx_jax.errors import InputError, reason_of

_BROKEN_PIPE = 141
"""The status with which a shell's own commands end when nobody reads what they print."""


def status_of(run: Callable[[], None], *, program: str, stopped: str = "") -> int:
    """Runs a command, and turns a mistake of the user's into one line.

    Args:
        run: the command.
        program: what the line begins with.
        stopped: what is said where the user stops the command.

    Returns:
        The exit status: 0, 2 after a mistake, 130 where the user stopped it, 141 where nobody reads
        any more what is printed.
    """
    try:
        try:
            run()
        finally:
            sys.stdout.flush()  # here, so that a pipe that nobody reads any more is noticed here
    except BrokenPipeError:
        # As of `--help | head`; the interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
        if type(error) is ValueError and "callback: Traceback" not in str(error):
            raise  # else out of memory, or a model that raises while a program runs
        print(f"{program}: {reason_of(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if stopped:
            print(f"{program}: {stopped}", file=sys.stderr)
        return 130
    return 0
