"""Callables as arguments of jitted functions, so that equal ones share a compiled program.

``jax.jit`` knows a function by its identity: one that is made anew for each image compiles anew for each image. Here a
callable is taken apart into the arrays that it holds, which are data, and all else, which is compared by value: its code,
its numbers, what it calls. Two callables made by the same code then share a program, and weights that change are seen.
"""

import dis
import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, is_dataclass, replace
from types import CellType, CodeType, FunctionType, MethodType, SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.tree_util import Partial

from cfx_jax.errors import InputError

_FIXED_CLASSES = frozenset({"builtins", "functools", "jax", "jaxlib", "numpy", "flax", "optax"})
_FIXED_GLOBALS = _FIXED_CLASSES | {"cfx_jax"}
"""Packages in which no name is given another meaning while a program runs."""
_COMPARED_BYTES = 65536
"""Larger NumPy arrays than this are compared by identity."""
_NEED_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


class SideEffectError(InputError):
    """A call of a callable has changed the arrays that it holds."""


def as_pytree(classifier: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that can pass through ``jax.jit`` as an argument.

    Args:
        classifier: any callable. One that is a pytree of arrays already (``models.per_image(model)``, ``Partial``) is
            returned as it is. Of a plain function the JAX arrays, and the models and other pytrees of them, that it closes
            over, reads as globals, or has as attributes of its instance, become leaves. All else is compiled in, also
            NumPy arrays and what it reads by way of a module.

    Returns:
        The same callable as a pytree. Two of one code, with equal contents but for the leaves, have one structure.
    """
    if _is_pytree(classifier):
        walk = _Walk()
        walk.part(classifier, (Array, np.ndarray))
        if not walk.met_functions:
            return classifier
    return Parted(classifier)


def arguments(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> "Parted":
    """A call as one pytree without arguments: NumPy arrays in ``args`` are data, Python numbers are not.

    Args:
        function: what is to be called.
        args: its arguments.
        options: its options, compared by value.
    """
    walk = _Walk()
    parts = (
        walk.part(function, (Array,)),
        walk.part(args, (Array, np.ndarray)),
        walk.part(_Options.of(options), (Array,)),
    )
    asked = _Part("call", parts, _bind, has_leaves=any(part.has_leaves for part in parts))
    return Parted(None, (tuple(walk.leaves), asked))


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


def shape_of(function: Callable[..., Any], *examples: Any) -> Any:
    """The shapes and dtypes of what a function gives, found without computing it; a function is traced once.

    Args:
        function: any callable of arrays.
        examples: its arguments, or anything of their shapes and dtypes.
    """
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), examples)
    try:
        return _apply.eval_shape(as_pytree(function), *shapes)
    except _NEED_VALUES:
        return jax.eval_shape(lambda *given: function(*given), *shapes)


def needs_values(error: BaseException | None) -> bool:
    """Whether a function failed since it asks for the values of arrays that it holds, as in ``float(threshold)``."""
    return isinstance(error, _NEED_VALUES) or (error is not None and needs_values(error.__cause__))


def compiled_in(tree: Any) -> Any:
    """The same pytree, whose callables from ``as_pytree`` have what they hold compiled in, so that it has values."""

    def fixed(leaf: Any) -> Any:
        return Partial(leaf.whole) if isinstance(leaf, Parted) and leaf.whole is not None else leaf

    return jax.tree.map(fixed, tree, is_leaf=lambda leaf: isinstance(leaf, Parted))


@jax.tree_util.register_pytree_node_class
class Parted:
    """A callable as a pytree whose leaves are the arrays that it holds.

    Attributes:
        whole: the callable itself, taken apart anew each time, so that what has changed in it is seen; None of one that
            was put together from ``parts``, its leaves and all else.
    """

    def __init__(self, whole: Callable[..., Any] | None, parts: "tuple[tuple[Any, ...], _Part] | None" = None) -> None:
        self.whole, self._parts = whole, parts

    def __call__(self, *args: Any, **options: Any) -> Any:
        """What the callable gives."""
        if self.whole is not None:
            return self.whole(*args, **options)
        leaves, part = self.tree_flatten()
        models: list[tuple[Any, list[Any]]] = []
        result = part.build(leaves, models)(*args, **options)
        for model, arrays in models:
            _check_unchanged(model, arrays)
        return result

    def tree_flatten(self) -> tuple[tuple[Any, ...], "_Part"]:
        """The arrays, and all else."""
        if self._parts is not None:
            return self._parts
        walk = _Walk()
        part = walk.part(self.whole, (Array,))
        return tuple(walk.leaves), part

    @classmethod
    def tree_unflatten(cls, part: "_Part", leaves: tuple[Any, ...]) -> "Parted":
        """The callable with other arrays."""
        return cls(None, (tuple(leaves), part))


@dataclass(frozen=True)
class _Part:
    """A piece of a callable: equal to another where ``kind`` and ``children`` are; ``make`` puts the children together."""

    kind: Hashable
    children: tuple["_Part", ...]
    make: Callable[..., Any] = field(compare=False)
    has_leaves: bool = field(compare=False)
    is_model: bool = field(default=False, compare=False)

    def build(self, leaves: tuple[Any, ...], models: list[tuple[Any, list[Any]]]) -> Any:
        """The piece with these arrays in it; ``models`` gets the models and the like, each with its arrays."""
        if isinstance(self.kind, _Leaf):
            return leaves[self.kind.place]
        held = [child.build(leaves, models) for child in self.children]
        value = self.make(*held)
        if self.is_model:
            models.append((value, held))
        return value


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

    Attributes:
        leaves: the arrays met so far.
        met_functions: whether one of the functions met may differ from an equal one by more than its identity.
    """

    def __init__(self) -> None:
        self.leaves: list[Any] = []
        self.met_functions = False
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
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, MethodType):
            return self._joined("method", (value.__func__, _Holder(value.__self__)), _method, value, (Array,))
        if isinstance(value, functools.partial):
            held = (value.func, value.args, _Options.of(value.keywords))
            inner = (Array, np.ndarray) if isinstance(value, Partial) else (Array,)
            return self._joined(("partial", type(value)), held, functools.partial(_partial, type(value)), value, inner)
        if isinstance(value, _Holder):
            held = value.value
            return self._object(held) if _is_leaf(held) and not isinstance(held, Array) else self.part(held, (Array,))
        if not _is_leaf(value):
            return self._tree(value, arrays)
        if callable(value) or isinstance(value, SimpleNamespace) or is_dataclass(value):
            return self._object(value)
        return _constant(_value_key(value), value)

    def _tree(self, value: Any, arrays: tuple[type, ...]) -> _Part:
        """A pytree by its children; of plain containers, which may hold anything, those next to it."""
        plain = isinstance(value, (tuple, list, dict))
        apart = object if plain else functools.partial
        leaves, structure = jax.tree.flatten(value, is_leaf=lambda x: x is not value and isinstance(x, apart))
        make = functools.partial(_unflatten, structure)
        part = self._joined(("tree", structure), tuple(leaves), make, value, arrays if plain else (Array, np.ndarray))
        if part.has_leaves and not plain:
            return replace(part, is_model=True)
        # A list without arrays may be one that the function writes to.
        return part if part.has_leaves or not isinstance(value, (list, dict)) else _constant(_Same(value), value)

    def _joined(
        self, kind: Hashable, held: tuple[Any, ...], make: Callable[..., Any], original: Any, arrays: tuple[type, ...]
    ) -> _Part:
        """A value made of others; without an array in it, it stays as it is."""
        children = tuple(self.part(child, arrays) for child in held)
        if not any(child.has_leaves for child in children):
            return _Part(kind, children, lambda *_: original, has_leaves=False)
        return _Part(kind, children, make, has_leaves=True)

    def _function(self, function: FunctionType) -> _Part:
        names = _names(function.__code__)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        try:
            held = tuple(cell if name in names.rebound else cell.cell_contents for name, cell in cells.items())
        except ValueError:  # a cell that is filled later
            return _constant(_Same(function), function)
        package = function.__globals__.get("__name__", "").partition(".")[0]
        known = function.__globals__ if package not in _FIXED_GLOBALS else {}
        read = {name: known[name] for name in names.read if name in known}
        defaults = (function.__defaults__, _Options.of(function.__kwdefaults__ or {}))
        self.met_functions |= bool(package not in _FIXED_GLOBALS or held or function.__defaults__)
        kind = ("function", function.__code__, _Same(function.__globals__), tuple(read))
        make = functools.partial(_rebuilt, function.__code__, function.__globals__, tuple(read))
        return self._joined(kind, (held, defaults, tuple(read.values())), make, function, (Array,))

    def _object(self, value: Any) -> _Part:
        """An instance of a plain class by its attributes; of any other, by value or identity."""
        kind = type(value)
        package = kind.__module__.partition(".")[0]
        plain = kind.__new__ is object.__new__ and package not in _FIXED_CLASSES
        attributes = getattr(value, "__dict__", None)
        if isinstance(value, type) or not isinstance(attributes, dict) or not (plain or kind is SimpleNamespace):
            return _constant(_value_key(value), value)
        make = functools.partial(_instance, kind, tuple(attributes))
        return self._joined(("object", kind, tuple(attributes)), tuple(attributes.values()), make, value, (Array,))


