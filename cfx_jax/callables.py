"""Classifiers as arguments of jitted functions."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.tree_util import Partial


def as_pytree(classifier: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that can pass through ``jax.jit`` as an argument.

    Args:
        classifier: any callable. One that is a pytree of arrays already (``models.per_image(model)``, ``Partial``) is
            returned as it is; a plain function is wrapped, and what it closes over is compiled in as constants.

    Returns:
        The same callable as a pytree.
    """
    leaves = jax.tree.leaves(classifier)
    is_pytree = all(isinstance(leaf, Array) or hasattr(leaf, "__array__") for leaf in leaves)
    return classifier if is_pytree else Partial(classifier)


def call(function: Callable[[Any], Any], example: Any) -> Any:
    """``function(example)``: what ``parallel.map_examples`` maps where the function itself is what the examples share.

    Args:
        function: from ``as_pytree``.
        example: its one argument.
    """
    return function(example)
