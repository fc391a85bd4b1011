"""The faces of packages: what is public is listed, and nothing else."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

import cfx_jax

ROOT = Path(cfx_jax.__file__).parent
FACES = [
    ".".join(path.parent.relative_to(ROOT.parent).parts)
    for path in sorted(ROOT.rglob("__init__.py"))
    if path.parent != ROOT and "\nfrom " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", FACES)
def test_a_face_lists_what_is_public(name):
    face = importlib.import_module(name)
    assert dir(face) == face.__all__
    assert face.__all__ == sorted(face.__all__) and face.__all__
    listed = [getattr(face, attribute) for attribute in face.__all__]
    assert not any(isinstance(value, ModuleType) for value in listed)
    for attribute in set(vars(face)) - set(face.__all__):
        assert attribute.startswith("_") or isinstance(vars(face)[attribute], ModuleType)


def test_all_faces_are_asked():
    assert {"cfx_jax.attributions", "cfx_jax.models.images"} <= set(FACES)
