"""How commands begin and end: processes find one another, and a mistake is one line on stderr."""

import os
import sys
from collections.abc import Callable, Sequence

import jax

from cfx_jax.compilation import use_compilation_cache
from cfx_jax.errors import InputError, reason_of
from cfx_jax.parallel.consensus import check_same
from cfx_jax.parallel.process_group import end_run, is_alone, wait_for_verdict
from cfx_jax.parallel.start import start_from_arguments

_BROKEN_PIPE = 141
"""The status with which a shell's own commands end when nobody reads what they print."""


CAN_GO_ON = "stopped: start the same command again to go on"
"""The line of a command that the user stops and whose next start goes on, for ``stopped``."""


def status_of(
    run: Callable[[list[str]], None],
    arguments: Sequence[str] | None,
    *,
    program: str,
    stopped: str = "",
    wording: Callable[[str], str] = str,
) -> int:
    """Runs a command, and turns a mistake of the user's into one line.

    Programs that it compiles are kept for its next start, see ``use_compilation_cache``. Several
    processes work on it where the command line or a cluster says so; all must have the same
    arguments, and all end where one does, see ``parallel.start_from_arguments``.

    Args:
        run: the command, a function of its arguments.
        arguments: the arguments of the command line; None takes the process's.
        program: the first word of the line of a mistake.
        stopped: the line where the user stops the command; empty for none.
        wording: says a mistake in the words of the command line.

    Returns:
        The exit status: 0, 2 after a mistake, 130 where the user stopped it, 141 where nobody reads
        any more what is printed.
    """
    try:
        try:
            rest = start_from_arguments(sys.argv[1:] if arguments is None else arguments)
            use_compilation_cache()
            check_same("the command", _by_option(rest))
            run(rest)
        finally:
            sys.stdout.flush()  # here, so that a pipe that nobody reads any more is noticed here
    except BrokenPipeError:
        # As of `--help | head`; the interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _ended(_BROKEN_PIPE, "")
    except InputError as error:
        return _ended(2, f"{program}: {wording(str(error))}")
    except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
        if type(error) is ValueError and "callback: Traceback" not in str(error):
            raise  # else out of memory, or a model that raises while a program runs
        wait_for_verdict(error)
        return _ended(2, f"{program}: {wording(reason_of(error))}")
    except KeyboardInterrupt:
        return _ended(130, stopped)
    return 0


def _by_option(arguments: Sequence[str]) -> dict[str, str]:
    """The words of a command line, joined, by the option that they follow."""
    words: dict[str, list[str]] = {}
    option = "arguments"
    for argument in arguments:
        if argument.startswith("--"):
            option, _, argument = argument.partition("=")
        words.setdefault(option, []).append(argument)
    return {option: " ".join(filter(None, values)) for option, values in words.items()}


def _ended(status: int, line: str) -> int:
    """The exit status of a failure, after the other processes of this run are told of it."""
    if line:
        print(line, file=sys.stderr)
    if not is_alone():
        end_run(status, line or "stopped")
    return status
