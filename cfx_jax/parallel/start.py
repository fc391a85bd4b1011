"""The start of a run of several processes, on one host or many."""

import argparse
import atexit
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import clusters, distributed  # JAX shows neither the store of keys nor the clusters
from jax.sharding import NamedSharding, PartitionSpec

from cfx_jax.errors import InputError
from cfx_jax.parallel import coordination_service
from cfx_jax.parallel.consensus import wait_for_all
from cfx_jax.parallel.heartbeat import SILENCE_S
from cfx_jax.parallel.process_group import join_run, this_run
from cfx_jax.parallel.sharding import data_mesh, shard

DISTRIBUTED_HELP = (
    "On several processes, in each of them: --distributed.coordinator HOST:PORT"
    " --distributed.num-processes N --distributed.index I, with a port of the host of process 0;"
    " under SLURM, Open MPI and on TPU pods they are found without. --distributed.num-processes 1"
    " runs alone there."
)
"""The options of ``start_from_arguments``, for a command's help."""

_CLUSTERS = ("ompi", "slurm", "gcetpu", "gketpu")
_LINGER_S = SILENCE_S + 10
_HEARTBEAT_S = SILENCE_S + 70  # JAX's own, the last resort
_START_S = 300
_COUNTS = ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")  # of Open MPI 5 too


class _Place(NamedTuple):
    """The place of this process in its run."""

    coordinator: str
    num_processes: int
    process: int


def start_distributed(
    *, coordinator: str | None = None, num_processes: int | None = None, index: int | None = None
) -> None:
    """Joins this process to the others of a run; call it before any other use of JAX.

    Under SLURM, Open MPI and on TPU pods leave all arguments out. On CPU devices processes talk
    through Gloo; how many devices each has must be set before. From here on a process that fails or
    is lost ends all the others, each with one line.

    Args:
        coordinator: ``host:port`` of process 0, a free port.
        num_processes: how many processes there are; with 1 nothing is done.
        index: this process's number, from 0.

    Raises:
        InputError: an index outside of the processes, arguments that are missing where no cluster
            names them, JAX that was used before, or processes that do not answer.
    """
    if num_processes is not None and index is not None and not 0 <= index < num_processes:
        raise InputError(f"index: expected a process in 0..{num_processes - 1}, got {index}")
    if num_processes == 1:
        return
    place = _find_place(coordinator, num_processes, index)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would keep SIGTERM from ending the process.
    jax.config.update("jax_enable_preemption_service", False)
    close = _serve(place) if place.process == 0 else _nothing
    try:
        jax.distributed.initialize(
            *place,
            # Process 0 serves at the meeting point, and not here.
            coordinator_bind_address="localhost:0" if place.process == 0 else None,
            initialization_timeout=_START_S,
            heartbeat_timeout_seconds=_HEARTBEAT_S,
        )
    except (ValueError, RuntimeError) as error:
        close(coordination_service.FAILED)
        raise InputError(_cannot_start(coordinator, num_processes, index, error)) from error
    client = distributed.global_state.client
    _check_new(client, place)
    join_run(client, place.process, place.num_processes, close)
    atexit.register(_leave)
    _connect()


