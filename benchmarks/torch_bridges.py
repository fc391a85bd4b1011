"""The cost of explaining a PyTorch network from JAX, by either bridge of ``adapters.from_torch``.

A search for visual counterfactuals of N steps needs N + 1 values and gradients of the network.
Three take turns in one process on the same images: ``vce_batch`` through the bridge; the published
search in PyTorch with as many steps (Auto-PGD, ``torch_searches``); and N + 1 values and gradients
of the network in PyTorch alone. The medians are compared.

ResNet-50 at 224 px, and smaller::

    python -m benchmarks.torch_bridges
    python -m benchmarks.torch_bridges --image-size 64 --depth 18 --num-steps 10
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import report, seconds
from benchmarks.torch_resnet import TorchResNet
from benchmarks.torch_searches import search, value_and_gradient
from cfx_jax.adapters import from_torch
from cfx_jax.checks import check_choice
from cfx_jax.counterfactuals import vce_batch
from experiments.shared import command_line

_STAGES = {18: ("basic", (2, 2, 2, 2)), 50: ("bottleneck", (3, 4, 6, 3))}
_WIDTHS = (64, 128, 256, 512)
_RADIUS = 6.0
_COLUMNS = ["bridge", "vce", "search in PyTorch", "gradients alone", "vce / PyTorch"]


@dataclass(frozen=True)
class Config:
    """Measures counterfactuals of a PyTorch network."""

    depth: int = 50
    """Layers of the residual network, 18 or 50."""
    image_size: int = 224
    """Height and width in pixels."""
    batch_size: int = 4
    """Images in flight at once."""
    num_steps: int = 10
    """Steps of one counterfactual."""
    bridges: tuple[str, ...] = ("callback", "jax")
    """Which bridges of ``from_torch``."""
    repeats: int = 3
    """Runs of each kind, in turn."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


def main(config: Config) -> None:
    """Prints one row for each bridge, in seconds."""
    torch.manual_seed(0)
    check_choice(config.depth, tuple(_STAGES), name="depth")
    network = TorchResNet(*_STAGES[config.depth], _WIDTHS, num_classes=2).eval()
    rng = np.random.default_rng(0)
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    images = rng.uniform(size=shape).astype(np.float32)
    targets = np.arange(config.batch_size) % 2
    batch = torch.tensor(images).permute(0, 3, 1, 2).contiguous()
    published = partial(_search, network, batch, torch.tensor(targets), config.num_steps)
    gradients = partial(_gradients, network, batch, torch.tensor(targets), config.num_steps)
    rows = []
    for bridge in config.bridges:
        classifier = from_torch(network, bridge=bridge)
        options: dict[str, Any] = {"p": 2, "radius": _RADIUS, "num_steps": config.num_steps}
        explain = partial(vce_batch, classifier, images, targets, **options)
        calls = (explain, published, gradients)
        for call in calls:
            seconds(call)  # compiles
        times = np.array([[seconds(call) for call in calls] for _ in range(config.repeats)])
        ours, theirs, alone = np.median(times, axis=0)
        rows.append([bridge, ours, theirs, alone, ours / theirs])
    report(config, _COLUMNS, rows, config.output)


def _gradients(network: Any, images: Tensor, targets: Tensor, num_steps: int) -> Any:
    for _ in range(num_steps + 1):
        value, _ = value_and_gradient(network, images, targets)
    return jax.numpy.asarray(value.numpy())


def _search(network: Any, images: Tensor, targets: Tensor, num_steps: int) -> Any:
    found = search(network, images, targets, p=2, radius=_RADIUS, num_steps=num_steps)
    return jax.numpy.asarray(found.images.numpy())


if __name__ == "__main__":
    command_line.command(main, Config)
