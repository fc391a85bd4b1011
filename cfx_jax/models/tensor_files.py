"""Named arrays from weight files: safetensors, and the state dicts that PyTorch saves.

A PyTorch file is a pickle, which could run any code when it is read. Only tensors in plain containers are accepted here,
as ``torch.load(weights_only=True)`` does.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.errors import InputError, import_extra

_NESTED = ("state_dict", "model")
_PARALLEL_PREFIX = "module."
# What PyTorch says of a file that holds objects of classes, rather than tensors.
_OF_OBJECTS = ("not an allowed global", "whose module", "TorchScript")


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the tensors of a file.

    Args:
        path: a ``.safetensors`` file, or a ``.pt`` or ``.pth`` file with a state dict, or with a dict that has one under
            ``"state_dict"`` or ``"model"``.

    Returns:
        Arrays by name, those with a fraction as float32 whatever the file has. The ``module.`` that parallel training
        puts before names is dropped.

    Raises:
        InputError: no such file, another suffix, a file that is damaged or holds a whole pickled model or no tensors,
            or the library that reads it is missing.
    """
    file = Path(path)
    if file.suffix not in _READERS:
        raise InputError(f"path: expected a file ending in {', '.join(_READERS)}, got {file}")
    if not file.is_file():
        raise InputError(f"path: expected a file of weights, got {file}, which does not exist")
    return {name.removeprefix(_PARALLEL_PREFIX): array for name, array in _READERS[file.suffix](file).items()}


def _read_safetensors(file: Path) -> dict[str, np.ndarray]:
    safetensors = import_extra("safetensors", "reading .safetensors files")
    from safetensors.numpy import load_file

    try:
        tensors = load_file(file)
    except safetensors.SafetensorError as error:
        raise _damaged(file, error) from error
    return {name: _with_float32(array) for name, array in tensors.items()}


def _with_float32(array: np.ndarray) -> np.ndarray:
    # Not np.floating, which leaves bfloat16 out: anything but whole numbers and truth values.
    return array if array.dtype.kind in "biu" else array.astype(np.float32)


def _read_pytorch(file: Path) -> dict[str, np.ndarray]:
    torch = import_extra("torch", "reading .pt and .pth files")
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in any way
        if any(words in str(error) for words in _OF_OBJECTS):
            raise _no_state_dict(file, "a whole pickled model") from error
        raise _damaged(file, error) from error
    return {name: _as_numpy(tensor) for name, tensor in _state_dict(file, loaded, torch.Tensor).items()}


def _state_dict(file: Path, loaded: Any, tensor_type: type) -> dict[str, Any]:
    for key in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise _no_state_dict(file, f"a {type(loaded).__name__}")
    other = [name for name, tensor in loaded.items() if not isinstance(tensor, tensor_type)]
    if other or not loaded:
        raise _no_state_dict(file, f"a dict with {other[0]!r}, which is no tensor" if other else "an empty dict")
    return loaded


def _as_numpy(tensor: Any) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def _damaged(file: Path, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"path: expected the weights of a network, {file} cannot be read: is it damaged? ({reason})")


def _no_state_dict(file: Path, found: str) -> InputError:
    return InputError(
        f"path: expected a state dict, got {found} in {file}: load it in PyTorch and save its state_dict() instead"
    )


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".safetensors": _read_safetensors,
    ".pt": _read_pytorch,
    ".pth": _read_pytorch,
}
