"""What an optimiser costs on top of the gradients it needs.

A run of N steps needs N + 1 values and gradients of the objective. This measures, in one process and on the same batch,
the time of ``drive`` against N + 1 times that of a jitted, vmapped ``value_and_grad``, and prints the ratio.

    python -m benchmarks.optimiser_overhead                 # ResNet-50, 224 px, batch 8: about 10 minutes on two cores
    python -m benchmarks.optimiser_overhead --share 0.2     # a fifth of the steps
"""

import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from cfx_jax.checks import check_choice
from cfx_jax.counterfactuals import VCEExample, VCEProblem
from cfx_jax.files import write_text
from cfx_jax.models import build, per_image
from cfx_jax.objectives import Classifier, negative_log_probability
from cfx_jax.optimise import drive
from cfx_jax.parallel import data_mesh, replicate
from cfx_jax.report import format_table
from experiments import cli


@dataclass(frozen=True)
class Config:
    """Measures the optimisers' own cost."""

    preset: str = "full"
    """The only preset."""
    model: str = "resnet50"
    """Architecture, by name."""
    image_size: int = 224
    """Height and width in pixels."""
    num_images: int = 8
    """Images in flight at once."""
    norms: tuple[float, ...] = (2.0, 1.5)
    """Which norms: 1 and 2 run APGD with 100 steps, 1.5 and 4 Auto-Frank-Wolfe with 75."""
    share: float = 1.0
    """Share of the steps to run; the ratio does not depend on it, but for noise."""
    output: str = ""
    """A JSON file for the figures; empty writes none."""


RUNS = {1.0: ("APGD", 100.0, 100), 2.0: ("APGD", 6.0, 100), 1.5: ("AFW", 30.0, 75), 4.0: ("AFW", 0.2, 75)}


def main(config: Config) -> None:
    """Prints one row for each optimiser: seconds, seconds of the gradients alone, ratio."""
    classifier = replicate(_classifier(config.model), data_mesh())
    shape = (config.num_images, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    targets = np.zeros(config.num_images, np.int32)
    rows = []
    for p in config.norms:
        check_choice(p, tuple(RUNS), name="norms")
        name, radius, full = RUNS[p]
        num_steps = max(int(config.share * full), 1)
        before = _gradient_seconds(classifier, images, targets)
        seconds = _drive_seconds(classifier, images, targets, p, radius, num_steps)
        gradient = (before + _gradient_seconds(classifier, images, targets)) / 2
        alone = (num_steps + 1) * gradient
        rows.append([f"{name}-{num_steps} l{p:g}", seconds, alone, seconds / alone])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    print()
    print(format_table(_COLUMNS, rows))
    if config.output:
        device = jax.devices()[0].device_kind
        result = {"config": asdict(config), "device": device, "jax": jax.__version__, "columns": _COLUMNS, "rows": rows}
        write_text(Path(config.output), json.dumps(result, indent=2))


_COLUMNS = ["run", "seconds", "gradients alone", "ratio"]


def _classifier(name: str) -> Classifier:
    zeros, ones = (0.0,) * 3, (1.0,) * 3
    return per_image(build(name, num_classes=2, in_channels=3, mean=zeros, std=ones, rngs=nnx.Rngs(0)))


@jax.jit
def _value_and_gradient(classifier: Classifier, images: Array, targets: Array) -> Any:
    def one(image: Array, target: Array) -> Any:
        return jax.value_and_grad(negative_log_probability(classifier, target))(image)

    return jax.vmap(one)(images, targets)


def _gradient_seconds(classifier: Classifier, images: np.ndarray, targets: np.ndarray, repeats: int = 7) -> float:
    call = partial(_value_and_gradient, classifier, jnp.asarray(images), jnp.asarray(targets))
    jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _drive_seconds(
    classifier: Classifier, images: np.ndarray, targets: np.ndarray, p: float, radius: float, num_steps: int
) -> float:
    radii = np.full(len(images), radius, np.float32)
    fields: Any = (images, targets, radii, None, jax.random.split(jax.random.key(0), len(images)))
    example = VCEExample(*fields)
    problem = VCEProblem(p=p, num_steps=num_steps)
    drive(problem, classifier, example)  # compiles
    start = time.perf_counter()
    drive(problem, classifier, example)
    return time.perf_counter() - start


if __name__ == "__main__":
    cli.run(main, {"full": Config()}, default="full")
