"""Time and memory of attributions at the paper's size, beside Captum on the same weights in the
same process.

ResNet-50 at 224 px. Our map is compared with Captum's first; then calls of both take turns, and the
medians count. The first row is one value and gradient of the batch, in which the others are given
too. Captum's SmoothGrad draws noise of its own, so there is nothing to compare.

One image, and several; without PyTorch only our columns::

    python -m benchmarks.attributions
    python -m benchmarks.attributions --batch-size 8 --methods integrated_gradients grad_cam
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from benchmarks import own_attributions
from benchmarks.measure import memory_of, peak_memory_of, report, seconds
from cfx_jax.checks import check_choice, check_count, check_num_steps
from cfx_jax.errors import InputError
from cfx_jax.models import build, import_weights
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures the attributions' time and memory."""

    methods: tuple[str, ...] = (
        "gradient",
        "input_x_gradient",
        "guided_backprop",
        "smooth_grad",
        "integrated_gradients",
        "path_attribution",
        "path_attribution_along",
        "grad_cam",
        "grad_cam_plus_plus",
    )
    """Which methods, in this order; score_cam too, which takes a pass for each of 2048 channels."""
    model: str = "resnet50"
    """Architecture, by name; beside Captum a residual network."""
    image_size: int = 224
    """Height and width in pixels (paper: 224)."""
    batch_size: int = 1
    """Images explained at once."""
    num_steps: int = 50
    """Nodes of a path, samples of SmoothGrad."""
    nodes_per_batch: int = 1
    """How many nodes or samples of each image are differentiated at once, ours and Captum's."""
    repeats: int = 3
    """Measured calls of each method."""
    tolerance: float = 1e-2
    """Largest difference from Captum's map, as a share of its maximum; above it nothing is timed.
    An untrained network of 50 layers in float32 turns a few ReLUs by rounding."""
    sigma: float = 0.15
    """Standard deviation of SmoothGrad's noise."""
    compile: bool = False
    """Whether PyTorch's network is compiled (torch.compile) where Captum sets no hooks in it; needs
    a C++ compiler.
    """
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


class _Peer(NamedTuple):
    """Captum's calls by our methods' names, and how the memory of one is measured."""

    calls: dict[str, Callable[[], np.ndarray]]
    peak_memory_of: Callable[[Callable[[], Any]], float | None]


_COLUMNS = [
    "method",
    "seconds",
    "in gradients",
    "peak GiB",
    "in gradients' peak",
    "Captum seconds",
    "Captum peak GiB",
    "seconds / Captum's",
    "peak / Captum's",
    "largest difference",
]


def main(config: Config) -> None:
    """Prints one row for each method; the largest difference is a share of the map's maximum."""
    _check(config)
    options = {field: getattr(config, field) for field in ("num_steps", "nodes_per_batch", "sigma")}
    explanations = own_attributions.explanations(**options)
    for name in config.methods:
        check_choice(name, tuple(explanations)[1:], name="methods")
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    model, peer = _model_and_peer(config, images, options)
    given = (
        model,
        jax.random.split(jax.random.key(0), len(images)),
        images,
        np.ones(len(images), np.int32),
    )
    rows: list[list[Any]] = []
    for name in ("value_and_gradient", *config.methods):
        program = jax.jit(jax.vmap(explanations[name], (None, 0, 0, 0))).lower(*given).compile()
        rows.append([name, *_figures(config, name, program, given, peer, rows)])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _figures(
    config: Config,
    name: str,
    program: Any,
    given: tuple[Any, ...],
    peer: _Peer,
    rows: list[list[Any]],
) -> list[float | None]:
    """A row of figures; those of ``rows``, where there are any, begin with one gradient's."""
    ours, theirs = partial(program, *given), peer.calls.get(name)
    found, expected = ours(), theirs and theirs()
    difference = _difference(found, expected) if theirs and name != "smooth_grad" else None
    if difference is not None and difference > config.tolerance:
        raise InputError(
            f"{name}: expected Captum's map to {config.tolerance:g} of its maximum, got"
            f" {difference:.2g}"
        )
    own_seconds, captum_seconds = _take_turns(config.repeats, ours, theirs)
    own_peak, captum_peak = (
        memory_of(program, ours),
        peer.peak_memory_of(theirs) if theirs else None,
    )
    _, gradient_seconds, _, gradient_peak, *_ = (
        rows[0] if rows else ("", own_seconds, 1.0, own_peak)
    )
    return [
        own_seconds,
        _ratio(own_seconds, gradient_seconds),
        own_peak,
        _ratio(own_peak, gradient_peak),
        captum_seconds,
        captum_peak,
        _ratio(own_seconds, captum_seconds),
        _ratio(own_peak, captum_peak),
        difference,
    ]


def _check(config: Config) -> None:
    check_num_steps(config.num_steps)
    for field in ("batch_size", "nodes_per_batch", "repeats"):
        check_count(getattr(config, field), name=field)


def _model_and_peer(
    config: Config, images: np.ndarray, options: dict[str, Any]
) -> tuple[nnx.Module, _Peer]:
    """A network, and Captum's explanations of its twin where both libraries are there."""
    model = build(config.model, num_classes=2, rngs=nnx.Rngs(0))
    if not (find_spec("torch") and find_spec("captum")):
        print(
            "PyTorch or Captum is not installed (pip install 'cfx-jax[parity]'): our columns alone"
        )
        return model, _Peer({}, peak_memory_of)
    from benchmarks.captum_attributions import explanations, peak_memory_of_torch, twin
    from benchmarks.torch_resnet import numpy_tensors

    network = twin(config.model)
    calls = explanations(network, images, **options, compiled=config.compile)
    return import_weights(model, numpy_tensors(network)), _Peer(calls, peak_memory_of_torch)


def _difference(found: Any, expected: Any) -> float:
    ours = np.asarray(found).reshape(expected.shape)
    return float(np.abs(ours - expected).max() / np.abs(expected).max())


def _take_turns(repeats: int, *calls: Callable[[], Any] | None) -> list[float | None]:
    """The median seconds of each call, None where there is none."""
    times = [[seconds(call) if call else None for call in calls] for _ in range(repeats)]
    return [
        None if None in column else float(np.median(column)) for column in zip(*times, strict=True)
    ]


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


if __name__ == "__main__":
    command_line.command(main, Config)
