"""Traces of eager calls in a plain loop: compilations, memory mappings and memory.

The methods are those of ``tests/support/conformance_table.py``, each called on other images
of one shape, with scores, constraint sets and algorithms made anew for each call.

1,000 calls of each method take about ten minutes::

    python -m benchmarks.eager_growth
    python -m benchmarks.eager_growth --methods vce_l2 smooth_grad --calls 50
"""

import gc
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.measure import memory_in_use, report, seconds
from cfx_jax.checks import check_choice, check_count
from cfx_jax.compilation import num_mappings
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures what eager calls leave behind."""

    methods: tuple[str, ...] = ()
    """Names of ``conformance_table.methods``; none takes all."""
    calls: int = 1000
    """How many calls of each, after two that compile."""
    output: str = ""
    """A JSON file for the figures; empty writes none."""


_COLUMNS = ["method", "compilations", "mappings", "MiB", "ms a call"]
_COMPILED = "/jax/core/compile/backend_compile_duration"


def main(config: Config) -> None:
    """Prints one row for each method: what its calls have left behind."""
    check_count(config.calls, name="calls")
    table = _table()
    known = sorted(table.methods(1.0))
    for name in config.methods:
        check_choice(name, known, name="methods")
    compilations: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event)
    )
    rows = []
    for name in config.methods or known:
        _call(table, name, 2)
        gc.collect()
        before = compilations.count(_COMPILED), num_mappings(), memory_in_use("VmRSS")
        taken = seconds(lambda name=name: _call(table, name, config.calls))  # type: ignore[misc]
        gc.collect()
        after = compilations.count(_COMPILED), num_mappings(), memory_in_use("VmRSS")
        grown = [new - old for new, old in zip(after, before, strict=True)]
        rows.append([name, grown[0], grown[1], 1024 * grown[2], 1000 * taken / config.calls])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _table() -> Any:
    """The table of methods, which is among the tests."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    return importlib.import_module("conformance_table")


def _call(table: Any, name: str, count: int) -> None:
    for index in range(count):
        place = index % len(table.IMAGES)
        jax.block_until_ready(
            table.call(name, 1.0, table.KEYS[place], jnp.asarray(table.IMAGES[place]))
        )


if __name__ == "__main__":
    command_line.command(main, Config)
