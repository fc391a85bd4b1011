"""The names that torchvision gives the arrays of the networks here.

Each path of a model's state has one name.
"""

from collections.abc import Sequence

from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models.images import DenseNet, EfficientNet, InceptionV3, ResNet

AUXILIARY_HEAD = "AuxLogits"
"""The layers of Inception-v3 that help its training only; the network here has none."""

_ARRAYS = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
# A convolution and its norm are items 0 and 1 of a sequence in torchvision's newer networks.
_POSITIONS = {"conv": 0, "linear": 0, "norm": 1}


def torchvision_name(model: nnx.Module, path: Sequence[object]) -> str:
    """Returns the name that torchvision has for an array of a model.

    Args:
        model: a ``ResNet``, an ``EfficientNet``, an ``InceptionV3`` or a ``DenseNet``.
        path: where the model keeps a parameter or a running average, e.g.
            ``("stages", 0, 1, "conv2", "kernel")``.

    Returns:
        The name in a state dict, such as ``layer1.0.conv1.weight``.

    Raises:
        InputError: a model of another class.
    """
    *where, leaf = map(str, path)
    match model:
        case ResNet():
            layer = _resnet_layer(where)
        case EfficientNet():
            layer = _efficientnet_layer(model, where)
        case InceptionV3():
            layer = _inception_layer(where)
        case DenseNet():
            layer = _densenet_layer(model, where)
        case _:
            raise InputError(
                "model: expected one of ResNet, EfficientNet, InceptionV3, DenseNet, got"
                f" {type(model).__name__}: torchvision has no names for it"
            )
    return f"{layer}.{_ARRAYS[leaf]}"


def _resnet_layer(where: Sequence[str]) -> str:
    match where:
        case ["head"]:
            return "fc"
        case ["stem", part]:
            return _with_bn(part) + "1"
        case ["stages", stage, block, "shortcut", part]:
            return f"layer{int(stage) + 1}.{block}.downsample.{_POSITIONS[part]}"
        case ["stages", stage, block, part]:
            return f"layer{int(stage) + 1}.{block}.{_with_bn(part)}"
    raise AssertionError(f"a ResNet has no {where}")


def _efficientnet_layer(model: EfficientNet, where: Sequence[str]) -> str:
    match where:
        case ["head"]:
            return "classifier.1"
        case ["stem", part]:
            return f"features.0.{_POSITIONS[part]}"
        case ["top", part]:
            return f"features.{len(model.stage_sizes) + 1}.{_POSITIONS[part]}"
        case ["blocks", index, *inner]:
            stage, position = stage_and_position(int(index), model.stage_sizes)
            expands = model.blocks[int(index)].expand is not None
            layer = _mbconv_layer(inner, depthwise=int(expands))
            return f"features.{stage + 1}.{position}.block.{layer}"
    raise AssertionError(f"an EfficientNet has no {where}")


def stage_and_position(block: int, stage_sizes: Sequence[int]) -> tuple[int, int]:
    """Returns the stage of a block, counted from 0, and the block's place in it, from 0 too.

    >>> stage_and_position(4, (1, 2, 2))
    (2, 1)
    """
    stage = 0
    while block >= stage_sizes[stage]:
        block -= stage_sizes[stage]
        stage += 1
    return stage, block


def _mbconv_layer(inner: Sequence[str], *, depthwise: int) -> str:
    """Names a layer of a block, given the place of its depthwise convolution."""
    match inner:
        case ["expand", part]:
            return f"0.{_POSITIONS[part]}"
        case ["depthwise"]:
            return f"{depthwise}.0"
        case ["depthwise_norm"]:
            return f"{depthwise}.1"
        case ["excitation", part]:
            return f"{depthwise + 1}.{'fc1' if part == 'reduce' else 'fc2'}"
        case ["project", part]:
            return f"{depthwise + 2}.{_POSITIONS[part]}"
    raise AssertionError(f"an MBConv has no {inner}")


def _inception_layer(where: Sequence[str]) -> str:
    match where:
        case ["head"]:
            return "fc"
        case ["layers", *names, part]:
            return ".".join([*names, _with_bn(part)])
    raise AssertionError(f"an InceptionV3 has no {where}")


def _densenet_layer(model: DenseNet, where: Sequence[str]) -> str:
    match where:
        case ["head"]:
            return "classifier"
        case ["stem", part]:
            return f"features.{part}0"
        case ["blocks", block, layer, part]:
            return f"features.denseblock{int(block) + 1}.denselayer{int(layer) + 1}.{part}"
        case ["transitions", index, part]:
            return f"features.transition{int(index) + 1}.{part}"
        case ["norm"]:
            return f"features.norm{len(model.blocks) + 1}"
    raise AssertionError(f"a DenseNet has no {where}")


def _with_bn(part: str) -> str:
    return part.replace("norm", "bn")
