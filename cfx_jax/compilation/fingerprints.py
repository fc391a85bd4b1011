"""One hash of all that a callable can read: equal hashes give the same program.

``jax.jit`` tells functions apart by their identity. One that is made anew for each image would
compile anew for each image, and one that reads something that has changed since would give what it
gave before. A fingerprint is of the code of a callable and of all that it can read: closures,
defaults, globals, attributes, and what these hold in turn. Numbers, texts and small arrays are
compared by value, large arrays of JAX, which cannot change, by identity. Where something cannot be
compared (a generator, a tensor of another library), there is no fingerprint, and no program is
shared.
"""

import enum
import functools
import hashlib
import sys
import sysconfig
import weakref
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import jax
import numpy as np
from jax import Array

from cfx_jax.compilation.code_names import attribute_names, global_names, imported_names

_READ_BYTES = 2**26
"""Larger NumPy arrays have no fingerprint: reading them at each call would cost more than it
spares.
"""
_SMALL_BYTES = 1024
"""JAX arrays up to this size are compared by value, larger ones by identity: they cannot change."""
_MOST_VALUES = 50_000
_PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    tuple,
    list,
    dict,
    set,
    frozenset,
    np.generic,
    np.ndarray,
    Array,
)
_HEAP_TYPE = 1 << 9  # the flag of classes that are made by a program, rather than in C
_CONTAINERS = (tuple, list, set, frozenset, dict, OrderedDict, defaultdict)
_OF_CLASSES = {
    "__dict__",
    "__weakref__",
    "__doc__",
    "__module__",
    "__annotations__",
    "__qualname__",
    "__slots__",
    "_abc_impl",
}
_STDLIB = tuple(filter(None, map(sysconfig.get_path, ("stdlib", "platstdlib"))))
_LRU_CACHE = type(functools.lru_cache(int))
_FIELD_OF_NAMEDTUPLE = type(namedtuple("_Fields", "one").one)  # type: ignore[attr-defined]


class Fingerprint:
    """A hash of all that is compared by value, and the objects that are compared by identity.

    It keeps these objects alive.
    """

    def __init__(self, digest: bytes, objects: tuple[Any, ...]) -> None:
        self._digest, self._objects = digest, objects

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint) or self._digest != other._digest:
            return False
        same = len(self._objects) == len(other._objects)
        return same and all(
            one is two for one, two in zip(self._objects, other._objects, strict=True)
        )

    def __hash__(self) -> int:
        return hash(self._digest)


class _Unknown(Exception):
    """Something was met that cannot be compared."""


def fingerprint(value: Any, *, lengths: dict[int, int] | None = None) -> Fingerprint | None:
    """The fingerprint of a callable or of any other value.

    It is None where the value holds something that cannot be compared.

    Args:
        value: anything. It is looked at as it is now.
        lengths: for each list, by its identity, how many of its items are read. Other lists are
            added to it.

    >>> def multiplied(factor):
    ...     return lambda x: factor * x
    >>> fingerprint(multiplied(2)) == fingerprint(multiplied(2))
    True
    >>> fingerprint(multiplied(2)) == fingerprint(multiplied(3))
    False
    """
    reader = _Reader({} if lengths is None else lengths)
    try:
        reader.read(value)
    except (
        Exception
    ):  # of the objects' own code too, which may raise anything when they are looked at
        return None
    return reader.fingerprint()


