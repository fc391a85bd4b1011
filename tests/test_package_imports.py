"""Imports across packages go through the package's face, its ``__init__``.

A face is the list of the names that a package gives to others. Where it exports a name, modules of
other packages import the name from it, and not from the module behind it.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cfx_jax", "trainers", "experiments", "benchmarks")

PAST_THE_FACE: dict[tuple[str, str], str] = {}
"""For a file and a module that it imports past the face, the reason why."""


@cache
def exports(package):
    """For each name that a package's ``__init__`` exports, the module that it imports it from."""
    face = ROOT.joinpath(*package.split("."), "__init__.py")
    if not face.exists():
        return {}
    imports = [node for node in ast.parse(face.read_text()).body if type(node) is ast.ImportFrom]
    return {
        alias.asname: imported_module(node, package)
        for node in imports
        for alias in node.names
        if alias.asname
    }


def imported_module(node, package):
    """The full name of the module that an import in a package names."""
    if not node.level:
        return node.module
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def home(module, name):
    """The module behind all faces: two modules may have a name in common."""
    while name in exports(module):
        module = exports(module)[name]
    return module


def faces_between(importer, module):
    """The packages of a module that the importing package does not lie in, the outermost first."""
    parts = module.split(".")
    packages = [".".join(parts[:depth]) for depth in range(1, len(parts))]
    return [face for face in packages if not f"{importer}.".startswith(f"{face}.")]


def name_is_exported(face, module, name):
    return name in exports(face) and home(face, name) == home(module, name)


def imports_past_a_face(path):
    name = str(path.relative_to(ROOT))
    importer = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = imported_module(node, importer)
        if module.split(".")[0] not in PACKAGES or (name, module) in PAST_THE_FACE:
            continue
        for alias in node.names:
            for face in faces_between(importer, module):
                if name_is_exported(face, module, alias.name):
                    yield f"{name}:{node.lineno}: import {alias.name} from {face}"
                    break


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_across_packages_go_through_the_face(package):
    wrong = [
        line
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in imports_past_a_face(path)
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_by_relative_names_are_looked_at_too():
    node = ast.parse("from ..shared.trainer import train").body[0]
    assert imported_module(node, "trainers.other") == "trainers.shared.trainer"
    assert imported_module(ast.parse("from . import train").body[0], "trainers") == "trainers"
    assert home("trainers", "train") == "trainers.shared.trainer"


def test_a_face_holds_a_docstring_and_exports_alone():
    for face in sorted((ROOT / "cfx_jax").rglob("*/__init__.py")):
        documentation, *rest = ast.parse(face.read_text()).body
        assert isinstance(documentation, ast.Expr), face
        imports = [node for node in rest if isinstance(node, ast.ImportFrom)]
        names = [alias for node in imports for alias in node.names]
        assert all(alias.asname in (alias.name, "_public") for alias in names), face
        listed = rest[len(imports) :]
        assert [ast.unparse(node) for node in listed] in (
            [],
            ["__all__, __dir__ = _public(globals())"],
        ), face


def test_every_exception_has_its_place():
    for name, module in PAST_THE_FACE:
        assert f"from {module} import" in (ROOT / name).read_text(), (name, module)
