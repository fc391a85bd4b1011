"""Callables taken apart into the arrays that they hold, which are data, and all else.

All else is compared by value. Callables of this library, and pytrees, are taken apart. A user's own
functions and objects stay whole: what they hold is compiled in, and they share a program where
their fingerprints are equal, so what has changed in them is seen.
"""

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, is_dataclass, replace
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.tree_util import Partial

from cfx_jax.compilation.changes import before_changes, check_unchanged, remember_appended
from cfx_jax.compilation.fingerprints import Fingerprint, fingerprint
from cfx_jax.compilation.pure_packages import is_ours


@jax.tree_util.register_pytree_node_class
class Parted:
    """A callable as a pytree whose leaves are the arrays that it holds.

    Attributes:
        original: the callable itself, taken apart anew each time, so that what has changed in it is
            seen; None of one that was put together from ``parts``, its leaves and all else.
        is_comparable: whether another one can be known to be equal.
    """

    def __init__(
        self,
        original: Callable[..., Any] | None,
        parts: "tuple[tuple[Any, ...], _Part] | None" = None,
        *,
        is_comparable: bool = True,
    ) -> None:
        self.original, self._parts, self._token, self.is_comparable = (
            original,
            parts,
            object(),
            is_comparable,
        )

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Calls the callable with its arrays."""
        if self.original is not None:
            return self.original(*args, **options)
        leaves, part = self.tree_flatten()
        met = _Met([], [])
        result = part.build(leaves, met)(*args, **options)
        for model, arrays in met.models:
            check_unchanged(model, arrays)
        for value, key, lengths in met.foreign:
            remember_appended(value, key, lengths)
        return result

    def tree_flatten(self) -> tuple[tuple[Any, ...], "_Part"]:
        """The arrays, and all else."""
        if self._parts is not None:
            return self._parts
        walk = _Walk(self._token)
        part = walk.part(self.original, (Array,))
        return tuple(walk.leaves), part

    @classmethod
    def tree_unflatten(cls, part: "_Part", leaves: tuple[Any, ...]) -> "Parted":
        """The callable with other arrays."""
        return cls(None, (tuple(leaves), part))


def arguments(
    function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> "Parted":
    """A call as one pytree: NumPy arrays in ``args`` are data, Python numbers are not.

    Args:
        function: the function that is to be called.
        args: its arguments.
        options: its options, compared by value.
    """
    walk = _Walk(object())
    parts = (
        walk.part(function, (Array,)),
        walk.part(args, (Array, np.ndarray)),
        walk.part(_Options.of(options), (Array,)),
    )
    asked = _Part("call", parts, _bind, has_leaves=any(part.has_leaves for part in parts))
    return Parted(None, (tuple(walk.leaves), asked), is_comparable=walk.is_comparable)


def holds_arrays_only(value: Any) -> bool:
    """Whether a value is a pytree of arrays, without a function whose contents are compared."""
    leaves = jax.tree.leaves(value)
    if not all(isinstance(leaf, Array) or hasattr(leaf, "__array__") for leaf in leaves):
        return False
    walk = _Walk(value)
    walk.part(value, (Array, np.ndarray))
    return not walk.met_functions


@dataclass(frozen=True)
class _Part:
    """A piece of a callable, equal to another one where ``kind`` and ``children`` are equal.

    ``make`` puts the children together.
    """

    kind: Hashable
    children: tuple["_Part", ...]
    make: Callable[..., Any] = field(compare=False)
    has_leaves: bool = field(compare=False)
    is_model: bool = field(default=False, compare=False)
    reading: tuple[Fingerprint, dict[int, int]] | None = field(default=None, compare=False)

    def build(self, leaves: tuple[Any, ...], met: "_Met") -> Any:
        """The piece with these arrays in it; ``met`` gets the models and the foreign callables."""
        if isinstance(self.kind, _Leaf):
            return leaves[self.kind.place]
        held = [child.build(leaves, met) for child in self.children]
        value = self.make(*held)
        if self.is_model:
            met.models.append((value, held))
        if self.reading is not None:
            met.foreign.append((value, *self.reading))
        return value


class _Met(NamedTuple):
    """The models that were put together, and the foreign callables that hold lists.

    Models come with their arrays, callables with what was read of their lists.
    """

    models: list[tuple[Any, list[Any]]]
    foreign: list[tuple[Any, Fingerprint, dict[int, int]]]


class _Leaf(NamedTuple):
    """An array, by its place among the leaves."""

    place: int


class _Same:
    """An object that equals itself alone, for as long as it is kept here."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class _Options(NamedTuple):
    """Keyword arguments in a form that compares by value."""

    names: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def of(cls, options: dict[str, Any]) -> "_Options":
        return cls(tuple(options), tuple(options.values()))

    def as_dict(self) -> dict[str, Any]:
        return dict(zip(self.names, self.values, strict=True))


