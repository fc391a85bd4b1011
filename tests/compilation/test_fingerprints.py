"""What a callable can read decides whether it shares a program: a call gives what the function
gives now.
"""

import functools
import random
import weakref
from collections import OrderedDict, defaultdict
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.compilation import compiled
from cfx_jax.compilation.fingerprints import fingerprint

X = jnp.arange(4.0).reshape(2, 2, 1) / 4
FACTOR: Any = 1.0


class Scaled:
    """A classifier of a user's own."""

    default = 1.0

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def times(self, x):
        return x * self.factor * self.default

    def __call__(self, x):
        return self.times(x)


class Slotted:
    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


def reads_global(x):
    return x * FACTOR


def recursive(x, depth=2):
    return recursive(x * FACTOR, depth - 1) if depth else x


def decorated(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x)

    return wrapper


def held_and_changed():
    """For each way of holding a number: a function that reads it, and one that sets it to 2."""
    held: Any = SimpleNamespace(factor=1.0)
    mapping, items, large = {"factor": 1.0}, [1.0], np.ones((200, 200))
    default, ordered = defaultdict(float, factor=1.0), OrderedDict(factor=1.0)
    instance, nested, kind = Scaled(1.0), Scaled(Scaled(1.0)), type("Kind", (Scaled,), {})
    with_class, slotted, holder = (
        kind(1.0),
        Slotted(1.0),
        SimpleNamespace(model=nnx.Linear(1, 1, rngs=nnx.Rngs(0))),
    )
    model, referring, numbers = (
        nnx.Linear(1, 1, rngs=nnx.Rngs(0)),
        weakref.ref(instance),
        iter(range(9)),
    )

    def attributed(x):
        return x * attributed.factor

    attributed.factor = 1.0

    ruled = jax.custom_jvp(lambda x: x * mapping["factor"])
    ruled.defjvps(lambda tangent, answer, x: tangent)

    module = ModuleType("settings")
    module.unit = 1.0  # type: ignore[attr-defined]
    module.factor = 1.0  # type: ignore[attr-defined]

    def change_global():
        globals()["FACTOR"] = 2.0

    def change_weights(linear):
        linear.kernel[...] = linear.kernel[...] + 1

    return {
        "attribute of a namespace": (
            lambda x: x * held.factor,
            lambda: setattr(held, "factor", 2.0),
        ),
        "dictionary": (lambda x: x * mapping["factor"], lambda: mapping.update(factor=2.0)),
        "list": (lambda x: x * items[0], lambda: items.__setitem__(0, 2.0)),
        "default dictionary": (lambda x: x * default["factor"], lambda: default.update(factor=2.0)),
        "ordered dictionary": (lambda x: x * ordered["factor"], lambda: ordered.update(factor=2.0)),
        "large array of NumPy": (lambda x: x * large[0, 0], lambda: large.fill(2)),
        "global": (reads_global, change_global),
        "global of a recursive function": (recursive, change_global),
        "global behind a decorator": (decorated(reads_global), change_global),
        "global behind a partial": (
            functools.partial(lambda f, x: f(x), reads_global),
            change_global,
        ),
        "attribute of an instance": (instance, lambda: setattr(instance, "factor", 2.0)),
        "attribute of a nested instance": (
            lambda x: nested.factor(x),
            lambda: setattr(nested.factor, "factor", 2.0),
        ),
        "attribute of a class": (with_class, lambda: setattr(kind, "default", 2.0)),
        "method of a class": (with_class, lambda: setattr(kind, "times", lambda self, x: 5 * x)),
        "bound method": (instance.times, lambda: setattr(instance, "factor", 2.0)),
        "attribute of a module": (
            lambda x: x * module.factor,
            lambda: setattr(module, "factor", 2.0),
        ),
        "a further attribute of a module": (
            lambda x: x * (lambda: module.unit)() * (lambda: module.factor)(),
            lambda: setattr(module, "factor", 2.0),
        ),
        "slot": (slotted, lambda: setattr(slotted, "factor", 2.0)),
        "attribute of a function": (attributed, lambda: setattr(attributed, "factor", 2.0)),
        "weights": (lambda x: model(x), lambda: change_weights(model)),
        "weights in a namespace": (lambda x: holder.model(x), lambda: change_weights(holder.model)),
        "another model": (
            lambda x: holder.model(x),
            lambda: setattr(holder, "model", nnx.Linear(1, 1, rngs=nnx.Rngs(1))),
        ),
        "weak reference": (
            lambda x: x * referring().factor,
            lambda: setattr(instance, "factor", 2.0),
        ),
        "jax.custom_jvp": (ruled, lambda: mapping.update(factor=2.0)),
        "numbers from a generator": (lambda x: x + 0 * next(numbers), lambda: None),
    }


@pytest.mark.parametrize("name", held_and_changed())
def test_what_has_changed_is_seen(name, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 1.0)
    function, change = held_and_changed()[name]
    before = compiled(function, X)
    change()
    np.testing.assert_allclose(compiled(function, X), function(X), rtol=1e-6)
    assert name.startswith("numbers") or not np.allclose(before, function(X))


