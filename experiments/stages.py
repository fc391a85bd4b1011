"""Stages of an experiment: each keeps its result under a name made from all it depends on.

A second start of the same command finds the results and goes on where the first one ended; a change of a setting
changes the names of just those stages that depend on it, so nothing is overwritten.
"""

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import cfx_jax
from cfx_jax.files import replacing

Arrays = dict[str, np.ndarray]


def fingerprint(depends: Any) -> str:
    """Ten hexadecimal digits that differ wherever a setting or the library's version differs.

    Args:
        depends: dataclasses, mappings, sequences, numbers, strings, None, nested as deep as they like.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {type(value).__name__: plain(dataclasses.asdict(value))}
        if isinstance(value, Mapping):
            return {str(name): plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    text = json.dumps([cfx_jax.__version__, plain(depends)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def source_digest(*modules: ModuleType) -> str:
    """Ten hexadecimal digits that differ wherever the Python code of a module, or of any in a package, differs."""
    files = [path for module in modules for path in _files(module)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:10]


def _files(module: ModuleType) -> list[Path]:
    folders = getattr(module, "__path__", None)
    if folders is None:
        return [Path(str(module.__file__))]
    return [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]


class Workspace:
    """A folder in which stages keep their results.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def folder(self, stage: str, depends: Any) -> Path:
        """The folder of one stage: ``STAGE-FINGERPRINT``."""
        return self.root / f"{stage}-{fingerprint([stage, depends])}"

    def cached(self, stage: str, depends: Any, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage, computed only where they are not there yet.

        Args:
            stage: its name.
            depends: all that its result depends on.
            compute: makes the arrays.
        """
        path = self.folder(stage, depends) / "arrays.npz"
        if path.exists():
            try:
                with np.load(path) as stored:
                    return dict(stored)
            except (zipfile.BadZipFile, ValueError, OSError) as error:
                print(f"{stage}: {path} cannot be read ({error}) and is made anew", flush=True)
        print(f"{stage} ...", flush=True)
        arrays = compute()
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        return arrays
