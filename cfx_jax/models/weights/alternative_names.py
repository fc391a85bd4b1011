"""Tensors whose names in other files of the same networks are not torchvision's of today."""

import re
from collections.abc import Mapping

import numpy as np
from flax import nnx

from cfx_jax.models.images import DenseNet, EfficientNet
from cfx_jax.models.weights.torchvision_names import stage_and_position, torchvision_name

_EXCITATION = {
    "se.conv_reduce": ("excitation", "reduce"),
    "se.conv_expand": ("excitation", "expand"),
}
_PLAIN_BLOCK: Mapping[str, tuple[str, ...]] = {
    "conv_dw": ("depthwise",),
    "bn1": ("depthwise_norm",),
    **_EXCITATION,
    "conv_pw": ("project", "linear"),
    "bn2": ("project", "norm"),
}
"""timm's names of the layers of a block, and where they are here."""
_EXPANDING_BLOCK: Mapping[str, tuple[str, ...]] = {
    "conv_pw": ("expand", "linear"),
    "bn1": ("expand", "norm"),
    "conv_dw": ("depthwise",),
    "bn2": ("depthwise_norm",),
    **_EXCITATION,
    "conv_pwl": ("project", "linear"),
    "bn3": ("project", "norm"),
}
_ARRAYS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# As in the file that torchvision publishes for DenseNet-121, whose names it changes when it loads
# it.
_OLD_DENSE_LAYER = re.compile(
    r"(features\.denseblock\d+\.denselayer\d+\.(?:norm|conv))\.([12]\..+)"
)


def by_torchvision_names(
    model: nnx.Module, tensors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by the names of torchvision's networks.

    Args:
        model: the network that they are for.
        tensors: by torchvision's names; of a ``DenseNet`` also by the names of torchvision's
            published files (``norm.1`` for ``norm1``), of an ``EfficientNet`` by timm's.

    Returns:
        The same tensors; those whose names are none of these keep them.
    """
    match model:
        case DenseNet():
            return {_OLD_DENSE_LAYER.sub(r"\1\2", name): tensor for name, tensor in tensors.items()}
        case EfficientNet() if "conv_stem.weight" in tensors:
            layers = _timm_layers(model)
            return {_renamed(name, layers): tensor for name, tensor in tensors.items()}
    return dict(tensors)


def _renamed(name: str, layers: Mapping[str, str]) -> str:
    layer, _, array = name.rpartition(".")
    return f"{layers[layer]}.{array}" if layer in layers and array in _ARRAYS else name


def _timm_layers(model: EfficientNet) -> dict[str, str]:
    """Lists timm's name of each layer of an EfficientNet, and torchvision's."""
    paths: dict[str, tuple[object, ...]] = {
        "conv_stem": ("stem", "conv"),
        "bn1": ("stem", "norm"),
        "conv_head": ("top", "linear"),
        "bn2": ("top", "norm"),
        "classifier": ("head",),
    }
    for index, block in enumerate(model.blocks):
        stage, position = stage_and_position(index, model.stage_sizes)
        parts = _PLAIN_BLOCK if block.expand is None else _EXPANDING_BLOCK
        paths |= {
            f"blocks.{stage}.{position}.{name}": ("blocks", index, *part)
            for name, part in parts.items()
        }
    return {
        name: torchvision_name(model, (*path, "kernel")).rpartition(".")[0]
        for name, path in paths.items()
    }
