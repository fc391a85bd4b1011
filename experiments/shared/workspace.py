"""The workspace of an experiment, where a stage keeps its result by all that it depends on.

A second start of the same command finds the results and goes on where the first one ended; a change
of a setting changes the names of just those stages that depend on it, so nothing is overwritten.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import cfx_jax
from cfx_jax.errors import InputError
from cfx_jax.files import replacing, sweep
from cfx_jax.parallel import (
    first_decides,
    first_process_locks,
    is_first_process,
    wait_for_all,
    wait_for_file,
)
from experiments.shared.stages import Stages
from trainers import as_stored, digest

Arrays = dict[str, np.ndarray]

_NAMES = "names of all arrays"
"""An entry of a stage's file beside its arrays, by which a damaged file is known."""


def fingerprint(depends: Any) -> str:
    """Ten hexadecimal digits that differ wherever a setting or the library's version differs.

    Args:
        depends: dataclasses, mappings, sequences, arrays, numbers, strings, None, nested as deep
            as they like.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {type(value).__name__: plain(as_stored(value))}
        if isinstance(value, Mapping):
            return {str(name): plain(part) for name, part in value.items()}
        if isinstance(value, np.ndarray):
            return digest(value)
        if isinstance(value, np.generic):
            return value.item()
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    text = json.dumps([cfx_jax.__version__, plain(depends)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def source_digest(*names: str) -> str:
    """Ten hexadecimal digits that differ wherever the code of modules or packages differs.

    Args:
        names: the full names of the modules or packages.
    """
    files = [path for name in names for path in _files(import_module(name))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:10]


def _files(module: ModuleType) -> list[Path]:
    folders = getattr(module, "__path__", None)
    if folders is None:
        return [Path(str(module.__file__))]
    return [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]


class Workspace:
    """A folder in which stages keep their results.

    What killed processes left half written there is removed. Of several processes of one run the
    first decides what is there, and writes; all compute what is not there, since they share the
    work, and all read what the first has written.

    Args:
        root: the folder.
        stages: the stages of the run, which are informed of every folder; None where nobody counts
            them.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: str | Path, stages: Stages | None = None) -> None:
        self.root, self._stages = Path(root), stages
        if is_first_process():
            sweep(self.root)

    def folder(self, stage: str, depends: Any) -> Path:
        """The folder of one stage: ``STAGE-FINGERPRINT``."""
        name = f"{stage}-{fingerprint([stage, depends])}"
        if self._stages is not None:
            self._stages.note(name)
        return self.root / name

    def begin(self, name: str) -> None:
        """Says that a stage of the experiment begins.

        Args:
            name: the name of one of the stages of the ``Experiment``.
        """
        if self._stages is not None:
            self._stages.begin(name)

    def cached(self, stage: str, depends: Any, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays of a stage, computed only where they are not there yet.

        Args:
            stage: its name.
            depends: all that its result depends on.
            compute: makes the arrays.

        Raises:
            InputError: another process makes this stage in this folder, or the result cannot be
                written.
        """
        path = self.folder(stage, depends) / "arrays.npz"
        arrays = _read_first(stage, path)
        if not first_decides(f"{path.parent.name} is stored", arrays is not None):
            with first_process_locks(path.parent, doing=f"makes {stage}"):
                # Another process may have made it while this one asked for the lock.
                arrays = _read_first(stage, path, quiet=True)
                if not first_decides(f"{path.parent.name} is made", arrays is not None):
                    arrays = _make(stage, path, compute)
        if arrays is None or not is_first_process():
            arrays = _read_stored(stage, path)
        return arrays


def _make(stage: str, path: Path, compute: Callable[[], Arrays]) -> Arrays:
    """Computes the arrays of a stage in every process; the first writes them."""
    print(f"{stage} ...", flush=True)
    arrays = compute()
    if is_first_process():
        with replacing(path, durable=True) as temporary, open(temporary, "wb") as file:
            np.savez(file, **{_NAMES: np.array(sorted(arrays), str)}, **arrays)  # type: ignore[arg-type]
    wait_for_all(f"{path.parent.name} is written")
    return arrays


def _read_first(stage: str, path: Path, *, quiet: bool = False) -> Arrays | None:
    """The arrays of a stage's file in the first process; None in the others."""
    return _read(stage, path, quiet=quiet) if is_first_process() else None


def _read_stored(stage: str, path: Path) -> Arrays:
    """The arrays that the first process has found or written."""
    wait_for_file(path)
    arrays = _read(stage, path)
    if arrays is None:
        raise InputError(f"{stage}: expected {path} as process 0 has it: see what is printed above")
    return arrays


def _read(stage: str, path: Path, *, quiet: bool = False) -> Arrays | None:
    """The arrays of a stage's file; None where there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path) as stored:
            arrays = dict(stored)
        names = arrays.pop(_NAMES, None)
        if names is None or sorted(arrays) != names.tolist():
            raise ValueError("it does not hold the arrays that were written")
        return arrays
    except Exception as error:  # a damaged archive fails in any way, for want of memory too
        if not quiet:
            cause = f"{type(error).__name__}: {error}"
            print(f"{stage}: {path} cannot be read ({cause}) and is made anew", flush=True)
        return None
