"""Table 3: how much what convolutions give varies from scan to scan, on plain scans and on scans with noise.

The paper compares networks that were trained from scratch; ``--rows scratch`` trains such an ACAT beside the baseline, which
always is.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from cfx_jax.metrics import pre_activation_variances
from cfx_jax.models import pre_activations
from experiments.acat.rows import ACAT, BASELINE, SCRATCH
from experiments.stages import Arrays, Workspace

MEASURED = (BASELINE, ACAT, SCRATCH)
"""Networks that are measured, where they are trained."""
_AT_ONCE = 8
_PART = "trunk"  # the layers that all networks share


class Variances(NamedTuple):
    """Of each convolution of the trunk, in the order in which they are applied.

    Attributes:
        plain, noisy: on plain scans, and with standard normal noise added, the same for every network (layers,).
    """

    plain: Float[np.ndarray, " layers"]
    noisy: Float[np.ndarray, " layers"]


def variances_of(
    model: nnx.Module, inputs: tuple[np.ndarray, ...], workspace: Workspace, *, name: str, depends: object
) -> Variances:
    """Measures one network.

    Args:
        model: of batches of volumes, or of these and their saliency maps.
        inputs: the volumes (n, s, h, w, 1), and their maps where it takes them.
        workspace: keeps the result.
        name: of the network.
        depends: what its weights and the maps depend on.
    """

    def compute() -> Arrays:
        capture = pre_activations(model, part=_PART)
        run = jax.jit(lambda capture, *given: capture(*given))
        noise = np.random.default_rng(0).normal(size=inputs[0].shape).astype(np.float32)
        found = {}
        for kind, volumes in (("plain", inputs[0]), ("noisy", inputs[0] + noise)):
            values = pre_activation_variances(run(capture, *batch) for batch in _batches((volumes, *inputs[1:])))
            found[kind] = np.array(list(values.values()))
        return found

    return Variances(**workspace.cached(f"variances {name}", depends, compute))


def _batches(arrays: tuple[np.ndarray, ...]) -> Iterator[tuple[np.ndarray, ...]]:
    for first in range(0, len(arrays[0]), _AT_ONCE):
        yield tuple(each[first : first + _AT_ONCE] for each in arrays)
