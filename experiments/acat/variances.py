"""Variances of the outputs of convolutions, from scan to scan, on plain and on noisy scans (Table
3).

The paper compares networks that were trained from scratch. The baseline always is; ``--rows
scratch`` also trains an ACAT from scratch.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from cfx_jax.metrics import pre_activation_variances
from cfx_jax.models import pre_activations
from experiments.acat.networks import ACAT, BASELINE, SCRATCH
from experiments.shared import Arrays, Rows, Workspace

MEASURED = (BASELINE, ACAT, SCRATCH)
"""The networks that are measured, where they are trained."""
_AT_ONCE = 8
_PART = "trunk"  # the layers that all networks share


class Variances(NamedTuple):
    """The variances of all convolutions of the trunk, in the order in which they are applied.

    Attributes:
        plain, noisy: the variance on plain scans, and with standard normal noise added, the same
            noise for every network (layers,).
    """

    plain: Float[np.ndarray, " layers"]
    noisy: Float[np.ndarray, " layers"]


def measure_variances(
    model: nnx.Module,
    arrays: tuple[Rows, ...],
    positions: Int[np.ndarray, " n"],
    workspace: Workspace,
    *,
    name: str,
    depends: object,
) -> Variances:
    """Measures one network, a few scans at a time.

    Args:
        model: a model that takes batches of volumes, or of volumes and their saliency maps.
        arrays: all volumes (m, s, h, w, 1), and their maps where it takes them.
        positions: the positions of the scans on which it is measured.
        workspace: keeps the result.
        name: the name of the network.
        depends: all that its weights and the maps depend on.
    """

    def compute() -> Arrays:
        capture = pre_activations(model, part=_PART)
        run = jax.jit(lambda capture, *inputs: capture(*inputs))
        variances = {}
        for kind in Variances._fields:
            batches = _batches(arrays, positions, noisy=kind == "noisy")
            values = pre_activation_variances(run(capture, *batch) for batch in batches)
            variances[kind] = np.array(list(values.values()))
        return variances

    return Variances(**workspace.cached(f"variances {name}", depends, compute))


def _batches(
    arrays: tuple[Rows, ...], positions: Int[np.ndarray, " n"], *, noisy: bool
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields volumes, with the same noise for every network, and their maps."""
    rng = np.random.default_rng(0)
    for first in range(0, len(positions), _AT_ONCE):
        rows = positions[first : first + _AT_ONCE]
        volumes, *maps = (np.asarray(values[rows]) for values in arrays)
        noise = rng.normal(size=volumes.shape).astype(np.float32) if noisy else np.float32(0)
        yield volumes + noise, *maps
