"""A network by its name with the weights of a file, which tell its classes and channels."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from flax import nnx

from cfx_jax.models.images import build, efficientnet
from cfx_jax.models.weights.alternative_names import by_torchvision_names
from cfx_jax.models.weights.import_weights import import_weights
from cfx_jax.models.weights.torchvision_names import torchvision_name

_SMALL_EPSILON = tuple(f"efficientnet_b{number}" for number in range(5))
"""EfficientNets whose published weights in PyTorch were trained with an epsilon of 1e-5."""


def build_with_weights(name: str, tensors: Mapping[str, np.ndarray]) -> Any:
    """Makes a network with the weights of PyTorch's network of the same name.

    How images are normalised stands in no file: it is said where the network is used.

    Args:
        name: as ``build`` knows it.
        tensors: as ``import_weights`` takes them; a prefix that all names share, as ``model.`` in
            checkpoints of Lightning, is left out.

    Returns:
        The network, in training mode, with as many classes and channels as the tensors have.

    Raises:
        InputError: an unknown name, or tensors of another network.

    >>> from cfx_jax.models import read_tensors
    >>> build_with_weights("resnet50", read_tensors("resnet50.pth"))  # doctest: +SKIP
    """
    tensors = _without_common_prefix(tensors)
    shapes = nnx.eval_shape(partial(_network, name, num_classes=2, in_channels=3))
    named = by_torchvision_names(shapes, tensors)
    head = named.get(torchvision_name(shapes, ("head", "bias")), np.zeros(2))
    stem = np.zeros((1, 3))
    if hasattr(shapes, "stem"):  # Inception-v3 has none, and takes three channels
        stem = named.get(torchvision_name(shapes, ("stem", "conv", "kernel")), stem)
    make = partial(_network, name, num_classes=len(head), in_channels=stem.shape[1])
    draws = bool(nnx.state(shapes, nnx.RngState))  # dropout has to be made, shapes do not suffice
    return import_weights(make() if draws else nnx.eval_shape(make), tensors)


def _network(name: str, *, num_classes: int, in_channels: int) -> nnx.Module:
    sizes: dict[str, Any] = {"num_classes": num_classes, "in_channels": in_channels}
    if name in _SMALL_EPSILON:
        variant: Any = name.removeprefix("efficientnet_")
        return efficientnet(variant, **sizes, epsilon=1e-5, rngs=nnx.Rngs(0))
    return build(name, **sizes, rngs=nnx.Rngs(0))


def _without_common_prefix(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = dict(tensors)
    while (
        names
        and len({name.partition(".")[0] for name in names}) == 1
        and all("." in name for name in names)
    ):
        names = {name.partition(".")[2]: array for name, array in names.items()}
    return names
