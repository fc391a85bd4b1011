"""All that a training depends on besides its configuration, in few words that show a change."""

import hashlib
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from cfx_jax.compilation import as_pytree
from cfx_jax.objectives import Classifier

_DESCRIBED = 16  # images whose logits tell functions apart


def describe_augmentation(augment: Callable[..., Any] | None) -> str:
    """A short digest of a function with all that it closes over, such as its ranges."""
    if augment is None:
        return "none"
    return digest(np.frombuffer(_describe(augment).encode(), np.uint8))


def describe_start(start: nnx.Module | None) -> str:
    """A short digest of the weights that a training starts from."""
    return "random" if start is None else digest(nnx.state(start, nnx.Param))


def describe_classifier(classifier: Classifier, images: Float[np.ndarray, "n h w c"]) -> str:
    """A short digest of a frozen classifier's weights, or of some logits where it has none."""
    frozen = as_pytree(classifier)
    if jax.tree.leaves(frozen):
        return digest(frozen)
    return digest(jax.vmap(classifier)(jnp.asarray(images[:_DESCRIBED])))


def describe_encoder(encoder: nnx.Module) -> str:
    """A short digest of a network's backbone, or of the network where it has none."""
    return digest(nnx.state(getattr(encoder, "backbone", encoder)))


def digest(tree: Any) -> str:
    """The number of entries of all leaves, and 12 hexadecimal digits of their SHA-256."""
    sums, entries = hashlib.sha256(), 0
    for leaf in map(_to_numbers, jax.tree.leaves(tree)):
        sums.update(f"{leaf.dtype}{leaf.shape}".encode())
        # In place, without a copy: an array may lie in a large file.
        sums.update(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data)
        entries += leaf.size
    return f"{entries} values, {sums.hexdigest()[:12]}"


def _describe(value: Any) -> str:
    """A text that is the same in every process and another for other closed-over values."""
    if isinstance(value, partial):
        return _describe((value.func, value.args, tuple(sorted(value.keywords.items()))))
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_describe, value))})"
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return value.__qualname__ + _describe(cells)
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _to_numbers(leaf: Any) -> np.ndarray:
    is_key = isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)
