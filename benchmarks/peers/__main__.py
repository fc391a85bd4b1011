"""Ours beside the peers': seconds, memory, first calls and growth, outputs compared first.

Each case is one computation of one size with the same weights on both sides. The results are
compared, and only then timed: the two sides take turns in one process, every other pair in reverse,
and the median of the pairs' ratios is given with its quartiles. ``processor`` is the same ratio of
processor time, which other programs on the machine disturb less. Memory is measured in a process of
its own for each side: what a second call takes at its peak beyond what the process held before it
(``call``), and the peak of the whole process (``process``), in which ours reads its compiled
programs from the disk. ``first`` is the first call, in which JAX compiles.

PyTorch, Captum and torchmetrics come with the extra ``parity``, Foolbox with ``dev``. torchattacks
and latentshift ask for old versions of what others need too, none of which they use here:
``pip install --no-deps torchattacks latentshift``. What is not installed is left out.

All comparisons, in about half an hour on two quiet cores, written to
benchmarks/results/peers_cpu.json; and one comparison alone::

    python -m benchmarks.peers
    python -m benchmarks.peers --comparisons searches --pairs 20
"""

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.peers.case import SIDES, Case, measure, memory_alone
from benchmarks.peers.comparisons import COMPARISONS
from cfx_jax.checks import check_choice, check_count
from cfx_jax.files import write_text
from cfx_jax.report import format_table
from experiments.shared import command_line

_COLUMNS = [
    "case",
    "peer",
    "size",
    "seconds",
    "peer's",
    "ratio",
    "quartiles",
    "processor",
    "call GiB",
    "peer's call GiB",
    "process GiB",
    "peer's process GiB",
    "first",
    "peer's first",
    "difference",
]


@dataclass(frozen=True)
class Config:
    """Measures ours beside the peers'."""

    comparisons: tuple[str, ...] = tuple(COMPARISONS)
    """Which comparisons, in this order."""
    pairs: int = 10
    """Measured pairs of each main case."""
    growth_pairs: int = 3
    """Measured pairs of each case that only shows the growth with the size; 0 leaves these out."""
    memory: bool = True
    """Whether the memory of the main cases is measured, each side in a process of its own."""
    output: str = "benchmarks/results/peers_cpu.json"
    """A JSON file for the figures; comparisons that it holds already and that do not run now stay
    in it. Empty writes none.
    """


def main(config: Config) -> None:
    """Prints one row for each case."""
    check_count(config.pairs, name="pairs")
    for name in config.comparisons:
        check_choice(name, tuple(COMPARISONS), name="comparisons")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _keep_programs_in(folder / "programs")
        for name in config.comparisons:
            rows = _rows(config, name, folder)
            if config.output:
                _write(config, name, rows)


def _keep_programs_in(folder: Path) -> None:
    """Compiles anew for this run; the processes that measure memory read what it has compiled."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def _rows(config: Config, name: str, folder: Path) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for number, case in enumerate(COMPARISONS[name]()):
        num_pairs = config.pairs if case.is_main else config.growth_pairs
        if not num_pairs:
            continue
        try:
            rows.append(_row(config, name, number, case, num_pairs, folder))
        except ModuleNotFoundError as error:
            print(f"{case.name} beside {case.peer}: left out, {error.name} is not installed")
        else:
            print(format_table(_COLUMNS, rows[-1:]), flush=True)
    print(f"\n{format_table(_COLUMNS, rows)}", flush=True)
    return rows


def _row(
    config: Config, name: str, number: int, case: Case, num_pairs: int, folder: Path
) -> list[Any]:
    pairs = measure(case, folder, num_pairs=num_pairs)
    memory: dict[str, dict[str, Any]] = {side: {} for side in SIDES}
    if config.memory and case.is_main:
        memory = {side: memory_alone(name, number, side, folder) for side in SIDES}
    ratios = pairs.wall[:, 0] / pairs.wall[:, 1]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
    return [
        case.name,
        case.peer,
        ", ".join(f"{count} {unit}" for unit, count in case.size.items()),
        *np.median(pairs.wall, axis=0).tolist(),
        middle,
        f"{low:.2f} to {high:.2f}",
        float(np.median(pairs.processor[:, 0] / pairs.processor[:, 1])),
        *(memory[side].get(kind) for kind in ("call", "process") for side in SIDES),
        *pairs.first.tolist(),
        pairs.difference,
    ]


def _write(config: Config, name: str, rows: list[list[Any]]) -> None:
    path = Path(config.output)
    held = json.loads(path.read_text()) if path.exists() else {"comparisons": {}}
    settings = {key: value for key, value in asdict(config).items() if key != "output"}
    held["comparisons"][name] = {
        "settings": {**settings, "comparisons": [name]},
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "jax": jax.__version__,
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "columns": _COLUMNS,
        "rows": rows,
    }
    write_text(path, json.dumps(held, indent=2) + "\n")


if __name__ == "__main__":
    command_line.command(main, Config)
