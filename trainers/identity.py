"""What a training depends on besides its configuration, in few words, so that a change is noticed."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from cfx_jax.callables import as_pytree
from cfx_jax.objectives import Classifier
from trainers.pretrained import weights_digest

_DESCRIBED = 16  # images whose logits tell functions apart


def describe_data(
    source: Any,
    indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    augment: Callable[..., Any] | None,
    start: nnx.Module | None,
    *,
    weights: str = "",
) -> dict[str, str]:
    """Names and short digests of the data, the augmentation and the starting weights of a training.

    ``validation`` holds those arrays of the validation set that the training looks at, in the
    singular. ``weights`` is the file that a training starts from, if any; it is told by its bytes,
    so that a training that goes on need not load it.
    """
    random = f"file {weights_digest(weights)}" if weights else "random"
    return {
        "source": f"{type(source).__name__} of {len(source)}",
        "train_indices": digest(indices),
        **{f"validation_{name}s": digest(values) for name, values in validation.items()},
        "augment": "none"
        if augment is None
        else digest(np.frombuffer(_text(augment).encode(), np.uint8)),
        "start": random if start is None else digest(nnx.state(start, nnx.Param)),
    }


def describe_classifier(classifier: Classifier, images: Float[np.ndarray, "n h w c"]) -> str:
    """A short digest of a frozen classifier's weights; of one without any, such as a plain
    function, of some logits.
    """
    frozen = as_pytree(classifier)
    if jax.tree.leaves(frozen):
        return digest(frozen)
    return digest(jax.vmap(classifier)(jnp.asarray(images[:_DESCRIBED])))


def _text(value: Any) -> str:
    """A function with all that it closes over, so that other ranges of an augmentation give another
    text.
    """
    if isinstance(value, partial):
        return _text((value.func, value.args, tuple(sorted(value.keywords.items()))))
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, FunctionType):
        return value.__qualname__ + _text([cell.cell_contents for cell in value.__closure__ or ()])
    described = repr(value)
    return type(value).__qualname__ if " at 0x" in described else described


def digest(tree: Any) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of all leaves, and their number of entries."""
    sums, entries = hashlib.sha256(), 0
    for leaf in map(_numbers, jax.tree.leaves(tree)):
        sums.update(f"{leaf.dtype}{leaf.shape}".encode())
        # In place, without a copy: an array may lie in a large file.
        sums.update(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data)
        entries += leaf.size
    return f"{entries} values, {sums.hexdigest()[:12]}"


def _numbers(leaf: Any) -> np.ndarray:
    is_key = isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)
