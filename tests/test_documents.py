"""The documents are right: their blocks run, and what they name exists.

Every Python block of the README and of the guides is run as it stands, block after block of one
document in one namespace. One that cannot be has the comment ``<!-- not run: REASON -->`` before
it; of such a block the syntax and the imports are checked.
"""

import ast
import importlib
import importlib.util
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
import tyro

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *PAGES]
RUN = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
COMPILING = ("generators.md", "README.md", "your-model.md")  # for long
WIDTH = 100
OURS = ("cfx_jax", "trainers", "experiments", "benchmarks", "tests", "docs", ".ci")
"""Folders of which every path that a document names has to exist."""

_NOT_RUN = re.compile(r"<!-- not run: .+ -->")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MODULE = re.compile(r"python -m ([\w.]+)([^\n`#|&]*)")
_PLACEHOLDER = re.compile(r"[A-Z]{3,}")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


class Block(NamedTuple):
    """A Python block of a document: its code, its first line's number, and whether it is run."""

    code: str
    line: int
    runs: bool


def python_blocks(path: Path) -> list[Block]:
    blocks, lines, before = [], path.read_text().split("\n"), ""
    position = 0
    while position < len(lines):
        if lines[position].strip() == "```python":
            end = lines.index("```", position)
            code = "\n".join(lines[position + 1 : end])
            blocks.append(Block(code, position + 2, _NOT_RUN.fullmatch(before) is None))
            position = end
        before = lines[position].strip() or before
        position += 1
    return blocks


def marked(path: Path) -> object:
    slow = [pytest.mark.slow] if path.name in COMPILING else []
    return pytest.param(path, id=named(path), marks=slow)


@pytest.mark.parametrize("path", [marked(path) for path in RUN])
def test_every_block_of_a_guide_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(path):
        if block.runs:
            padding = "\n" * (block.line - 1)  # so that a traceback names the document's line
            exec(compile(padding + block.code, str(path), "exec"), namespace)


@pytest.mark.parametrize("path", RUN, ids=named)
def test_what_a_block_imports_exists(path: Path):
    for block in python_blocks(path):
        for statement in ast.walk(ast.parse(block.code)):
            if isinstance(statement, ast.ImportFrom) and statement.module:
                module = importlib.import_module(statement.module)
                for alias in statement.names:
                    part = f"{statement.module}.{alias.name}"
                    exists = hasattr(module, alias.name) or importlib.util.find_spec(part)
                    assert exists, f"{named(path)}, line {block.line}: no {part}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_relative_links_lead_somewhere(path: Path):
    for link in _LINK.findall(path.read_text()):
        if not re.match(r"[a-z]+:", link) and not link.startswith("#"):
            target = path.parent / link.partition("#")[0]
            assert target.exists(), f"{named(path)}: {link} leads nowhere"


def inline_codes(path: Path) -> list[str]:
    """The codes in backticks of a document's text; one that is broken over lines is joined."""
    return [" ".join(code.split()) for code in _CODE.findall(_FENCE.sub("", path.read_text()))]


def named_paths(path: Path) -> set[str]:
    """Paths of the repository in a document's inline code, those with a NAME in them as folders."""
    found = set()
    for code in inline_codes(path):
        if code.split("/")[0] in OURS and "/" in code and not re.search(r"[\s*<>(]", code):
            placeholder = _PLACEHOLDER.search(code)
            found.add(code[: placeholder.start()].rpartition("/")[0] if placeholder else code)
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_paths_that_a_document_names_exist(path: Path):
    missing = [each for each in sorted(named_paths(path)) if not (ROOT / each).exists()]
    assert not missing, f"{named(path)} names {', '.join(missing)}"


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """The modules that a document starts by ``python -m``, and their arguments."""
    text = path.read_text().replace("\\\n", " ")  # lines that go on
    fences = [code for kind, code in _FENCE.findall(text) if kind != "python"]
    found = [match for code in (*fences, *inline_codes(path)) for match in _MODULE.findall(code)]
    # A command inside of another one ends with that one's quotation mark.
    return [(module, shlex.split(arguments.rstrip('"'))) for module, arguments in found]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_commands_that_a_document_names_exist(path: Path):
    for module, arguments in commands(path):
        if module.split(".")[0] not in OURS:
            continue
        spec = importlib.util.find_spec(module)
        assert spec is not None, f"{named(path)}: no module {module}"
        if spec.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{module}.__main__"), f"{module} is no command"
        check_options(module, arguments)


def check_options(module: str, arguments: list[str]) -> None:
    """Parses the options of an experiment, which ends the process where one is unknown."""
    if "--preset" not in arguments:
        return
    presets = importlib.import_module(f"{module}.presets").PRESETS
    default = presets[arguments[arguments.index("--preset") + 1]]
    own = without_distributed(arguments)
    tyro.cli(type(default), args=own, default=default)


def without_distributed(arguments: list[str]) -> list[str]:
    """The arguments without those that say which process of a run this one is, and their values."""
    told = [n for n, word in enumerate(arguments) if word.startswith("--distributed.")]
    return [word for n, word in enumerate(arguments) if n not in told and n - 1 not in told]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_lines_fit_a_page(path: Path):
    fenced = False
    for number, line in enumerate(path.read_text().split("\n"), start=1):
        fenced ^= line.startswith("```")
        # Rows of tables and commands cannot be broken, nor can a link that stands alone.
        if not fenced and not line.startswith(("|", "    ")) and " " in line.strip():
            assert len(line) <= WIDTH, f"{named(path)}, line {number} has {len(line)} columns"


def test_every_page_is_in_the_site():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    missing = {str(page.relative_to(ROOT / "docs")) for page in PAGES} - listed
    assert not missing, f"mkdocs.yml has no line for {', '.join(sorted(missing))}"
