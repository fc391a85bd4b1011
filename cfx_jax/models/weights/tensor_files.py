"""Named arrays from weight files: safetensors, and the state dicts that PyTorch saves.

A PyTorch file is a pickle, which could run any code when it is read. Only tensors in plain
containers are accepted here, as ``torch.load(weights_only=True)`` does.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from cfx_jax.errors import InputError, import_extra
from cfx_jax.files import as_path

_NESTED = ("state_dict", "model")
_SAFE_TORCH = (2, 6)
# What safetensors calls the types of numbers that are read.
_KINDS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "BOOL",
            "U8",
            "I8",
            "U16",
            "I16",
            "U32",
            "I32",
            "U64",
            "I64",
            "F16",
            "BF16",
            "F32",
            "F64",
            "C64",
        )
    ),
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}
_PARALLEL_PREFIX = "module."
# What PyTorch says of a file that holds objects of classes, rather than tensors.
_OF_OBJECTS = ("not an allowed global", "whose module", "TorchScript")


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the tensors of a file.

    Args:
        path: a ``.safetensors`` file, or a ``.pt``, ``.pth``, ``.ckpt`` or ``.bin`` file of PyTorch
            with a state dict, or with a dict that has one under ``"state_dict"`` or ``"model"``.

    Returns:
        Arrays by name, those with a fraction as float32 whatever the file has. The ``module.`` that
        parallel training puts before names is dropped.

    Raises:
        InputError: no such file, another suffix, a file that is damaged or holds a whole pickled
            model, no tensors, tensors without names, or complex, sparse, quantised or empty
            ("meta") ones; or the library that reads it is missing, or a PyTorch that runs what is
            in a file.

    >>> import tempfile
    >>> from safetensors.numpy import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"fc.bias": np.zeros(2, np.float32)}, f"{folder}/weights.safetensors")
    ...     read_tensors(f"{folder}/weights.safetensors")
    {'fc.bias': array([0., 0.], dtype=float32)}
    """
    file = as_path(path)
    if file.suffix not in _READERS:
        raise InputError(f"path: expected a file ending in {', '.join(_READERS)}, got {file}")
    if not file.is_file():
        raise InputError(f"path: expected a file of weights, got {file}, which does not exist")
    arrays = _READERS[file.suffix](file)
    if not arrays:
        raise _no_state_dict(file, "no tensors")
    _check_names(file, arrays)
    return {name.removeprefix(_PARALLEL_PREFIX): array for name, array in arrays.items()}


def _check_names(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    twice = [name for name in arrays if _PARALLEL_PREFIX + name in arrays]
    if twice:
        raise _no_state_dict(
            file, f"a dict with {twice[0]!r} and the same with '{_PARALLEL_PREFIX}' before it"
        )
    for name, array in arrays.items():
        if array.dtype.kind == "c":
            raise _no_state_dict(file, f"complex numbers in {name!r}")


def _read_safetensors(file: Path) -> dict[str, np.ndarray]:
    safetensors = import_extra("safetensors", "reading .safetensors files")
    try:
        with safetensors.safe_open(file, framework="np") as stored:
            kinds = {name: stored.get_slice(name).get_dtype() for name in stored.keys()}  # noqa: SIM118 - it is no dict
            other = [f"{kind} in {name!r}" for name, kind in kinds.items() if kind not in _KINDS]
            if other:
                raise _no_state_dict(file, f"numbers of the type {other[0]}")
            small = [name for name, kind in kinds.items() if kind.startswith("F8")]
            arrays = {name: stored.get_tensor(name) for name in kinds if name not in small}
        if small:  # safetensors itself gives NumPy none of these
            parts = dict(safetensors.deserialize(file.read_bytes()))
            arrays |= {
                name: np.frombuffer(parts[name]["data"], _KINDS[kinds[name]]).reshape(
                    parts[name]["shape"]
                )
                for name in small
            }
    except (safetensors.SafetensorError, OSError, OverflowError, MemoryError) as error:
        raise _damaged(file, error) from error
    return {name: _with_float32(arrays[name]) for name in kinds}


def _with_float32(array: np.ndarray) -> np.ndarray:
    # Not np.floating, which leaves bfloat16 out: anything but whole, truth and complex values,
    # which are refused.
    return array if array.dtype.kind in "biuc" else array.astype(np.float32)


def _read_pytorch(file: Path) -> dict[str, np.ndarray]:
    torch = import_extra("torch", "reading files of PyTorch")
    _check_version(torch.__version__)
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in any way
        if any(words in str(error) for words in _OF_OBJECTS):
            raise _no_state_dict(file, "a whole pickled model") from error
        raise _damaged(file, error) from error
    return {
        name: _as_numpy(file, name, tensor)
        for name, tensor in _state_dict(file, loaded, torch.Tensor).items()
    }


def _check_version(version: str) -> None:
    """Checks that PyTorch is new enough.

    Older ones run code of a file although they are told to read weights only (CVE-2025-32434).
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < _SAFE_TORCH:
        wanted = ".".join(map(str, _SAFE_TORCH))
        raise InputError(
            f"PyTorch: expected version {wanted} or newer, which reads a file without running what"
            f" is in it, got {version}: update it, or convert the file to .safetensors"
        )


def _state_dict(file: Path, loaded: Any, tensor_type: type) -> dict[str, Any]:
    for key in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise _no_state_dict(file, f"a {type(loaded).__name__}")
    other = [name for name, tensor in loaded.items() if not isinstance(tensor, tensor_type)]
    if other or not loaded:
        raise _no_state_dict(
            file, f"a dict with {other[0]!r}, which is no tensor" if other else "an empty dict"
        )
    unnamed = [name for name in loaded if not isinstance(name, str)]
    if unnamed:
        raise _no_state_dict(file, f"a dict with {unnamed[0]!r}, which is no name,")
    return loaded


def _as_numpy(file: Path, name: str, tensor: Any) -> np.ndarray:
    try:
        return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()
    except (
        TypeError,
        RuntimeError,
        NotImplementedError,
    ) as error:  # sparse, quantised, without values
        raise _no_state_dict(
            file, f"{name!r}, no plain tensor ({str(error).splitlines()[0]}),"
        ) from error


def _damaged(file: Path, error: Exception) -> InputError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(
        f"path: expected the weights of a network, {file} cannot be read: is it damaged? ({reason})"
    )


def _no_state_dict(file: Path, content: str) -> InputError:
    return InputError(
        f"path: expected a state dict, got {content} in {file}: load it in PyTorch and save its"
        " state_dict() instead"
    )


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".safetensors": _read_safetensors,
    ".pt": _read_pytorch,
    ".pth": _read_pytorch,
    ".ckpt": _read_pytorch,
    ".bin": _read_pytorch,
}
