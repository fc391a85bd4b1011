"""Makes pages of the site: of the documents at the top of the repository, and of the docstrings.

A hook of mkdocs, see ``mkdocs.yml``. A package's page lists the names that its ``__init__.py``
exports, in the same order.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

_TOP = {
    "README.md": "index.md",
    "BUILD_NOTES.md": "build_notes.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_PACKAGES = (
    "adapters",
    "attributions",
    "counterfactuals",
    "data",
    "data.sets",
    "diagnosis",
    "explain",
    "geometry",
    "losses",
    "maps",
    "metrics",
    "models",
    "objectives",
    "optimise",
    "parallel",
    "image_registration",
    "report",
    "training",
)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#:]+)((?:#[^)\s]*)?)\)")


def on_files(files: Any, *, config: Any) -> Any:
    """Adds the pages to those of the folder."""
    from mkdocs.structure.files import File

    root = Path(config["config_file_path"]).parent
    pages = {page: (root / name).read_text() for name, page in _TOP.items()}
    pages |= {f"reference/{name}.md": reference(root, name) for name in _PACKAGES}
    for page, content in pages.items():
        files.append(File.generated(config, page, content=content))
    return files


def reference(root: Path, package: str) -> str:
    """The page of a package or module: what it says of itself, and every public name."""
    name = f"cfx_jax.{package}"
    face = root.joinpath(*name.split(".")) / "__init__.py"
    if not face.is_file():
        return f"# {name}\n\n::: {name}\n"
    exports = [
        f"::: {statement.module}.{alias.name}\n    options: {{show_root_heading: true}}\n"
        for statement in ast.parse(face.read_text()).body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname == alias.name
    ]
    itself = f"::: {name}\n    options: {{members: false}}\n"
    return "\n".join([f"# {name}\n", itself, *exports])


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: Any) -> str:
    """Turns links, written for the repository, into links between pages.

    A link to a file of the repository that is no page, such as CITATION.cff, becomes its text.
    """
    source = page.file.src_uri
    folder = "" if source in _TOP.values() else posixpath.dirname(f"docs/{source}")

    def lead(link: re.Match[str]) -> str:
        text, path, anchor = link.groups()
        place = posixpath.normpath(posixpath.join(folder, path))
        target = _TOP.get(place) or place.removeprefix("docs/")
        if files.get_file_from_path(target) is not None:
            here = posixpath.dirname(source) or "."
            return f"[{text}]({posixpath.relpath(target, here)}{anchor})"
        return text if Path(place).exists() else link[0]

    return _LINK.sub(lead, markdown)