class _Reader:
    """Reads values into a hash; what is met again is named by its number, so that cycles end."""

    def __init__(self, lengths: dict[int, int]) -> None:
        self._lengths, self._count = lengths, 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._objects: list[Any] = []
        self._modules: set[tuple[ModuleType, CodeType]] = set()
        self._met: dict[
            int, tuple[int, Any]
        ] = {}  # the values are kept, so that no other one takes their id

    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self._hash.digest(), tuple(self._objects))

    def read(self, value: Any) -> None:
        """Reads a value of any kind.

        Raises:
            _Unknown: it cannot be compared, or there are too many.
        """
        self._count += 1
        if self._count > _MOST_VALUES:
            raise _Unknown
        if value is None or value is Ellipsis or type(value) in (bool, int, str, bytes, range):
            self._write(type(value).__name__, repr(value))
            return
        if type(value) in (float, complex):
            parts = (value,) if isinstance(value, float) else (value.real, value.imag)
            self._write(type(value).__name__, *(part.hex() for part in parts))
            return
        if id(value) in self._met:
            self._write("again", self._met[id(value)][0])
            return
        self._met[id(value)] = len(self._met), value
        if isinstance(value, Array | np.ndarray | np.generic):
            self._array(value)
        elif _is_immutable(value):
            self._same(value)
        elif isinstance(value, _CONTAINERS):
            self._container(value)
        else:
            self._object(value)

    def _object(self, value: Any) -> None:
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._all("method", value.__func__, value.__self__)
        elif isinstance(value, functools.partial):
            self._all("partial", type(value), value.func, value.args, value.keywords, vars(value))
        elif isinstance(value, MappingProxyType):
            self._all("mapping", dict(value))
        elif isinstance(value, weakref.ReferenceType):
            self._all("reference", value())
        elif isinstance(value, property | staticmethod | classmethod):
            parts = (value.fget, value.fset) if isinstance(value, property) else (value.__func__,)
            self._all(type(value).__name__, *parts)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, slice):
            self._all("slice", value.start, value.stop, value.step)
        elif isinstance(value, _LRU_CACHE):
            self._all("cached", value.__wrapped__)
        else:
            self._all("instance", type(value), dict(_attributes(value)))

    def _array(self, value: Any) -> None:
        if isinstance(value, jax.core.Tracer) or (
            isinstance(value, np.ndarray) and type(value) is not np.ndarray
        ):
            raise _Unknown  # a matrix or a masked array computes in its own way
        if isinstance(value, Array):
            is_key = jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended)
            if (
                is_key
                or value.nbytes > _SMALL_BYTES
                or value.is_deleted()
                or not value.is_fully_addressable
            ):
                self._same(value)
                return
            self._write("jax", value.weak_type, str(value.sharding))
        array = np.asarray(value)
        if array.dtype.hasobject or array.nbytes > _READ_BYTES:
            raise _Unknown
        self._write(
            "array", isinstance(value, np.ndarray), array.dtype.str, str(array.dtype), array.shape
        )
        self._hash.update(np.ascontiguousarray(array).tobytes())

    def _container(self, value: Any) -> None:
        if isinstance(value, defaultdict):
            self._all("default", value.default_factory)
        if type(value) not in _CONTAINERS and not hasattr(type(value), "_fields"):
            self._all("subclass", type(value), dict(_attributes(value)))
        if isinstance(value, set | frozenset):
            items = sorted(value, key=lambda item: (type(item).__name__, repr(item)))
        else:
            items = (
                [part for item in value.items() for part in item]
                if isinstance(value, dict)
                else list(value)
            )
        if isinstance(value, list):
            items = items[: self._lengths.setdefault(id(value), len(items))]
        self._write("container", len(items))
        self._all("items", type(value), *items)

    def _function(self, function: FunctionType) -> None:
        code, known = function.__code__, function.__globals__
        self._all("function", code, function.__defaults__, function.__kwdefaults__, vars(function))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                contents = cell.cell_contents
            except ValueError:  # filled later
                self._write("empty", name)
                continue
            self._named(f"outer {name}", contents, code)
        if _is_installed(known.get("__name__", "")):
            return
        for name in global_names(code):
            if name in known:
                self._named(f"global {name}", known[name], code)
        for name in imported_names(code):
            if name in sys.modules:
                self._named(f"import {name}", sys.modules[name], code)

    def _named(self, name: str, value: Any, code: CodeType) -> None:
        """A value that some code knows by a name; of a module, what the code may read of it."""
        if not isinstance(value, ModuleType) or _is_installed(value.__name__):
            self._all(name, value)
        elif (value, code) not in self._modules:
            self._modules.add((value, code))
            plain = [
                part
                for part, held in vars(value).items()
                if isinstance(held, _PLAIN) and part[:2] != "__"
            ]
            for part in dict.fromkeys([*plain, *attribute_names(code)]):
                if part in vars(value):
                    self._named(f"{name}.{part}", vars(value)[part], code)

    def _class(self, kind: type) -> None:
        self._write("class", kind.__module__, kind.__qualname__)
        self._same(kind)
        for base in kind.__mro__:
            if _is_installed(base.__module__):
                continue
            for name, value in vars(base).items():
                if name not in _OF_CLASSES and not isinstance(
                    value, MemberDescriptorType | GetSetDescriptorType
                ):
                    self._all(f"member {name}", value)

    def _all(self, kind: str, *values: Any) -> None:
        self._write(kind, len(values))
        for value in values:
            self.read(value)

    def _same(self, value: Any) -> None:
        self._write("same", len(self._objects))
        self._objects.append(value)

    def _write(self, *parts: Any) -> None:
        self._hash.update(repr(parts).encode())


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an instance of a class that keeps all that it has in attributes.

    Raises:
        _Unknown: it may have more, in C.
    """
    kind = type(value)
    known = (object, SimpleNamespace, *_CONTAINERS)
    if not all(base in known or _is_made_in_python(base) for base in kind.__mro__):
        raise _Unknown
    slots = [
        (f"{base.__qualname__}.{name}", member)
        for base in kind.__mro__
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    ]
    if kind.__dictoffset__:
        yield from object.__getattribute__(value, "__dict__").items()
    elif (
        not slots
        and kind.__basicsize__ > object.__basicsize__
        and not issubclass(kind, _CONTAINERS)
    ):
        raise _Unknown  # such as operator.itemgetter, which is made in C though its module is not
    for name, member in slots:
        try:
            yield name, member.__get__(value)
        except AttributeError:
            continue


def _is_made_in_python(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    in_c = kind.__module__ in sys.builtin_module_names or file.endswith((".so", ".pyd"))
    return bool(kind.__flags__ & _HEAP_TYPE) and not in_c


def _is_immutable(value: Any) -> bool:
    """Whether a value does not change while a program runs, or JAX compares it by identity."""
    if isinstance(value, ModuleType):
        return _is_installed(value.__name__)
    if isinstance(value, type):
        return _is_installed(value.__module__)
    if isinstance(value, BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, ModuleType | type)
    if isinstance(value, FunctionType):
        plain = not (value.__closure__ or value.__defaults__ or value.__kwdefaults__ or vars(value))
        return plain and _is_installed(value.__globals__.get("__name__", ""))
    jitted = type(value).__module__.partition(".")[0] == "jaxlib"
    return jitted or isinstance(
        value, CodeType | np.dtype | np.ufunc | enum.Enum | _FIELD_OF_NAMEDTUPLE
    )


@functools.lru_cache(maxsize=4096)
def _is_installed(module: str) -> bool:
    """Whether a module is of Python or of an installed package.

    In these no name gets another meaning while a program runs.
    """
    package = module.partition(".")[0]
    if package == "cfx_jax" or package in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file or file.startswith(_STDLIB)
