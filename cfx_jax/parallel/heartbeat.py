"""The heartbeat of a process in a run of several: it is alive, and so are the others.

A thread says once a second that this process is alive, through the coordination service of JAX. The
first process looks at all the others, and these look at the first. One that is silent for half a
minute is taken for lost, and one that fails says why; in both cases every other process prints one
line and ends. The thread does so while the main thread waits in a computation that would never end.
"""

import itertools
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import jax

BEAT_S = 1.0
SILENCE_S = 30
"""Seconds of silence after which a process is taken for lost."""
LOST_STATUS = 75
"""The exit status of a process that ends since another one is lost: try again."""

_BEATS, _ENDED = "cfx/beats", "cfx/end"


class Heartbeat:
    """The thread that says that this process is alive, and ends it when another one is lost."""

    def __init__(
        self, client: Any, index: int, num_processes: int, *, end: Callable[[int], NoReturn]
    ) -> None:
        """Takes what the thread needs, and does not start it.

        Args:
            client: the client of the coordination service.
            index: the index of this process.
            num_processes: how many there are.
            end: ends this process with a status.
        """
        self._client, self._index, self._num_processes = client, index, num_processes
        self._end = end
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looks after the run", daemon=True)
        self._silent: dict[int, tuple[str, int]] = {}

    def start(self) -> None:
        """Starts to look after the others, once a second."""
        self._thread.start()

    def tell(self, reason: str) -> None:
        """Makes known to the others that this process ends, and why."""
        self._stopped.set()
        self._post(f"process {self._index} of {self._num_processes} has ended ({reason})")

    def stop(self) -> None:
        """Ends the thread, when all have come to their end."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        unheard = 0
        for number in itertools.count():
            if self._stopped.wait(BEAT_S):
                return
            try:
                self._client.key_value_set(f"{_BEATS}/{self._index}/now", str(number), True)
                reason = self._reason()
                unheard = 0
            except jax.errors.JaxRuntimeError:
                unheard += 1
                reason = None
                if unheard * BEAT_S > SILENCE_S:
                    reason = f"the host of process 0 has not answered for {SILENCE_S} s"
            if reason is not None and not self._stopped.is_set():
                print(f"stopped: {reason}: start the same command again to go on", file=sys.stderr)
                self._end(LOST_STATUS)

    def _reason(self) -> str | None:
        """The reason for which this process must end, None where all is well."""
        posted = self._client.key_value_dir_get(_ENDED)
        if posted:
            return str(posted[0][1])
        lost = self._lost()
        if lost is None:
            return None
        reason = (
            f"process {lost} of {self._num_processes} has not answered for {SILENCE_S} s and is"
            " taken for lost"
        )
        self._post(reason)
        return reason

    def _lost(self) -> int | None:
        """The number of a process that has been silent for too long.

        Time is counted in this thread's own beats, so that a process that was held up itself
        accuses no other.
        """
        folder = _BEATS if self._index == 0 else f"{_BEATS}/0"
        heard = {
            int(name.split("/")[-2]): value
            for name, value in self._client.key_value_dir_get(folder)
        }
        for index in range(self._num_processes) if self._index == 0 else (0,):
            value = heard.get(index, "")
            before, beats = self._silent.get(index, (value, 0))
            beats = beats + 1 if value == before else 0
            self._silent[index] = value, beats
            if beats * BEAT_S >= SILENCE_S:
                return index
        return None

    def _post(self, reason: str) -> None:
        # Another process may have been quicker, or nobody is there to hear it.
        with suppress(jax.errors.JaxRuntimeError):
            self._client.key_value_set(f"{_ENDED}/reason", reason)
