"""Starts one command as several processes of one run, on this host."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def start_processes(
    command: Sequence[str],
    count: int,
    *,
    port: int | None = None,
    more: Sequence[Sequence[str]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[subprocess.Popen[str]]:
    """Starts ``python COMMAND`` several times, each with one CPU device.

    Args:
        command: after ``python``.
        count: of processes; one is started alone, with two devices.
        port: of process 0; None for a free one.
        more: further arguments of each process.
        environment: further variables of all processes.
    """
    port = free_port() if port is None else port
    variables = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "2" if count == 1 else "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **(environment or {}),
    }
    flags = variables.get("XLA_FLAGS", "").split()  # without a number of devices for all
    variables["XLA_FLAGS"] = " ".join(flag for flag in flags if "device_count" not in flag)
    group = ["--distributed.coordinator", f"localhost:{port}", "--distributed.num-processes"]
    processes = []
    for index in range(count):
        place = [*group, str(count), "--distributed.index", str(index)] if count > 1 else []
        own = more[index] if more else []
        processes.append(
            subprocess.Popen(
                [sys.executable, *command, *place, *own],
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def start_experiment(
    name: str, folder: Path, count: int, *options: str
) -> list[subprocess.Popen[str]]:
    """Starts the preset ``smoke`` of an experiment on some processes of one run.

    Its programs are compiled with few optimisations: they compile for longer than they run.

    Args:
        name: of the experiment.
        folder: gets ``results`` and ``work``.
        count: of processes.
        options: of the experiment.
    """
    where = ["--results", str(folder / "results"), "--work", str(folder / "work")]
    command = ["-m", f"experiments.{name}", "--preset", "smoke", *where, *options]
    return start_processes(command, count, environment={"JAX_DISABLE_MOST_OPTIMIZATIONS": "true"})


def ends(
    processes: Sequence[subprocess.Popen[str]], *, seconds: float
) -> list[tuple[int, str, str]]:
    """The status, output and errors of each process, none of which may run longer.

    Args:
        processes: that were started.
        seconds: after which those that still run are killed and the test fails.
    """

    def wait(process: subprocess.Popen[str]) -> tuple[int, str, str]:
        output, errors = process.communicate(timeout=seconds)
        return process.returncode, output, errors

    try:
        # All at once: a process stops where nobody reads what it prints.
        with ThreadPoolExecutor(len(processes)) as readers:
            return list(readers.map(wait, processes))
    finally:
        for process in processes:
            process.kill()


def last_line(text: str) -> str:
    """The last line of an output."""
    return text.strip().splitlines()[-1]