def start_from_arguments(arguments: Sequence[str]) -> list[str]:
    """Starts a run of several processes where a command line, or a cluster, says so.

    All processes but the first print nothing from here on but errors.

    Args:
        arguments: the arguments of the command line, with ``--distributed.coordinator``,
            ``--distributed.num-processes`` and ``--distributed.index`` or without.

    Returns:
        The other arguments.

    Raises:
        InputError: as ``start_distributed``.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--distributed.coordinator", dest="coordinator")
    parser.add_argument("--distributed.num-processes", dest="num_processes", type=int)
    parser.add_argument("--distributed.index", dest="index", type=int)
    try:
        given, rest = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise InputError(f"{error.argument_name}: {error.message}") from error
    is_asked = any(value is not None for value in vars(given).values())
    if is_asked or _is_in_cluster():
        start_distributed(**vars(given))
    run = this_run()
    if run is not None and run.process > 0:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end
        warnings.simplefilter("ignore")
    return rest


def _is_in_cluster() -> bool:
    """Whether a cluster has started this process beside others."""
    return any(
        cluster.name in _CLUSTERS and cluster.is_env_present() and cluster.get_process_count() > 1
        for cluster in clusters.ClusterEnv._cluster_types
    )


def _find_place(coordinator: str | None, num_processes: int | None, index: int | None) -> _Place:
    size, rank = (os.environ.get(name) for name in _COUNTS)
    if coordinator is not None and size is not None and rank is not None:
        num_processes = int(size) if num_processes is None else num_processes
        index = int(rank) if index is None else index
    try:
        detected = clusters.ClusterEnv.auto_detect_unset_distributed_params(
            coordinator, num_processes, index, None, None, _START_S
        )[:3]
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(_cannot_start(coordinator, num_processes, index, error)) from error
    if None in detected or ":" not in str(detected[0]):
        reason = ValueError("coordinator HOST:PORT, number and index of processes are needed")
        raise InputError(_cannot_start(*detected, reason))
    return _Place(*detected)  # type: ignore[arg-type]


def _cannot_start(
    coordinator: str | None, num_processes: int | None, index: int | None, error: Exception
) -> str:
    reason = str(error).splitlines()[0]
    return (
        "start_distributed: expected to be the first use of JAX and, outside of a cluster, to"
        f" get all arguments, got {coordinator=}, {num_processes=}, {index=}: {reason}"
    )


def _serve(place: _Place) -> Callable[[str], None]:
    """Starts the coordination service in a process of its own, and gives what ends it."""
    port = place.coordinator.rpartition(":")[2]
    address = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", f"[::]:{port}")
    settings = [address, place.num_processes, _HEARTBEAT_S, _LINGER_S]
    server = subprocess.Popen(
        [sys.executable, str(Path(coordination_service.__file__)), *map(str, settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None and server.stdout is not None
    answer = server.stdout.readline().strip()
    if answer != coordination_service.READY:
        raise InputError(
            f"coordinator: expected a free port of this host, {place.coordinator} cannot be used"
            f" ({answer or 'the service ended'}): choose another port"
        )
    stdin = server.stdin

    def close(how: str) -> None:
        with suppress(OSError):
            stdin.write(f"{how}\n")
            stdin.close()

    return close


def _check_new(client: Any, place: _Place) -> None:
    """Checks that this is no earlier run, whose process 0 has been killed just now."""
    try:
        client.key_value_set(f"cfx/joined/{place.process}", "")
    except jax.errors.JaxRuntimeError:
        print(
            f"error: an earlier run is still ending at {place.coordinator}: start again in a"
            " minute, or choose another port",
            file=sys.stderr,
        )
        os._exit(2)  # at once: that run's service waits for processes that have gone


def _connect() -> None:
    """Connects the devices of all processes while all of them are here.

    Gloo connects at the first computation, and gives up where a process comes half a minute after
    another one, as it may when it compiles before. This computation is compiled before all meet.
    """
    mesh = data_mesh()
    numbers = shard(np.zeros(mesh.size, np.float32), mesh)
    add = jax.jit(jnp.sum, out_shardings=NamedSharding(mesh, PartitionSpec()))
    program = add.lower(numbers).compile()
    wait_for_all("the start of the run")
    with _silent_output():  # Gloo says on the standard output that it is connected
        jax.block_until_ready(program(numbers))


@contextmanager
def _silent_output() -> Iterator[None]:
    """Throws away what libraries print past Python while the block runs."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _nothing(how: str) -> None:
    del how


def _leave() -> None:
    """Ends the run at the end of this process, when all have come to theirs."""
    run = this_run()
    if run is not None:
        wait_for_all("the end of the run", each_works=True)
        run.heartbeat.stop()
        jax.distributed.shutdown()
        run.close(coordination_service.DONE)
