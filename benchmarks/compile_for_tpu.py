"""Compiles what the published settings run for TPUs, on a machine that has none.

Each training step and each explanation is compiled for a slice of chips, its batch divided among
them. A row says how much memory a chip needs, how much arithmetic a call takes, and what the chips
tell one another. It needs the extra ``tpu``, whose version of libtpu fits the installed JAX.
Programs take minutes each; with an output file the command goes on where it was stopped.

    python -m benchmarks.compile_for_tpu
    python -m benchmarks.compile_for_tpu --level O1 --output benchmarks/results/compile_for_tpu.json
    python -m benchmarks.compile_for_tpu --programs "train trades" --topology v5e:4x4
"""

import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.measure import report
from benchmarks.tpu_programs import PROGRAMS, Program
from cfx_jax.backend import compiling_for
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.files import read_json
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Compiles programs for TPUs."""

    programs: tuple[str, ...] = tuple(PROGRAMS)
    """Which programs, in this order."""
    topology: str = "v5e:2x2"
    """Kind and arrangement of the chips; v5e:4x4 are 16 chips of several hosts."""
    memory: float = 16.0
    """GiB of a chip (v5e: 16); a program that needs more is marked."""
    level: str = ""
    """How much the compiler optimises, O0 to O3; empty: as it does by itself. O1 is several times
    quicker, and its programs need somewhat more memory.
    """
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none. Programs in
    it, of the same topology and JAX, are not compiled again.
    """


_COLUMNS = [
    "program",
    "batch",
    "GiB of a chip",
    "of them temporary",
    "fits",
    "level",
    "TFLOP of a chip",
    "collectives",
    "compile seconds",
]
_GIB, _TERA = 2**30, 1e12
_COLLECTIVE = re.compile(
    r"^.*? = .*? (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(",
    re.MULTILINE,  # an instruction a line; the type may be a tuple, with spaces and brackets
)


def main(config: Config) -> None:
    """Prints a row for each program when it is compiled."""
    for name in config.programs:
        check_choice(name, tuple(PROGRAMS), name="programs")
    # A program of the cache would hide how long compiling takes.
    jax.config.update("jax_enable_compilation_cache", False)
    check_choice(config.level, ("", "O0", "O1", "O2", "O3"), name="level")
    if config.level:
        jax.config.update("jax_optimization_level", config.level)
    mesh = _mesh(config.topology)
    rows = _held_rows(config)
    for name in config.programs:
        if name in rows:
            continue
        with compiling_for("tpu"):
            rows[name] = [name, *_compile(PROGRAMS[name](), mesh, config)]
        report(config, _COLUMNS, [*rows.values()], config.output)


def _held_rows(config: Config) -> dict[str, list[Any]]:
    """The rows of the output file by program, if they are of this topology and JAX."""
    if not config.output or not Path(config.output).exists():
        return {}
    held = read_json(config.output, advice="delete it")
    is_alike = (held["config"]["topology"], held["jax"]) == (config.topology, jax.__version__)
    return {row[0]: row for row in held["rows"]} if is_alike else {}


def _mesh(topology: str) -> Mesh:
    """All chips of a topology in one row."""
    # libtpu would ask the cloud's own server for these.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
    # No chip is taken, so that others may compile at the same time.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    try:
        devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    except (RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            "topology: expected libtpu and chips that it knows, such as v5e:2x2, got"
            f" {topology}: {str(error).splitlines()[0]}: pip install '.[tpu]'"
        ) from error
    return Mesh(np.array(devices), ("data",))


def _compile(program: Program, mesh: Mesh, config: Config) -> list[Any]:
    """The row of one program without its name."""
    if program.per_call % mesh.size:
        raise InputError(
            f"topology: expected chips that divide {program.per_call} examples, got {mesh.size}"
        )
    everywhere, divided = (NamedSharding(mesh, PartitionSpec(*axis)) for axis in ((), ("data",)))
    start = time.perf_counter()
    compiled = (
        jax.jit(program.function, in_shardings=(everywhere, divided))
        .lower(program.shared, program.examples)
        .compile()
    )
    seconds = time.perf_counter() - start
    needs, cost, text = compiled.memory_analysis(), compiled.cost_analysis(), compiled.as_text()
    if needs is None or cost is None or text is None:
        raise InputError("topology: expected a compiler that tells what a program needs")
    temporary = needs.temp_size_in_bytes / _GIB
    total = temporary + (needs.argument_size_in_bytes + needs.output_size_in_bytes) / _GIB
    return [
        program.per_call,
        round(total, 2),
        round(temporary, 2),
        "yes" if total <= config.memory else "no",
        config.level or "default",
        round(cost["flops"] / _TERA, 3),
        _count_collectives(text),
        round(seconds, 1),
    ]


def _count_collectives(text: str) -> str:
    """How often chips tell one another something, by kind."""
    counts = Counter(_COLLECTIVE.findall(text))
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    command_line.command(main, Config)
