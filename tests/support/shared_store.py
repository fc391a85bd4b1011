"""A store of keys and values as JAX's coordination service has it, in this process."""

import itertools
import sys
from collections.abc import Callable

import jax

from cfx_jax.parallel.heartbeat import Heartbeat
from cfx_jax.parallel.process_group import Run


class SharedStore:
    """The client of a coordination service whose waits end at once, for want of anybody else."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None:
        """Sets a key, once unless it may be changed."""
        if key in self.values and not allow_overwrite:
            raise jax.errors.JaxRuntimeError(f"ALREADY_EXISTS: {key}")
        self.values[key] = value

    def key_value_dir_get(self, folder: str) -> list[tuple[str, str]]:
        """All keys below a folder with their values."""
        return [(key, value) for key, value in self.values.items() if key.startswith(f"{folder}/")]

    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
        """The value of a key."""
        if key not in self.values:
            raise jax.errors.JaxRuntimeError(f"DEADLINE_EXCEEDED after {timeout_in_ms}")
        return self.values[key]

    def wait_at_barrier(self, name: str, timeout_in_ms: int) -> None:
        """Nobody else comes."""
        raise jax.errors.JaxRuntimeError(f"DEADLINE_EXCEEDED: {name} after {timeout_in_ms}")


def run_of(store: SharedStore, process: int, num_processes: int) -> Run:
    """A process of a run over a store, whose thread does not run."""
    close: Callable[[str], None] = lambda how: None  # noqa: E731
    heartbeat = Heartbeat(store, process, num_processes, end=sys.exit)
    return Run(store, process, num_processes, itertools.count(), heartbeat, close)