class _Holder(NamedTuple):
    """The instance whose method is called, which is looked into whatever it is."""

    value: Any


class _Names(NamedTuple):
    """Names in some code: of globals that it reads, of globals that it writes, of outer variables that it writes."""

    read: tuple[str, ...]
    written: frozenset[str]
    rebound: frozenset[str]


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType) -> _Names:
    inner = [_names(const) for const in code.co_consts if isinstance(const, CodeType)]
    by_kind: dict[str, list[str]] = {}
    for instruction in dis.get_instructions(code):
        by_kind.setdefault(instruction.opname, []).append(instruction.argval)
    loads = [
        name for kind in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") for name in by_kind.get(kind, ())
    ]
    written = frozenset(by_kind.get("STORE_GLOBAL", ())).union(*(names.written for names in inner))
    rebound = frozenset(by_kind.get("STORE_DEREF", ())).union(*(names.rebound for names in inner))
    read = dict.fromkeys([*loads, *(name for names in inner for name in names.read)])
    return _Names(tuple(name for name in read if name not in written), written, rebound & {*code.co_freevars})


def _constant(key: Hashable, value: Any) -> _Part:
    return _Part(("constant", key), (), lambda: value, has_leaves=False)


def _value_key(value: Any) -> Hashable:
    """What a value is compared by: itself and its type, or its identity."""
    if isinstance(value, float):
        return type(value), float(value).hex()  # tells 0.0 from -0.0, and NaN is itself
    if isinstance(value, np.ndarray) and value.nbytes <= _COMPARED_BYTES and not value.dtype.hasobject:
        return "array", value.shape, value.dtype, value.tobytes()
    try:
        hash(value)
    except Exception:
        return _Same(value)
    return type(value), value


