"""Callables as arguments of jitted functions, so that equal ones share a compiled program.

``jax.jit`` tells functions apart by their identity: one that is made anew for each image compiles
anew for each image. ``as_pytree`` makes a pytree of it (see ``parted_callables``), which compares
by value.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.tree_util import Partial

from cfx_jax.compilation.changes import CHANGES_ITS_ARRAYS, SideEffectError
from cfx_jax.compilation.parted_callables import Parted, holds_arrays_only
from cfx_jax.errors import InputError, reason_of

_NEED_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def as_pytree(classifier: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that can pass through ``jax.jit`` as an argument.

    Args:
        classifier: any callable. One that is a pytree of arrays already
            (``models.per_image(model)``, ``Partial``) is returned as it is. What a plain function
            of a user's own closes over or reads is compiled in.

    Returns:
        The same callable as a pytree. Two with equal contents but for the leaves have one
        structure; one that holds what cannot be compared has a structure of its own.
    """
    return classifier if holds_arrays_only(classifier) else Parted(classifier)


def surrogates_of(classifier: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """The classifiers that stand in for one whose own gradients vanish.

    The gradients of a saturated ensemble do so.

    Args:
        classifier: any callable; one with an attribute ``surrogates``, such as the result of
            ``models.ensemble``, names them.

    Returns:
        None or more classifiers of the same classes.
    """
    return tuple(getattr(classifier, "surrogates", ()))


def call(function: Callable[[Any], Any], example: Any) -> Any:
    """``function(example)``, for ``parallel.map_examples`` where the function itself is shared.

    Args:
        function: a function from ``as_pytree``.
        example: its one argument.
    """
    return function(example)


def shape_of(function: Callable[..., Any], *examples: Any) -> Any:
    """The shapes and dtypes of a function's result, without computing it.

    A function is traced once.

    Args:
        function: any callable of arrays.
        examples: its arguments, or anything of their shapes and dtypes.
    """
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), examples)
    try:
        return _apply.eval_shape(as_pytree(function), *shapes)
    except _NEED_VALUES:
        return jax.eval_shape(lambda *given: function(*given), *shapes)
    except Exception as error:
        if type(error).__name__ == "TraceContextError":  # Flax's, which is not imported here
            raise SideEffectError(
                CHANGES_ITS_ARRAYS.format(getattr(function, "__name__", type(function).__name__))
            ) from error
        if "not a valid JAX type" in str(error):
            raise InputError(
                f"{getattr(function, '__name__', type(function).__name__)}: expected a function"
                f" that returns arrays, got another result: {reason_of(error)}"
            ) from error
        raise


def needs_values(error: BaseException | None) -> bool:
    """Whether a function failed because it asks for values of its arrays, as by ``float(x)``."""
    return isinstance(error, _NEED_VALUES) or (error is not None and needs_values(error.__cause__))


def compiled_in(tree: Any) -> Any:
    """The same pytree, whose callables from ``as_pytree`` have their arrays compiled in.

    Compiled in, these arrays have values.
    """

    def fixed(leaf: Any) -> Any:
        is_original = isinstance(leaf, Parted) and leaf.original is not None
        return Partial(leaf.original) if is_original else leaf

    return jax.tree.map(fixed, tree, is_leaf=lambda leaf: isinstance(leaf, Parted))


@jax.jit
def _apply(function: Callable[..., Any], *examples: Any) -> Any:
    # Jitted here, since JAX keeps an entry for each use of jax.eval_shape itself.
    return function(*examples)