class _Walk:
    """Takes values apart; an array met twice is one leaf.

    Args:
        token: what two walks share that are to give equal parts of things that cannot be compared.

    Attributes:
        leaves: the arrays met so far.
        met_functions: whether one of the functions met may differ from an equal one by more than
            its identity.
        is_comparable: whether all that was met can be compared.
    """

    def __init__(self, token: object) -> None:
        self._token = token
        self.leaves: list[Any] = []
        self.met_functions = False
        self.is_comparable = True
        self._parts: dict[tuple[int, int], tuple[Any, _Part | None]] = {}

    def part(self, value: Any, arrays: tuple[type, ...]) -> _Part:
        """The parts of a value.

        Args:
            value: anything.
            arrays: the types of arrays that are leaves here.
        """
        place = id(value), 0 if isinstance(value, Array) else len(arrays)
        if place in self._parts:
            part = self._parts[place][1]
            return _constant(_Same(value), value) if part is None else part  # None: it holds itself
        self._parts[place] = value, None
        part = self._take_apart(value, arrays)
        self._parts[place] = value, part  # kept, so that no other value takes its id
        return part

    def _take_apart(self, value: Any, arrays: tuple[type, ...]) -> _Part:
        if isinstance(value, arrays):
            self.leaves.append(value)
            return _Part(_Leaf(len(self.leaves) - 1), (), _nothing, has_leaves=True)
        if isinstance(value, Parted) and value.original is not None:
            return self.part(value.original, arrays)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            if not is_ours(value.__func__):
                return self._foreign(value)
            return self._joined(
                "method", (value.__func__, _Holder(value.__self__)), MethodType, value, (Array,)
            )
        if isinstance(value, functools.partial):
            held = (value.func, value.args, _Options.of(value.keywords))
            inner = (Array, np.ndarray) if isinstance(value, Partial) else (Array,)
            return self._joined(
                ("partial", type(value)),
                held,
                functools.partial(_partial, type(value)),
                value,
                inner,
            )
        if isinstance(value, _Holder):
            held = value.value
            return (
                self._object(held)
                if _is_leaf(held) and not isinstance(held, Array)
                else self.part(held, (Array,))
            )
        if not _is_leaf(value):
            return self._tree(value, arrays)
        if is_dataclass(value) and not isinstance(value, type) and is_ours(type(value)):
            return self._object(value)
        if _is_static(value):
            return self._tree(value, arrays)
        return self._foreign(value)

    def _foreign(self, value: Any) -> _Part:
        """A value that stays whole, equal to another one of the same fingerprint.

        Without a fingerprint it is equal only in walks of the same token.
        """
        self.met_functions |= callable(value)
        lengths: dict[int, int] = {}
        key = fingerprint(value, lengths=lengths)
        if key is None:
            self.is_comparable = False
            return _constant((_Same(self._token), _Same(value)), value)
        key = before_changes(key)
        return replace(
            _constant(key, value), reading=(key, lengths) if callable(value) and lengths else None
        )

    def _tree(self, value: Any, arrays: tuple[type, ...]) -> _Part:
        """A pytree by its children.

        Plain containers may hold anything: of these only the next children are taken apart here.
        """
        plain = isinstance(value, (tuple, list, dict))
        apart = object if plain else functools.partial
        leaves, structure = jax.tree.flatten(
            value, is_leaf=lambda x: x is not value and isinstance(x, apart)
        )
        make = functools.partial(_unflatten, structure)
        part = self._joined(
            ("tree", structure),
            tuple(leaves),
            make,
            value,
            arrays if plain else (Array, np.ndarray),
        )
        if part.has_leaves and not plain:
            return replace(part, is_model=True)
        # A list without arrays may be one that the function writes to.
        return (
            part
            if part.has_leaves or not isinstance(value, (list, dict))
            else _constant(_Same(value), value)
        )

    def _joined(
        self,
        kind: Hashable,
        held: tuple[Any, ...],
        make: Callable[..., Any],
        original: Any,
        arrays: tuple[type, ...],
    ) -> _Part:
        """A value made of others; without an array in it, it stays as it is."""
        children = tuple(self.part(child, arrays) for child in held)
        if not any(child.has_leaves for child in children):
            return _Part(kind, children, lambda *_: original, has_leaves=False)
        return _Part(kind, children, make, has_leaves=True)

    def _function(self, function: FunctionType) -> _Part:
        if not is_ours(function):
            return self._foreign(function)
        try:
            held = tuple(cell.cell_contents for cell in function.__closure__ or ())
        except ValueError:  # a cell that is filled later
            return self._foreign(function)
        self.met_functions |= bool(held or function.__defaults__ or function.__kwdefaults__)
        defaults = (function.__defaults__, _Options.of(function.__kwdefaults__ or {}))
        make = functools.partial(_rebuilt, function.__code__, function.__globals__)
        return self._joined(
            ("function", _Same(function.__code__)), (held, defaults), make, function, (Array,)
        )

    def _object(self, value: Any) -> _Part:
        """An instance of a class of this library by its attributes."""
        attributes = getattr(value, "__dict__", None)
        if not is_ours(type(value)) or not isinstance(attributes, dict):
            return self._foreign(value)
        kind, names = type(value), tuple(attributes)
        make = functools.partial(_instance, kind, names)
        return self._joined(
            ("object", kind, names), tuple(attributes.values()), make, value, (Array,)
        )


