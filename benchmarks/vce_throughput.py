"""Visual counterfactuals per second at the paper's size, and how much of the time is the model's.

The ensemble of a plain and a robust ResNet-50 at 224 px, 75 steps (Boreiko et al. 2022). A run of N
steps needs N + 1 values and gradients. Runs of ``vce_batch`` and calls of the jitted, vmapped
``value_and_grad`` on the same batch take turns in one process; what the median run takes beyond N +
1 median calls is the share outside the model.

Three norms of 12 images at once, and a tenth of the steps for two cores::

    python -m benchmarks.vce_throughput
    python -m benchmarks.vce_throughput --share 0.1 --batch-size 4
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.measure import classifier, report, seconds, value_and_gradient
from cfx_jax.checks import check_choice
from cfx_jax.counterfactuals import vce_batch
from cfx_jax.errors import InputError
from cfx_jax.models import calibrated, ensemble
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import data_mesh, replicate, shard
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures counterfactuals per second."""

    model: str = "resnet50"
    """Architecture of both members of the ensemble, by name (paper: ResNet-50)."""
    image_size: int = 224
    """Height and width in pixels (paper: 224)."""
    batch_size: int = 12
    """Images in flight at once, over all devices (released code: 6 images for 2 targets each)."""
    norms: tuple[float, ...] = (1.5, 2.0, 4.0)
    """Which norms: 2 runs APGD, 1.5 and 4 Auto-Frank-Wolfe."""
    num_steps: int = 75
    """Steps of one counterfactual (paper: 75)."""
    share: float = 1.0
    """Share of the steps to run, in (0, 1]; images per second are those with all steps."""
    repeats: int = 3
    """Runs for each norm, each between two series of calls of the model."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


RADII = {1.5: 30.0, 2.0: 6.0, 4.0: 0.2}
_CALLS = 5
_COLUMNS = [
    "norm",
    "images per second",
    "seconds per step",
    "model alone",
    "share outside the model",
]


def main(config: Config) -> None:
    """Prints one row for each norm."""
    if not 0 < config.share <= 1:
        raise InputError(f"share: expected a share of the steps in (0, 1], got {config.share}")
    for p in config.norms:
        check_choice(p, tuple(RADII), name="norms")
    model = _ensemble(config.model)
    rows = []
    for p in config.norms:
        rows.append([f"l{p:g}", *_measure(config, model, p)])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _ensemble(name: str) -> Classifier:
    """The plain and the robust member with the temperatures stored with the released code."""
    return ensemble(
        [calibrated(classifier(name, seed=0), 1.1124), calibrated(classifier(name, seed=1), 0.4534)]
    )


def _measure(config: Config, model: Classifier, p: float) -> tuple[float, float, float, float]:
    images, masks = _photographs(config.batch_size, config.image_size)
    targets, steps = (
        np.arange(config.batch_size) % 2,
        max(round(config.share * config.num_steps), 1),
    )
    options: dict[str, Any] = {
        "radius": RADII[p],
        "masks": masks,
        "num_steps": steps,
    }
    run = partial(vce_batch, model, images, targets, p=p, key=jax.random.key(0), **options)
    mesh = data_mesh()
    gradient = partial(value_and_gradient, replicate(model, mesh), *shard((images, targets), mesh))
    for call in (run, gradient):
        seconds(call)  # compiles
    runs, calls = [], []
    for _ in range(config.repeats):
        calls += [seconds(gradient) for _ in range(_CALLS)]
        runs.append(seconds(run))
    calls += [seconds(gradient) for _ in range(_CALLS)]
    whole, alone = np.median(runs) / (steps + 1), np.median(calls)
    return config.batch_size / ((config.num_steps + 1) * whole), whole, alone, 1 - alone / whole


def _photographs(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise inside a disc, and the discs."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    masks = np.broadcast_to(np.hypot(x, y) < size / 2, (count, size, size))
    noise = np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype(np.float32)
    return noise * masks[..., None], masks


if __name__ == "__main__":
    command_line.command(main, Config)
