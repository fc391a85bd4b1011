"""The layers of a model while it runs: their names, their values, and what is added to them.

A model shows each layer's value to a *visit*, a function ``(name, value) -> value`` whose result
takes the value's place. PyTorch has hooks for this (``shown_layers`` of ``torch_modules.py``), and
Flax Linen interceptors (``flax.py``). For Flax NNX, Equinox and Keras the ``__call__`` of a layer's
class is exchanged while the model runs (``shown_calls``).
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.errors import InputError

Visit = Callable[[str, Any], Any]
"""A layer's name and value -> what takes the value's place."""

_lock = threading.RLock()
_found: "dict[Any, tuple[dict[str, tuple[int, ...]], Exception | None]]" = {}
"""The layers of the last models by their structure, the types of their weights and the image."""
_MOST_FOUND = 32


class Calls:
    """A visit that tells the calls of one layer apart: ``relu``, then ``relu:2``.

    Args:
        visit: is shown each call.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit, self._calls = visit, Counter[str]()

    def __call__(self, name: str, value: Any) -> Any:
        """Shows the value of a layer's next call."""
        self._calls[name] += 1
        number = self._calls[name]
        return self._visit(name if number == 1 else f"{name}:{number}", value)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Traced:
    """A model of batches that JAX traces; a pytree.

    Attributes:
        run: (visit, or None; images) -> values.
        convolutions: names of layers that are known to give maps ``(f, fh, fw)``.
    """

    run: Partial
    convolutions: frozenset[str] = field(default=frozenset(), metadata={"static": True})

    def __call__(self, images: Float[Array, "n ..."]) -> Any:
        """Computes the values of a batch."""
        return self.run(None, images)

    def layers(
        self, images: Float[Array, "1 ..."], *, as_far: bool = False
    ) -> dict[str, tuple[int, ...]]:
        """The shapes of one image's values, by layer, in the order in which the layers end.

        Args:
            images: one image, or its shape and dtype.
            as_far: gives the layers before the model raises, where it does not take such images.
        """
        types = tuple(map(jax.typeof, jax.tree.leaves(self)))
        key = jax.tree.structure(self), types, images.shape, images.dtype
        if key not in _found:
            while len(_found) >= _MOST_FOUND:
                _found.pop(next(iter(_found)), None)
            _found[key] = self._find_layers(images)
        shapes, error = _found[key]
        if error is not None and not as_far:
            raise error
        return shapes

    def _find_layers(
        self, images: Float[Array, "1 ..."]
    ) -> tuple[dict[str, tuple[int, ...]], Exception | None]:
        """The shapes of the layers before the model raises, and what it raises."""
        shapes: dict[str, tuple[int, ...]] = {}

        def run(images: Float[Array, "n ..."]) -> Any:
            return self.run(Calls(_at_this_level(note)), images)

        def note(name: str, value: Array) -> Array:
            if value.shape[:1] == (1,):  # else its first axis is not that of the images
                shapes[name] = tuple(value.shape[1:])
            return value

        try:
            jax.eval_shape(run, images)
        except Exception as error:  # whatever a model raises
            return shapes, error.with_traceback(None)  # whose frames would keep arrays
        return shapes, None

    def tapped(
        self, layer: str, images: Float[Array, "n ..."], shift: Float[Array, "n ..."] | None
    ) -> tuple[Any, Float[Array, "n ..."]]:
        """Computes the values of a batch, and those of a layer, to which ``shift`` is added."""
        kept: list[Array] = []

        def add(name: str, value: Any) -> Any:
            if name != layer:
                return value
            moved = value if shift is None else value + shift.astype(value.dtype)
            kept.append(moved.astype(jnp.float32))
            return moved

        values = self.run(Calls(_at_this_level(add)), images)
        if not kept:
            raise unknown_layer(layer, self.layers(images))
        return values, kept[0]


def unknown_layer(layer: str, layers: Mapping[str, Any]) -> InputError:
    """The error of a name that no layer has."""
    shown = ", ".join(list(layers)[-12:])
    return InputError(
        f"layer: expected the name of a layer, such as the last ones ({shown}), got {layer!r}"
    )


def _at_this_level(visit: Visit) -> Visit:
    """A visit that passes over values that are no floating-point arrays or lie inside a loop.

    Values inside a loop or ``vmap`` of the model are no values of one batch.
    """
    level = get_opaque_trace_state(convention="flax")

    def look(name: str, value: Any) -> Any:
        is_array = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)
        if not is_array or get_opaque_trace_state(convention="flax") != level:
            return value
        return visit(name, value)

    return look


@contextmanager
def shown_calls(names: Mapping[int, str], kinds: set[type], visit: Visit | None) -> Iterator[None]:
    """Shows the calls of modules in this thread, while the context lasts.

    Args:
        names: of the modules, by ``id``.
        kinds: their classes.
        visit: is shown what each module's call gives; None shows nothing.
    """
    if visit is None:
        yield
        return
    owners = {next(base for base in kind.__mro__ if "__call__" in vars(base)) for kind in kinds}
    with _lock:
        originals = {owner: vars(owner)["__call__"] for owner in owners}
        shown = _Shown(dict(names), visit, threading.get_ident())
        try:
            for owner, original in originals.items():
                type.__setattr__(owner, "__call__", shown.instead_of(original))
            yield
        finally:
            for owner, original in originals.items():
                type.__setattr__(owner, "__call__", original)


@dataclass(frozen=True)
class _Shown:
    """Shows the calls of modules, of a module that is running already only the outer call."""

    names: dict[int, str]
    visit: Visit
    thread: int

    def instead_of(self, original: Any) -> Callable[..., Any]:
        """The method that takes the place of a class's ``__call__``: runs it, shows the value."""

        @wraps(original)
        def call(module: Any, *arguments: Any, **options: Any) -> Any:
            method = original.__get__(module, type(module))
            is_here = threading.get_ident() == self.thread
            name = self.names.pop(id(module), None) if is_here else None
            if name is None:  # unknown, or a class that calls the method of its parent
                return method(*arguments, **options)
            try:
                value = method(*arguments, **options)
            finally:
                self.names[id(module)] = name
            return self.visit(name, value)

        return call
