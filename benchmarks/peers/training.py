"""Training steps beside PyTorch's: cross-entropy, stochastic gradient descent with Nesterov's
momentum and an l2 penalty, batch norm in training mode.

Each call goes on with the training by two steps and gives their losses; the second one has seen the
first one's update.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case, relative_difference
from benchmarks.peers.networks import channels_first, images_of, own_network, torch_network

_RATE, _MOMENTUM, _PENALTY = 0.01, 0.9, 5e-4
_TOLERANCE = 1e-2
_STEPS = 2
_SIZES = (
    ("resnet50", {"images": 4, "pixels": 224}, True),
    ("resnet_small", {"images": 64, "pixels": 64}, True),
    ("resnet50", {"images": 2, "pixels": 224}, False),
    ("resnet50", {"images": 8, "pixels": 112}, False),
)


def cases() -> list[Case]:
    """The published network, and the one of the demonstrations."""
    return [_case(*size) for size in _SIZES]


def _case(model: str, size: dict[str, int], is_main: bool) -> Case:
    return Case(
        f"training step, {model}",
        "PyTorch",
        {**size, "steps": _STEPS},
        partial(_ours, model, size),
        partial(_peer, model, size),
        relative_difference,
        _TOLERANCE,
        is_main,
    )


def _labels(size: dict[str, int]) -> np.ndarray:
    return np.arange(size["images"]) % 2


def _ours(model: str, size: dict[str, int], folder: Path) -> Call:
    import jax

    from trainers import Inputs, OptimiserSettings, RunSettings, classifier

    rule: dict[str, Any] = {"rule": "sgd", "momentum": _MOMENTUM, "nesterov": True}
    config = classifier.Config(
        model=model,
        optimiser=OptimiserSettings(**rule, learning_rate=_RATE, weight_decay=_PENALTY),
        run=RunSettings(num_steps=10**6, batch_size=size["images"]),
    )
    inputs = Inputs(model=lambda rngs: own_network(folder, model))
    state = classifier.TRAINER.init(jax.random.key(0), config, inputs)
    step = jax.jit(classifier.make_step(config, inputs), donate_argnums=0)
    batch = {"image": images_of(size["images"], size["pixels"]), "label": _labels(size)}

    def go_on() -> np.ndarray:
        nonlocal state
        losses = []
        for _ in range(_STEPS):
            state, metrics = step(state, jax.random.key(0), batch)
            losses.append(float(metrics["loss"]))
        return np.array(losses)

    return go_on


def _peer(model: str, size: dict[str, int], folder: Path) -> Call:
    import torch

    network = torch_network(folder, model).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
    descent = torch.optim.SGD(
        network.parameters(), _RATE, _MOMENTUM, weight_decay=_PENALTY, nesterov=True
    )
    images = channels_first(images_of(size["images"], size["pixels"]))
    labels = torch.tensor(_labels(size))

    def go_on() -> np.ndarray:
        losses = []
        for _ in range(_STEPS):
            descent.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            loss.backward()
            descent.step()
            losses.append(loss.item())
        return np.array(losses)

    return go_on
