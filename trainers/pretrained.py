"""Weights of another training, such as ImageNet's, as the start of one."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.files import digest
from cfx_jax.models import FindingClassifier, import_weights, read_tensors
from cfx_jax.models.weights.torchvision_names import torchvision_name

Model = TypeVar("Model", bound=nnx.Module)

_COLOURS = 3


def with_pretrained(model: Model, file: str | os.PathLike[str]) -> Model:
    """A copy of a model whose layers have the weights of a file, but for the last, which keeps its
    own.

    A model of grey images takes the sum of a convolution's three kernels of colour, which gives
    what a grey image in three equal channels gives. Images are normalised as the model does it:
    give their own mean and deviation.

    Args:
        model: a ``ResNet``, ``EfficientNet``, ``InceptionV3`` or ``DenseNet``, or a
            ``FindingClassifier`` over one, whose own layers after the feature maps keep their
            weights; it is not changed.
        file: of tensors by torchvision's names, as ``models.read_tensors`` takes it: torchvision's
            or timm's ResNet-50.

    Returns:
        The copy, in the mode of ``model``.

    Raises:
        InputError: a file that cannot be read or is of another architecture, naming what is missing
            or left over.
    """
    tensors = read_tensors(file)
    try:
        if isinstance(model, FindingClassifier):
            copy = nnx.clone(model)
            copy.backbone = _imported(model.backbone, tensors)
            return copy
        return _imported(model, tensors)
    except InputError as error:
        raise InputError(f"weights: {file} does not fit {type(model).__name__}: {error}") from None


def weights_digest(file: str | os.PathLike[str]) -> str:
    """Twelve hexadecimal digits that differ wherever a file's content does, for the names of what
    depends on it.

    Args:
        file: as in ``with_pretrained``; an empty name for no file, whose digest is empty.

    Raises:
        InputError: the file cannot be read.
    """
    if not os.fspath(file):
        return ""
    try:
        path = Path(file)
        status = path.stat()
        return _digest(path, (status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise InputError(
            f"weights: expected a file of weights, {file} cannot be read: {error.strerror}"
        ) from None


@lru_cache
def _digest(path: Path, status: tuple[int, ...]) -> str:
    """Of a file that is read once for as long as its status stays: many trainings of a run name the
    same one.
    """
    del status
    return digest(path)[:12]


def _imported(network: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    shapes = {torchvision_name(network, path): value.shape for path, value in _variables(network)}
    last = torchvision_name(network, ("head", "kernel")).removesuffix(".weight")
    own = any(name.startswith(f"{last}.") for name in shapes)
    fitting = {name: _grey(tensor, shapes.get(name, ())) for name, tensor in tensors.items()}
    if not own:
        fitting = {
            name: tensor for name, tensor in fitting.items() if not name.startswith(f"{last}.")
        }
    return import_weights(network, fitting, keep=(last,) if own else ())


def _variables(network: Any) -> Any:
    return nnx.to_flat_state(nnx.state(network, (nnx.Param, nnx.BatchStat)))


def _grey(tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A convolution's kernel of three colours, summed where the network's takes one channel."""
    is_of_colours = tensor.ndim == 4 and tensor.shape[1] == _COLOURS
    return (
        tensor.sum(axis=1, keepdims=True)
        if is_of_colours and len(shape) == 4 and shape[2] == 1
        else tensor
    )
