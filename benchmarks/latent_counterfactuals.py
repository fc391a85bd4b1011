"""The cost of a descent in a latent on top of the gradients that it needs.

A counterfactual of a volume by N steps (ACAT: Fontanella et al. 2023) takes N values and gradients
of the classifier's cross-entropy by the latent, through the decoder, and one more value. With N + 1
gradients as the measure, the rest, that is the penalty, the encoding, the drawing of the
reconstruction and a look at the original, is what this measures: runs and gradients of the same
batch take turns in one process, and the ratio of their median times is printed.

With 11 slices of 128 px and a ResNet-50, and smaller, for a CPU::

    python -m benchmarks.latent_counterfactuals
    python -m benchmarks.latent_counterfactuals --image-size 64 --trunk resnet_small
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import Array

from benchmarks.measure import report, seconds
from cfx_jax.checks import check_choice, check_count, check_num_steps
from cfx_jax.counterfactuals import latent_counterfactual_batch
from cfx_jax.models import (
    ResidualAutoencoder,
    SliceWise,
    coder_of,
    per_image,
    resnet50_stages,
    resnet_small_stages,
)
from cfx_jax.models.layers import last_layer
from cfx_jax.objectives import negative_log_probability
from cfx_jax.parallel import data_mesh, replicate, shard
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures counterfactuals of volumes against the gradients that they take."""

    trunk: str = "resnet50"
    """The classifier's network of slices: resnet50 (paper) or resnet_small."""
    image_size: int = 128
    """Height and width of a slice in pixels (paper: 128 for the lung)."""
    num_slices: int = 11
    """Slices of a volume (paper: 11)."""
    width: int = 128
    """Channels of the autoencoder's first convolution (paper: 128)."""
    batch_size: int = 4
    """Volumes explained at once, over all devices; a multiple of their number."""
    num_steps: int = 20
    """Steps of descent (paper: 20)."""
    repeats: int = 5
    """Measured runs, each followed by gradients."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


TRUNKS = {"resnet50": resnet50_stages, "resnet_small": resnet_small_stages}
_BOUND = 1.1
_COLUMNS = ["descent", "seconds", "gradients alone", "ratio", "bound"]


def main(config: Config) -> None:
    """Prints one row for plain and one for proximal descent."""
    check_choice(config.trunk, tuple(TRUNKS), name="trunk")
    check_num_steps(config.num_steps)
    check_count(config.batch_size, name="batch_size")
    check_count(config.repeats, name="repeats")
    classifier, coder = (
        _classifier(config),
        coder_of(ResidualAutoencoder(width=config.width, rngs=nnx.Rngs(1))),
    )
    shape = (config.batch_size, config.num_slices, config.image_size, config.image_size, 1)
    volumes = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    targets = np.arange(config.batch_size) % 2
    mesh = data_mesh()
    latents = jax.jit(jax.vmap(coder.encode))(volumes)
    shared = replicate((coder.decode, classifier), mesh)
    gradient = partial(_value_and_gradient, *shared, *shard((latents, targets), mesh))
    rows = []
    for name, proximal in (("plain", False), ("proximal", True)):
        options: dict[str, Any] = {
            "num_steps": config.num_steps,
            "proximal": proximal,
        }
        run = partial(latent_counterfactual_batch, coder, classifier, volumes, targets, **options)
        rows.append([name, *_measure(config, run, gradient), _BOUND])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _classifier(config: Config) -> Any:
    trunk = TRUNKS[config.trunk](rngs=nnx.Rngs(0))
    return per_image(
        SliceWise(trunk, last_layer(trunk.slice_width, 2, rngs=nnx.Rngs(2)), rngs=nnx.Rngs(3))
    )


def _measure(config: Config, run: Any, gradient: Any) -> tuple[float, float, float]:
    """Seconds of a run, of its gradients alone, and their ratio; medians of calls in turn."""
    for call in (run, gradient):
        seconds(call)  # compiles
    times = [(seconds(run), seconds(gradient)) for _ in range(config.repeats)]
    whole, one = np.median(times, axis=0)
    alone = (config.num_steps + 1) * float(one)
    return float(whole), alone, float(whole) / alone


@jax.jit
def _value_and_gradient(decode: Any, classifier: Any, latents: Array, targets: Array) -> Any:
    """The cross-entropy of each volume and its gradient by the latent."""

    def one(latent: Array, target: Array) -> Any:
        improbable = negative_log_probability(classifier, target)
        return jax.value_and_grad(lambda z: improbable(decode(z)))(latent)

    return jax.vmap(one)(latents, targets)


if __name__ == "__main__":
    command_line.command(main, Config)