def test_equal_contents_have_equal_fingerprints():
    weights, model = jnp.ones((64, 64)), nnx.BatchNorm(3, rngs=nnx.Rngs(0))

    def made(factor, names=("a", "b")):
        table = {"one": [1, 2.0, None], "two": {3, 4}}
        return lambda x: (
            x * factor,
            weights,
            model,
            table,
            np.eye(2),
            names,
            Scaled(factor),
            Slotted(factor),
        )

    assert fingerprint(made(2)) == fingerprint(made(2))
    for other in (made(3), made(2.0), made(True), made(2, names=("a",)), lambda x: x):
        assert fingerprint(made(2)) != fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        (np.float32(0), np.float32(-0.0)),
        (0j, -0j),
        ((1, 2), [1, 2]),
        ("1", 1),
        (np.ones(2), np.ones(2, np.float32)),
        (np.ones(1), np.float64(1)),
        (jnp.ones(1), np.ones(1, np.float32)),
        (frozenset({1}), frozenset({1.0})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (jnp.float32(1), jnp.asarray(1.0)),
        (range(2), range(3)),
        (Scaled(1), Slotted(1)),
        (slice(1), slice(2)),
    ],
)
def test_different_values_are_never_taken_for_equal(one, other):
    prints = fingerprint(one), fingerprint(other)
    assert prints[0] != prints[1] or prints == (None, None)


def test_what_cannot_be_compared_has_no_fingerprint():
    class Counter(dict):
        pass

    numbers = np.random.default_rng(0)
    for value in (
        numbers,
        random.Random(0),
        iter([1]),
        np.ma.masked_array([1]),
        np.asarray([object()]),
        lambda x: next(numbers),
    ):
        assert fingerprint(value) is None
    assert fingerprint(Counter(a=1)) == fingerprint(Counter(a=1)) != fingerprint(Counter(a=2))


def test_arrays_being_traced_have_no_fingerprint():
    seen = []

    def loss(weight):
        seen.append(fingerprint(lambda x: x * weight))
        return compiled(lambda x: (x * weight) ** 2, X).sum()

    for weight in (1.0, 3.0):
        np.testing.assert_allclose(jax.grad(loss)(weight), 2 * weight * (X**2).sum(), rtol=1e-6)
        np.testing.assert_allclose(jax.jit(loss)(weight), (weight * X**2 * weight).sum(), rtol=1e-6)
    assert seen == [None] * len(seen)


def test_what_holds_itself_is_read_to_its_end():
    instance = Scaled(2.0)
    instance.me = instance
    loop: list[Any] = [1]
    loop.append(loop)
    assert fingerprint(instance) == fingerprint(instance) and fingerprint(loop) == fingerprint(loop)
    assert fingerprint(lambda x: loop) != fingerprint(lambda x: loop[0])


def test_a_callable_that_changes_what_it_holds_while_it_is_traced_shares_its_program():
    traced: list[int] = []

    def counted(x):
        traced.append(1)
        return 2 * x

    for _ in range(4):
        np.testing.assert_array_equal(compiled(counted, X), 2 * X)
    assert len(traced) == 1


def test_arrays_that_a_function_holds_are_no_constants_of_its_program():
    from cfx_jax.compilation import programs

    weights = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4000)), jnp.float32)
    np.testing.assert_allclose(
        compiled(lambda x: x.reshape(-1) @ weights, X), X.reshape(-1) @ weights, rtol=1e-5
    )
    program = next(reversed(programs._programs.values()))
    assert [constant.shape for constant in program.constants] == [weights.shape]
    assert len(program.run.lower(program.constants, [X]).as_text()) < 4000


def test_a_state_that_a_trace_flips_is_no_record(monkeypatch):
    class Lazy:
        def __init__(self) -> None:
            self.training, self.calls = True, []

        def __call__(self, x):
            self.calls.append(1)
            result = x * (5 if self.training else 1)
            self.training = False
            return result

    lazy = Lazy()
    np.testing.assert_allclose([compiled(lazy, X) for _ in range(3)], [5 * X, X, X])
    assert len(lazy.calls) == 2


def test_small_arrays_that_are_given_away_are_not_missed():
    held = {"bias": jnp.ones(2)}

    def function(x):
        return x + held["bias"].sum()

    before = compiled(function, X)
    held["bias"] = jax.jit(lambda bias: bias * 1, donate_argnums=0)(held["bias"])
    np.testing.assert_array_equal(compiled(function, X), before)


def test_what_changes_a_trace_belongs_to_the_program():
    def function(x):
        return jnp.dot(x[..., 0], x[..., 0])

    from cfx_jax.compilation import programs

    before = len(programs._programs)
    compiled(function, X)
    with jax.default_matmul_precision("highest"):
        compiled(function, X)
    assert len(programs._programs) == before + 2


def test_objects_that_raise_when_they_are_looked_at_have_no_fingerprint():
    class Settings(dict):
        __getattr__ = dict.__getitem__

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

        def __hash__(self) -> int:
            return 1

    assert fingerprint({Broken(): 1, "set": {Broken()}}) is None
    settings = Settings(factor=2.0)
    np.testing.assert_allclose(compiled(lambda x: x * settings.factor, X), 2 * X)
    settings["factor"] = 3.0
    np.testing.assert_allclose(compiled(lambda x: x * settings.factor, X), 3 * X)


def test_a_function_that_poses_as_an_installed_one_is_read(monkeypatch):
    @functools.wraps(jnp.sum)
    def total(x):
        return jnp.sum(x) * FACTOR

    for factor in (1.0, 2.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        np.testing.assert_allclose(compiled(total, X), factor * X.sum())


def test_models_of_a_class_of_ones_own_share_a_program():
    class Network(nnx.Module):
        def __init__(self) -> None:
            self.linear = nnx.Linear(1, 1, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.linear(x)

    network = Network()
    assert fingerprint(lambda x: network(x)) is not None
