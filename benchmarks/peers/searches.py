"""Visual counterfactuals beside the published searches in PyTorch (``torch_searches``).

Auto-PGD for l2 and Auto-Frank-Wolfe for l1.5 and l4, of ResNet-50, with the published radii. A
search of N steps needs N + 1 values and gradients; ours looks at the image and at the result once
more each. Compared are the target's probabilities at the image and at the first iterate: rounding
turns a few ReLUs of an untrained network, and each search follows a path of its own from there. In
float64 all iterates agree (``tests/benchmarks/test_torch_searches.py``).
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case
from benchmarks.peers.networks import channels_first, images_of, own_network, torch_network

_RADII = {1.5: 30.0, 2.0: 6.0, 4.0: 0.2}
_TOLERANCE = 0.02
_COMPARED = 2
_BASE = {"images": 2, "pixels": 224, "steps": 25}
_SHORT = {**_BASE, "steps": 5}
_GROWTH: tuple[dict[str, int], ...] = (
    {"images": 1},
    {"images": 4},
    {"pixels": 112},
    {"pixels": 64},
    {"steps": 10},
    {"steps": 50},
)


def cases() -> list[Case]:
    """The three norms; then l2 and l1.5 with other sizes."""
    sizes = [(p, _BASE, True) for p in _RADII]
    sizes += [(p, {**_SHORT, **change}, False) for p in (2.0, 1.5) for change in _GROWTH]
    return [_case(*size) for size in sizes]


def _case(p: float, size: dict[str, int], is_main: bool) -> Case:
    method = "APGD" if p == 2 else "Auto-Frank-Wolfe"
    return Case(
        f"{method} l{p:g}",
        "PyTorch",
        size,
        partial(_ours, p, size),
        partial(_peer, p, size),
        _difference,
        _TOLERANCE,
        is_main,
    )


def _ours(p: float, size: dict[str, int], folder: Path) -> Call:
    from cfx_jax.counterfactuals import vce_batch
    from cfx_jax.models import per_image

    classifier = per_image(own_network(folder))
    options: dict[str, Any] = {"p": p, "radius": _RADII[p], "num_steps": size["steps"]}
    images = images_of(size["images"], size["pixels"])
    return lambda: vce_batch(classifier, images, _targets(size), **options).trace


def _peer(p: float, size: dict[str, int], folder: Path) -> Call:
    import torch

    from benchmarks.torch_searches import search

    network, images = torch_network(folder), images_of(size["images"], size["pixels"])
    options: dict[str, Any] = {"p": p, "radius": _RADII[p], "num_steps": size["steps"]}
    tensors = channels_first(images), torch.tensor(_targets(size))
    return lambda: search(network, *tensors, **options).trace.exp().T.numpy()


def _targets(size: dict[str, int]) -> np.ndarray:
    return np.arange(size["images"]) % 2


def _difference(ours: Any, peer: Any) -> float:
    """The largest difference of a probability at the image and at the first iterate."""
    return float(np.abs(np.asarray(ours) - peer)[:, :_COMPARED].max())
