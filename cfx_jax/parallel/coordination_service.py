"""The coordination service of a run of several processes, in a process of its own.

JAX would have process 0 serve the others. Where that process is killed, JAX ends the others at once
with a trace of the stack, and none can say who is missing. This program serves in its place, and
for a while after process 0 has gone. It imports no JAX, so that it starts within a second.

python coordination_service.py ADDRESS NUM_PROCESSES HEARTBEAT_TIMEOUT LINGER
"""

import signal
import socket
import sys
import time
from contextlib import suppress

READY, DONE, FAILED = "ready", "done", "failed"
_WORD_S = 5.0
"""Seconds in which all processes hear why one of them has failed."""
_TRIES, _PAUSE_S = 100, 1.0
"""Looks whether the port is free, and seconds between: an earlier run may still be ending there."""


def main(address: str, num_processes: str, heartbeat_timeout: str, linger: str) -> None:
    """Serves until the standard input says that all is done, or a while after its end.

    Args:
        address: to listen on, ``host:port``.
        num_processes: how many processes meet here.
        heartbeat_timeout: seconds after which JAX itself takes a silent process for lost.
        linger: seconds to serve on when process 0 has gone without a word.
    """
    # A queue or a terminal sends its signals to all; process 0 alone decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _wait_until_free(int(address.rpartition(":")[2]))
    from jaxlib import _jax

    service = _jax.get_distributed_runtime_service(
        address, int(num_processes), heartbeat_timeout=int(heartbeat_timeout), shutdown_timeout=60
    )
    print(READY, flush=True)
    word = sys.stdin.readline().strip()
    time.sleep({DONE: 0.0, FAILED: _WORD_S}.get(word, float(linger)))
    service.shutdown()


def _wait_until_free(port: int) -> None:
    """Raises ``OSError`` where another program goes on listening: the service would not tell."""
    for _ in range(_TRIES):
        with suppress(OSError):
            return _bind(port)
        time.sleep(_PAUSE_S)
    _bind(port)


def _bind(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", port))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        print(str(error).splitlines()[0], flush=True)
        sys.exit(1)
