"""Attributions beside Captum's: the methods of ``benchmarks.attributions``, in pairs.

ResNet-50, 50 nodes or samples one at a time, as Captum's eager loop has them. ``torch.compile``
compiles PyTorch's network where Captum sets no hooks in it; it needs a C++ compiler.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case, relative_difference
from benchmarks.peers.networks import images_of, own_network, torch_network

_NODES = 50
_NOISE = 0.15
# At 64 pixels both agree to 3e-6; at 224 rounding turns a few ReLUs of an untrained network.
_TOLERANCE = 5e-2
_UNLIMITED = float("inf")  # SmoothGrad's noise is another one on each side
_PATHS = ("integrated_gradients", "smooth_grad")
_BASE = {"images": 1, "pixels": 224, "nodes": _NODES}
_GROWTH: tuple[dict[str, int], ...] = (
    {"nodes": 10},
    {"images": 2, "nodes": 10},
    {"images": 4, "nodes": 10},
    {"pixels": 112, "nodes": 10},
    {"pixels": 64, "nodes": 10},
)


def cases() -> list[Case]:
    """Each method; then integrated gradients of other sizes."""
    single = {"images": 1, "pixels": 224}
    main = [_case(name, _BASE if name in _PATHS else single) for name in _METHODS]
    changed = [{**_BASE, **change} for change in _GROWTH]
    return main + [_case("integrated_gradients", size, is_main=False) for size in changed]


def compiled_cases() -> list[Case]:
    """The methods in which PyTorch's network can be compiled."""
    single = {"images": 1, "pixels": 224}
    few = {**single, "nodes": 10}
    return [_case("gradient", single, compiled=True), _case(_PATHS[0], few, compiled=True)]


_METHODS = ("gradient", "guided_backprop", "grad_cam", "integrated_gradients", "smooth_grad")


def _case(name: str, size: dict[str, int], *, compiled: bool = False, is_main: bool = True) -> Case:
    return Case(
        name.replace("_", " "),
        "Captum, torch.compile" if compiled else "Captum",
        size,
        partial(_ours, name, size),
        partial(_peer, name, size, compiled),
        relative_difference,
        _UNLIMITED if name == "smooth_grad" else _TOLERANCE,
        is_main,
    )


def _options(size: dict[str, int]) -> dict[str, Any]:
    return {"num_steps": size.get("nodes", 1), "nodes_per_batch": 1, "sigma": _NOISE}


def _ours(name: str, size: dict[str, int], folder: Path) -> Call:
    import jax

    from benchmarks.own_attributions import explanations

    images = images_of(size["images"], size["pixels"])
    explain = jax.jit(jax.vmap(explanations(**_options(size))[name], (None, 0, 0, 0)))
    keys, targets = jax.random.split(jax.random.key(0), len(images)), np.ones(len(images), np.int32)
    network = own_network(folder)
    return lambda: np.asarray(explain(network, keys, images, targets))


def _peer(name: str, size: dict[str, int], compiled: bool, folder: Path) -> Call:
    from benchmarks.captum_attributions import explanations

    images = images_of(size["images"], size["pixels"])
    return explanations(torch_network(folder), images, **_options(size), compiled=compiled)[name]
