"""Agreements of the processes of one run, which all take part in the same computations.

The first process decides what is stored and writes it; the others wait for its word and read. Every
process must come to the same agreements in the same order, and finds out when another one does not.
A process that runs alone waits for nobody. Every wait has a limit.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

import jax

from cfx_jax.errors import InputError
from cfx_jax.locks import locked
from cfx_jax.parallel.process_group import Run, acting_alone, is_first_process, this_run

T = TypeVar("T")

_WAIT_S = 3600
"""Seconds that one process waits for another that is alive."""
_WORK_S = 24 * 3600
"""The same while the other works by itself: on the data, or on its own part of the images."""
_SIGHT_S = 60.0
"""Seconds until a file of another host must be seen: network file systems remember what is not
there."""
_SHARED_S = 10.0
"""Seconds until a new file must be seen in a folder that is shared."""
_PAUSE_S = 0.05


def first_decides(what: str, value: T) -> T:
    """Returns the first process's value in every process.

    Args:
        what: the decision, in words; processes that decide different things do not go on.
        value: this process's value, of types that JSON has; only the first process's value counts.

    Returns:
        The value of the first process.

    Raises:
        InputError: the first process is at another decision, or does not come.

    Example:
        >>> first_decides("the stage is stored", False)  # this process is alone
        False
    """
    run = this_run()
    if run is None:
        return value
    key = _next_key(run)
    if run.process == 0:
        run.client.key_value_set(key, json.dumps([what, value]))
        return value
    told, decided = json.loads(_get(run, key, 0, what))
    if told != what:
        raise InputError(
            f"expected process 0 at '{what}', as process {run.process} is, got it at '{told}':"
            " start all processes with the same code and the same files"
        )
    return decided


def check_same(what: str, values: Mapping[str, Any]) -> None:
    """Checks that all processes have the same values.

    Args:
        what: their meaning, in words.
        values: by name, of types that JSON knows; others are compared as text.

    Raises:
        InputError: in every process, naming the first value that differs.
    """
    run = this_run()
    if run is None:
        return
    mine = {str(name): value for name, value in values.items()}
    everyone = [json.loads(text) for text in _exchange(run, json.dumps(mine, default=str), what)]
    for index, theirs in enumerate(everyone):
        for name in {**everyone[0], **theirs}:
            first, other = everyone[0].get(name), theirs.get(name)
            if first != other:
                raise InputError(
                    f"{what}: expected {name} {first!r} in every process, as in process 0, got"
                    f" {other!r} in process {index}: start all of them with the same command"
                )


def check_same_folder(what: str, folder: str | os.PathLike[str]) -> None:
    """Checks that all processes see the same folder, which the first one makes where it is missing.

    A folder in which the first process cannot write is not checked.

    Args:
        what: the folder's part in the run, in words, such as ``"--work"``.
        folder: its path in this process.

    Raises:
        InputError: in every process, naming the first that sees another folder.
    """
    run = this_run()
    if run is None:
        return
    place = Path(folder).expanduser().absolute()
    name = f".met-{uuid.uuid4().hex[:12]}"
    made = _touch(place / name) if run.process == 0 else False
    name = first_decides(f"{what} is the same folder", name if made else "")
    try:
        seen = not name or _is_seen(place / name, _SHARED_S)
        everyone = [
            json.loads(text) for text in _exchange(run, json.dumps([seen, str(place)]), what)
        ]
    finally:
        if made:
            (place / name).unlink(missing_ok=True)
    for index, (sees, path) in enumerate(everyone):
        if not sees:
            raise InputError(
                f"{what}: expected a folder that all processes share, {everyone[0][1]} of process 0"
                f" is not {path} of process {index}: give a folder on a shared file system"
            )


def wait_for_all(what: str, *, each_works: bool = False) -> None:
    """Waits until every process has come here.

    Args:
        what: the point that the processes have reached, in words.
        each_works: whether each has worked by itself before, so that they come at different times;
            they are waited for a day then, and else an hour.

    Raises:
        InputError: a process does not come.
    """
    run = this_run()
    if run is None:
        return
    limit = _WORK_S if each_works else _WAIT_S
    try:
        run.client.wait_at_barrier(f"{_next_key(run)} {what}", limit * 1000)
    except jax.errors.JaxRuntimeError as error:
        raise _late(run, "all processes", what, limit) from error


def first_then_others(what: str, make: Callable[[], T]) -> T:
    """Calls a function in the first process, and then in the others, which find what it stored.

    Args:
        what: the work, in words.
        make: the work, a function without arguments. It must use no devices of other processes.
            It decides and writes as in a process that runs alone.

    Returns:
        Its value, in every process.

    Raises:
        InputError: the first process does not come to its end within a day.
    """
    run = this_run()
    if run is None:
        return make()
    key = _next_key(run)
    if run.process > 0:
        _get(run, key, 0, what, limit=_WORK_S)
    with acting_alone():
        value = make()
    if run.process == 0:
        run.client.key_value_set(key, "done")
    return value


def wait_for_file(path: Path) -> None:
    """Waits until a file that the first process has written is seen here.

    Args:
        path: the file.

    Raises:
        InputError: it is not seen within a minute.
    """
    if not is_first_process() and not _is_seen(path, _SIGHT_S):
        raise InputError(
            f"expected {path}, which process 0 has written, got no such file within {_SIGHT_S:.0f}"
            " s: give a folder on a shared file system"
        )


def first_process_locks(
    folder: str | os.PathLike[str], *, doing: str
) -> AbstractContextManager[None]:
    """Locks a folder, see ``locks.locked``, for all processes of this run: the first takes it.

    Args:
        folder: the folder.
        doing: what the process does in the folder, in words.
    """
    return locked(folder, doing=doing) if is_first_process() else nullcontext()


def _next_key(run: Run) -> str:
    return f"cfx/agreed/{next(run.numbers)}"


def _exchange(run: Run, text: str, what: str) -> list[str]:
    """The texts of all processes, in their order."""
    key = _next_key(run)
    run.client.key_value_set(f"{key}/{run.process}", text)
    return [_get(run, f"{key}/{index}", index, what) for index in range(run.num_processes)]


def _get(run: Run, key: str, index: int, what: str, *, limit: int = _WAIT_S) -> str:
    try:
        return str(run.client.blocking_key_value_get(key, limit * 1000))
    except jax.errors.JaxRuntimeError as error:
        raise _late(run, f"process {index}", what, limit) from error


def _late(run: Run, who: str, what: str, limit: int) -> InputError:
    return InputError(
        f"process {run.process} has waited for {who} at '{what}' for up to {limit} s in vain: look"
        " at what the others have printed, then start the same command again to go on"
    )


def _touch(path: Path) -> bool:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return True
    return False


def _is_seen(path: Path, limit: float) -> bool:
    """Whether a file appears within some seconds.

    The folder is listed, since a network file system remembers that a name was not there.
    """
    until = time.monotonic() + limit
    while True:
        with suppress(OSError):
            if path.name in os.listdir(path.parent):
                return True
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_S)