class _Holder(NamedTuple):
    """The instance whose method is called, which is looked into whatever it is."""

    value: Any


def _constant(key: Hashable, value: Any) -> _Part:
    return _Part(("constant", key), (), lambda: value, has_leaves=False)


def _is_static(value: Any) -> bool:
    """Whether a value is a pytree without leaves (``register_static``); its class compares it."""
    plain = isinstance(value, (tuple, list, dict, type(None)))
    return not plain and not jax.tree.leaves(value)


def _is_leaf(value: Any) -> bool:
    """Whether a value is no pytree: an array, or what JAX cannot look into."""
    try:
        structure = jax.tree.structure(value, is_leaf=lambda x: x is not value)
    except (TypeError, ValueError):  # a dictionary whose keys have no order
        return True
    return jax.tree_util.treedef_is_leaf(structure)


def _nothing() -> None:
    """A leaf is put together by whoever holds the leaves."""


def _bind(
    function: Callable[..., Any], args: tuple[Any, ...], options: _Options
) -> Callable[[], Any]:
    return functools.partial(function, *args, **options.as_dict())


def _unflatten(structure: Any, *leaves: Any) -> Any:
    return structure.unflatten(leaves)


def _partial(
    kind: type[functools.partial[Any]], function: Any, args: tuple[Any, ...], options: _Options
) -> Any:
    return kind(function, *args, **options.as_dict())


def _instance(kind: type, names: tuple[str, ...], *attributes: Any) -> Any:
    instance: Any = object.__new__(kind)
    instance.__dict__.update(zip(names, attributes, strict=True))
    return instance


def _rebuilt(
    code: CodeType, known: dict[str, Any], held: tuple[Any, ...], defaults: tuple[Any, _Options]
) -> FunctionType:
    """The function of this code with other contents of its closure and other defaults."""
    function = FunctionType(code, known, code.co_name, defaults[0], tuple(map(CellType, held)))
    function.__kwdefaults__ = defaults[1].as_dict()
    return function
