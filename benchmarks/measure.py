"""What the measurements share: time, gradients of a batch, peak memory, and the file of figures."""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import Array

from benchmarks.process_memory import memory_in_use as memory_in_use
from benchmarks.process_memory import peak_memory_of as peak_memory_of
from cfx_jax.files import write_text
from cfx_jax.models import build, per_image
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.report import format_table

Rows = Sequence[Sequence[Any]]


def seconds(call: Callable[[], Any]) -> float:
    """How long one call takes until its results are there."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def median_seconds(call: Callable[[], Any], *, repeats: int) -> float:
    """The median of several calls."""
    return float(np.median([seconds(call) for _ in range(repeats)]))


def classifier(name: str, *, seed: int = 0) -> Classifier:
    """An untrained network with two classes for colour images: speed does not depend on the
    weights.
    """
    return per_image(build(name, num_classes=2, in_channels=3, rngs=nnx.Rngs(seed)))


@jax.jit
def value_and_gradient(classifier: Classifier, images: Array, targets: Array) -> Any:
    """What each step of an optimiser needs of the model: the objective and its gradient, for each
    image.
    """

    def one(image: Array, target: Array) -> Any:
        return jax.value_and_grad(negative_log_probability(classifier, target))(image)

    return jax.vmap(one)(images, targets)


def peak_memory() -> tuple[float, str]:
    """The most memory in use at once so far, in GiB, and of what: the first device, or else this
    process.
    """
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / 2**30, "device"
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, "process"


def memory_of(program: Any, call: Callable[[], Any]) -> float | None:
    """GiB that a call of a compiled program takes beyond its arguments: measured on a CPU,
    elsewhere as compiled.
    """
    if jax.default_backend() == "cpu":
        return peak_memory_of(lambda: jax.block_until_ready(call()))
    needs = program.memory_analysis()
    return (
        None if needs is None else (needs.temp_size_in_bytes + needs.output_size_in_bytes) / 2**30
    )


def report(config: Any, columns: list[str], rows: Rows, output: str) -> None:
    """Prints the table; where ``output`` names a JSON file, writes it with what it depends on."""
    print(f"\n{format_table(columns, rows)}")
    if output:
        device = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
        settings = {name: value for name, value in asdict(config).items() if name != "output"}
        result = {
            "config": settings,
            "device": device,
            "jax": jax.__version__,
            "columns": columns,
            "rows": rows,
        }
        write_text(Path(output), json.dumps(result, indent=2) + "\n")
