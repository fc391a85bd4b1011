"""One default, one place: no definition repeats the default of another one."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import cfx_jax

PACKAGES = (
    "adapters",
    "attributions",
    "counterfactuals",
    "data",
    "diagnosis",
    "explain",
    "geometry",
    "losses",
    "metrics",
    "models",
    "optimise",
    "report",
    "training",
)
"""The packages that are asked: name another one to ask it of it."""

ROOT = Path(cfx_jax.__file__).parent
TRIVIAL = (None, True, False, "auto", "", ())
"""Defaults that say nothing: no option, on (1 too), off (0 too), nothing, or as it sees fit."""


def defaults_of(definition):
    """The literal defaults of a function's options, or of a class's fields, by name."""
    if isinstance(definition, ast.ClassDef):
        for part in definition.body:
            if isinstance(part, ast.AnnAssign) and part.value is not None:
                yield from literal(part.target.id, part.value)
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                yield from defaults_of(part)
        return
    arguments = definition.args
    positional = arguments.posonlyargs + arguments.args
    first = len(positional) - len(arguments.defaults)
    for argument, value in zip(positional[first:], arguments.defaults, strict=True):
        yield from literal(argument.arg, value)
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            yield from literal(argument.arg, value)


def literal(name, node):
    try:
        value = ast.literal_eval(node)
    except ValueError:  # a name, such as the one place where a default is
        return
    if value not in TRIVIAL:
        yield name, value


def repeats(source):
    """The definitions of a module that give an option of one name the same literal default."""
    places = defaultdict(list)
    for node in definitions(source):
        for name, value in defaults_of(node):
            places[name, repr(value)].append(node.name)
    return {option: names for option, names in places.items() if len(names) > 1}


def repeats_by_callees(sources):
    """The options with a default that a function hands on to one that has a default for it too."""
    nodes = [node for source in sources for node in definitions(source)]
    known = {node.name: dict(defaults_of(node)) for node in nodes}
    for node in nodes:
        for call in ast.walk(node):
            callee = getattr(getattr(call, "func", None), "id", None)
            for keyword in call.keywords if callee in known else ():
                is_handed_on = getattr(keyword.value, "id", None) in known[node.name]
                if is_handed_on and keyword.arg in known[callee]:
                    yield node.name, callee, keyword.arg


def definitions(source):
    kinds = ast.FunctionDef | ast.ClassDef
    return [node for node in ast.parse(source).body if isinstance(node, kinds)]


PATHS = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_default_stands_in_one_place(package):
    for path in (ROOT / package).rglob("*.py"):
        repeated = repeats(path.read_text(encoding="utf-8"))
        assert not repeated, f"{path.relative_to(ROOT)}: {repeated}"


def test_a_default_is_not_repeated_where_it_is_handed_on():
    sources = [path.read_text(encoding="utf-8") for path in PATHS]
    assert not list(repeats_by_callees(sources))


def test_repeats_are_found():
    source = """
class Problem:
    num_steps: int = 75
    method: str = "auto"

def solve(x, *, num_steps: int = 75, method: str = "auto", weight: float = 2.0):
    return search(x, weight=weight)

def solve_all(x, *, num_steps: int = Problem.num_steps, weight: float = 3.0): ...

def search(x, *, weight: float = 4.0): ...
"""
    assert repeats(source) == {("num_steps", "75"): ["Problem", "solve"]}
    assert list(repeats_by_callees([source])) == [("solve", "search", "weight")]
