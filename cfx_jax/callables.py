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


def surrogates_of(classifier: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """The classifiers that stand in for one where its own gradients say too little, as a saturated ensemble's do.

    Args:
        classifier: any callable; those that have an attribute ``surrogates``, such as ``models.ensemble`` gives, name them.

    Returns:
        None or more classifiers of the same classes.
    """
    return tuple(getattr(classifier, "surrogates", ()))


def call(function: Callable[[Any], Any], example: Any) -> Any:
    """``function(example)``: what ``parallel.map_examples`` maps where the function itself is what the examples share.

    Args:
        function: from ``as_pytree``.
        example: its one argument.
    """
    return function(example)
