"""Weights of PyTorch networks, by the names that torchvision gives them.

The networks here are laid out so that the same weights give the same logits. Kernels change their
axes: PyTorch keeps (out, in, height, width), Flax (height, width, in, out); a 1x1 convolution is a
linear layer here.
"""

from collections.abc import Collection, Mapping
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models.weights.alternative_names import by_torchvision_names
from cfx_jax.models.weights.torchvision_names import AUXILIARY_HEAD, torchvision_name

Model = TypeVar("Model", bound=nnx.Module)

_COUNTER = "num_batches_tracked"
_SHOWN = 3


def import_weights(
    model: Model, tensors: Mapping[str, np.ndarray], *, keep: Collection[str] = ()
) -> Model:
    """Copies a model, with the weights and running averages of a PyTorch network.

    The network has the same architecture. What is no tensor must be given to the model when it is
    made: the normalisation of its images (for torchvision's weights ``mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225)``, for Inception-v3's 0.5 and 0.5), and for torchvision's
    EfficientNets B0 to B4 ``epsilon=1e-5``.

    Args:
        model: a ``ResNet``, ``EfficientNet``, ``InceptionV3`` or ``DenseNet``; its own weights are
            not changed. Its shapes alone, from ``nnx.eval_shape``, are quicker to make and suffice
            where no layer is kept and none draws (dropout).
        tensors: arrays by torchvision's names, such as ``layer1.0.conv1.weight``: a state dict with
            each tensor as NumPy's, as ``read_tensors`` returns it. The older names in torchvision's
            published files of DenseNets are known too, and timm's of EfficientNets; timm's
            ``tf_efficientnet`` pads otherwise and gives other logits.
        keep: torchvision's names of layers, such as ``("fc",)``, whose weights stay the model's
            own; tensors of theirs are left out. For another number of classes.

    Returns:
        The copy, in the mode of ``model``. Every tensor has been used but for the tensors of
        ``keep``, the auxiliary head of Inception-v3, and the counters of batches of batch norm
        layers.

    Raises:
        InputError: a model of another class; a layer in ``keep`` that the model has not; tensors
            that are missing, left over, or of another shape, each by name.

    >>> from cfx_jax.models import read_tensors, resnet50
    >>> model = nnx.eval_shape(lambda: resnet50(num_classes=1000, rngs=nnx.Rngs(0)))
    >>> model = import_weights(model, read_tensors("resnet50.pth"))  # doctest: +SKIP
    """
    imported, tensors = nnx.clone(model), by_torchvision_names(model, tensors)
    flat = nnx.to_flat_state(nnx.state(imported, (nnx.Param, nnx.BatchStat)))
    arrays = {torchvision_name(imported, path): array for path, array in flat}
    _check_kept(keep, set(arrays))
    wanted = {name for name in arrays if not _is_of(name, keep)}
    unused = (*keep, AUXILIARY_HEAD)
    given = {
        name for name in tensors if not _is_of(name, unused) and name.rpartition(".")[2] != _COUNTER
    }
    _check_names(wanted, given)
    for name in wanted:
        arrays[name].set_value(_in_flax_layout(name, np.asarray(tensors[name]), arrays[name].shape))
    return imported


def _is_of(name: str, layers: Collection[str]) -> bool:
    return any(name.startswith(f"{layer}.") for layer in layers)


def _check_kept(keep: Collection[str], names: set[str]) -> None:
    for layer in keep:
        if not any(_is_of(name, [layer]) for name in names):
            raise InputError(
                "keep: expected torchvision's names of layers of the model, such as ('fc',), got"
                f" {layer!r}"
            )


def _check_names(expected: set[str], given: set[str]) -> None:
    problems = []
    for what, names in (("missing", expected - given), ("left over", given - expected)):
        if names:
            listed = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            problems.append(f"{len(names)} {what} ({listed})")
    if problems:
        got = " and ".join(problems)
        raise InputError(
            f"tensors: expected the {len(expected)} of this architecture by torchvision's names,"
            f" got {got}: give the file of this very architecture, and name a layer of another size"
            " in `keep`"
        )


def _in_flax_layout(name: str, tensor: np.ndarray, shape: tuple[int, ...]) -> jax.Array:
    moved = tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T
    if moved.ndim == 4 and len(shape) == 2 and moved.shape[:2] == (1, 1):
        moved = moved[0, 0]
    if moved.shape != shape:
        raise InputError(
            f"tensors: expected {name} of shape {shape} in Flax's order of axes, got {moved.shape}:"
            " is it another width, another number of classes (name its layer in `keep`) or of"
            " channels?"
        )
    # A copy: JAX may share the memory of a NumPy array, which a PyTorch network in training writes
    # to.
    return jnp.array(moved, jnp.float32)
