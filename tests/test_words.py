"""Plain words in the three packages: what can be tested of it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cfx_jax", "trainers", "experiments")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FEWEST_WORDS = 4
NO_SUBJECT = {"What", "Those", "These", "Of", "Which", "That", "Whose", "Others"}
EMPTY_NAMES = {"each", "found", "whole"}


def documented(tree):
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        if text:
            yield getattr(node, "name", "the module"), " ".join(text.split("\n\n")[0].split())


def bound_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


@pytest.fixture(scope="module")
def trees():
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in FILES}


def test_docstrings_open_with_a_sentence_that_has_a_subject(trees):
    faults = [
        f"{path}: {name}: {text[:60]!r}"
        for path, tree in trees.items()
        for name, text in documented(tree)
        if len(text.split()) < FEWEST_WORDS or text.split()[0] in NO_SUBJECT
    ]
    assert not faults, "expected a sentence that says what is computed, got\n" + "\n".join(faults)


def test_names_are_nouns_of_the_field(trees):
    faults = [
        f"{path}:{line}: {name}"
        for path, tree in trees.items()
        for name, line in bound_names(tree)
        if name in EMPTY_NAMES
    ]
    assert not faults, "expected a noun (image, claim, scan), got\n" + "\n".join(faults)