def _is_leaf(value: Any) -> bool:
    """Whether a value is no pytree: an array, or what JAX cannot look into."""
    try:
        structure = jax.tree.structure(value, is_leaf=lambda x: x is not value)
    except (TypeError, ValueError):  # a dictionary whose keys have no order
        return True
    return jax.tree_util.treedef_is_leaf(structure)


def _is_pytree(value: Any) -> bool:
    return all(isinstance(leaf, Array) or hasattr(leaf, "__array__") for leaf in jax.tree.leaves(value))


def _check_unchanged(model: Any, arrays: list[Any]) -> None:
    """Checks that a call has not changed what a model holds: that would be lost, and each call would be the first."""
    left = jax.tree.leaves(model, is_leaf=lambda leaf: isinstance(leaf, functools.partial))
    if len(left) != len(arrays) or any(new is not old for new, old in zip(left, arrays, strict=True)):
        raise SideEffectError(
            f"{type(model).__name__}: expected a model that a call leaves as it is, got one that changes its own arrays, as"
            " dropout and batch norm in training mode do: use models.per_image, or its evaluation mode"
        )


@jax.jit
def _apply(function: Callable[..., Any], *examples: Any) -> Any:
    # Jitted here, since JAX keeps an entry for each use of jax.eval_shape itself.
    return function(*examples)


def _nothing() -> None:
    """A leaf is put together by whoever holds the leaves."""


def _bind(function: Callable[..., Any], args: tuple[Any, ...], options: _Options) -> Callable[[], Any]:
    return functools.partial(function, *args, **options.as_dict())


def _unflatten(structure: Any, *leaves: Any) -> Any:
    return structure.unflatten(leaves)


def _method(function: Callable[..., Any], instance: Any) -> MethodType:
    return MethodType(function, instance)


def _partial(kind: type[functools.partial[Any]], function: Any, args: tuple[Any, ...], options: _Options) -> Any:
    return kind(function, *args, **options.as_dict())


def _instance(kind: type, names: tuple[str, ...], *attributes: Any) -> Any:
    instance = SimpleNamespace() if kind is SimpleNamespace else object.__new__(kind)
    instance.__dict__.update(zip(names, attributes, strict=True))
    return instance


def _rebuilt(
    code: CodeType,
    known: dict[str, Any],
    names: tuple[str, ...],
    held: tuple[Any, ...],
    defaults: tuple[Any, _Options],
    values: tuple[Any, ...],
) -> FunctionType:
    """The function of this code with other contents of its closure, other defaults and other globals."""
    cells = tuple(value if isinstance(value, CellType) else CellType(value) for value in held)
    namespace = {**known, **dict(zip(names, values, strict=True))} if names else known
    function = FunctionType(code, namespace, code.co_name, defaults[0], cells)
    function.__kwdefaults__ = defaults[1].as_dict()
    return function
