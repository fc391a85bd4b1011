"""The cost of an optimiser on top of the gradients that it needs.

A run of N steps needs N + 1 values and gradients of the objective. This measures, in one process
and on the same batch, the time of ``solve`` against N + 1 times that of a jitted, vmapped
``value_and_grad``, and prints the ratio, also of processor time.

With a ResNet-50, 224 px and batches of 8 in about 10 minutes on two cores, and a fifth of the
steps::

    python -m benchmarks.optimiser_overhead
    python -m benchmarks.optimiser_overhead --share 0.2
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import classifier, report, seconds, value_and_gradient
from benchmarks.process_cost import timed
from cfx_jax.checks import check_choice
from cfx_jax.counterfactuals import VCEExample, VCEProblem
from cfx_jax.optimise import solve
from cfx_jax.parallel import data_mesh, replicate
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures the optimisers' own cost."""

    model: str = "resnet50"
    """Architecture, by name."""
    image_size: int = 224
    """Height and width in pixels."""
    num_images: int = 8
    """Images in flight at once."""
    norms: tuple[float, ...] = (2.0, 1.5)
    """Which norms: 1, 2 and inf run APGD with 100 steps, 1.5 and 4 Auto-Frank-Wolfe with 75."""
    share: float = 1.0
    """Share of the steps to run; the ratio does not depend on it, but for noise."""
    output: str = ""
    """A JSON file for the figures; empty writes none."""


RUNS = {
    1.0: ("APGD", 100.0, 100),
    2.0: ("APGD", 6.0, 100),
    1.5: ("AFW", 30.0, 75),
    4.0: ("AFW", 0.2, 75),
    math.inf: ("APGD", 0.02, 100),
}
_COLUMNS = ["run", "seconds", "gradients alone", "ratio", "ratio of processor time"]
_CALLS = 7


def main(config: Config) -> None:
    """Prints one row for each optimiser: seconds, seconds of the gradients alone, ratio."""
    model = replicate(classifier(config.model), data_mesh())
    shape = (config.num_images, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    targets = np.zeros(config.num_images, np.int32)
    gradient = partial(value_and_gradient, model, jnp.asarray(images), jnp.asarray(targets))
    seconds(gradient)  # compiles
    rows = []
    for p in config.norms:
        check_choice(p, tuple(RUNS), name="norms")
        name, radius, full = RUNS[p]
        num_steps = max(int(config.share * full), 1)
        run = partial(
            solve, VCEProblem(p=p, num_steps=num_steps), model, _examples(images, targets, radius)
        )
        seconds(run)  # compiles
        before = [timed(gradient)[1:] for _ in range(_CALLS)]
        whole = np.array(timed(run)[1:])
        after = [timed(gradient)[1:] for _ in range(_CALLS)]
        # The machine may change its pace meanwhile: the mean of the medians before and after.
        once = (np.median(before, axis=0) + np.median(after, axis=0)) / 2
        alone = (num_steps + 1) * once
        ratios = (whole / alone).tolist()
        rows.append([f"{name}-{num_steps} l{p:g}", float(whole[0]), float(alone[0]), *ratios])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _examples(images: np.ndarray, targets: np.ndarray, radius: float) -> VCEExample:
    radii = np.full(len(images), radius, np.float32)
    fields: Any = (images, targets, radii, None, jax.random.split(jax.random.key(0), len(images)))
    return VCEExample(*fields)


if __name__ == "__main__":
    command_line.command(main, Config)
