"""The folder of a run: ``run.json`` with what its images share, and a file for each image.

Each file is written in one move: a run that is stopped at any moment leaves whole files only, and
the next start computes what is missing. Several processes may write into one folder: each writes
files of its own.
"""

import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from jaxtyping import Float

from cfx_jax.errors import InputError, reason_of
from cfx_jax.explain.explanation import ByName, Explanation
from cfx_jax.explain.generator_methods import ALL_METHODS
from cfx_jax.explain.run_manifest import Run, check_version, run_of_json
from cfx_jax.files import parse_json, read_json, replacing, sweep, write_text
from cfx_jax.locks import locked

RUN, IMAGES, PAGE, TABLE = "run.json", "images", "page.html", "table.csv"
PAGE_FILES = "page_files"
_WORKING = ".working"
_PER_FOLDER = 1000
_LONGEST = 60
_DONE, _SKIPPED = ".npz", ".skipped"
_AGAIN = "explain the images again, with --replace"


class Skipped(NamedTuple):
    """An image that has no explanation.

    Attributes:
        number: of the image in its run.
        reason: why.
    """

    number: int
    reason: str


class Store:
    """The files of a run in a folder."""

    def __init__(self, folder: Path, run: Run) -> None:
        """Names the folder and the run that it belongs to.

        Args:
            folder: where ``open_store`` or ``load_store`` found the run.
            run: the run.
        """
        self.folder, self.run = folder, run

    def write(self, result: Explanation | Skipped) -> None:
        """Writes the file of one image, in one move.

        Args:
            result: its explanation, or why there is none.

        Raises:
            InputError: the file cannot be written.
        """
        path = self._path(result.number)
        if isinstance(result, Skipped):
            write_text(Path(f"{path}{_SKIPPED}"), result.reason)
            return
        facts = {
            "target": result.target,
            "scores": _plain(result.scores),
            "curves": _plain(result.curves),
        }
        arrays: dict[str, Any] = {"numbers": np.bytes_(json.dumps(facts)), "logits": result.logits}
        arrays |= result.arrays
        packed = io.BytesIO()  # in memory first: an archive is written in many small pieces
        np.savez(packed, **arrays)
        with replacing(Path(f"{path}{_DONE}")) as temporary:
            temporary.write_bytes(packed.getbuffer())

    def read(self, number: int) -> Explanation:
        """The explanation of one image, whose pictures are read when they are asked for.

        Args:
            number: of an image that ``find_results`` lists.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = Path(f"{self._path(number)}{_DONE}")
        with _opened(path) as file:
            facts, logits = parse_json(bytes(file["numbers"].item())), file["logits"]
            names = [name for name in file.files if name not in ("numbers", "logits")]

        def array(name: str) -> Float[np.ndarray, "..."]:
            with _opened(path) as file:
                return file[name]

        name, label = self.run.names[number], self.run.label(number)
        return Explanation(number, name, label, logits, arrays=ByName(names, array), **facts)

    def find_results(self) -> tuple[list[int], dict[int, str]]:
        """Finds which images have a result in the folder.

        Returns:
            The numbers of the images that are explained, in order; and for each image that is
            skipped, its number -> the reason.
        """
        done, skipped = [], {}
        for folder in sorted((self.folder / IMAGES).glob("*/")):
            for entry in os.scandir(folder):
                digits = entry.name.partition("_")[0]
                if entry.name.endswith(_DONE) and digits.isdecimal():
                    done.append(int(digits))
                elif entry.name.endswith(_SKIPPED) and digits.isdecimal():
                    skipped[int(digits)] = Path(entry.path).read_text(encoding="utf-8")
        explained = set(done)
        skipped = {number: skipped[number] for number in sorted(skipped)}
        return sorted(done), {n: why for n, why in skipped.items() if n not in explained}

    def forget_skipped(self, number: int) -> None:
        """Lets an image that was skipped be tried once more."""
        Path(f"{self._path(number)}{_SKIPPED}").unlink(missing_ok=True)

    @contextmanager
    def working(self, shard: tuple[int, int]) -> Iterator[None]:
        """Keeps other processes from computing the same shard.

        Args:
            shard: its number from 1, and how many there are.

        Raises:
            LockedError: another process computes it.
        """
        place = self.folder / _WORKING / "{}_of_{}".format(*shard)
        with locked(place, doing=f"computes shard {shard[0]} of {shard[1]}"):
            sweep(self.folder / IMAGES)
            yield

    def _path(self, number: int) -> Path:
        """The path of an image's file, without its ending."""
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", self.run.names[number])[-_LONGEST:]
        return self.folder / IMAGES / f"{number // _PER_FOLDER:03d}" / f"{number:06d}_{name}"


class StoredItems(Sequence[Explanation]):
    """The explanations in a folder, in the order of their images, each read when asked for."""

    def __init__(self, store: Store, numbers: Sequence[int]) -> None:
        """Keeps the numbers of the images, and nothing of their files.

        Args:
            store: their folder.
            numbers: of the images.
        """
        self._store, self._numbers = store, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredItems": ...
    def __getitem__(self, index: int | slice) -> "Explanation | StoredItems":
        if isinstance(index, slice):
            return StoredItems(self._store, self._numbers[index])
        return self._store.read(self._numbers[index])


def prepare_folder(folder: Path, *, replace: bool) -> None:
    """Makes sure, before a long computation, that its results can be written and nothing is lost.

    Args:
        folder: made where it is missing.
        replace: whether what another run left there may be removed, later.

    Raises:
        InputError: a folder that cannot be written, or that holds a page or results without a run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder to write to: {error.strerror}") from error
    with replacing(folder / ".writable") as path:
        path.touch()
    (folder / ".writable").unlink(missing_ok=True)
    names = (IMAGES, PAGE, TABLE, PAGE_FILES)
    held = [name for name in names if (folder / name).exists()]
    if held and not (folder / RUN).exists() and not replace:
        raise InputError(
            f"{folder}: expected a folder without explanations, found {held[0]}: choose another"
            " one, or give --replace"
        )


def stored_run(folder: Path) -> Run | None:
    """The run in a folder, None where there is none.

    Raises:
        InputError: the file is damaged, or of another version.
    """
    if not (folder / RUN).exists():
        return None
    facts = read_json(folder / RUN, advice=_AGAIN)
    check_version(facts)
    try:
        run = run_of_json(facts)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"'{folder / RUN}' is damaged ({reason_of(error)}): {_AGAIN}") from error
    unknown = [name for name in run.methods if name not in ALL_METHODS]
    if unknown:
        raise InputError(
            f"'{folder / RUN}': expected methods that this version of cfx-jax has, got"
            f" {unknown[0]!r}: {_AGAIN}"
        )
    return run


def open_store(folder: Path, run: Run, *, replace: bool = False) -> Store:
    """Takes a folder for a run: a new one, or one in which the same run was stopped.

    Args:
        folder: made where it is missing.
        run: the run now.
        replace: whether results that are there are removed first.

    Returns:
        The store of the run that is in the folder.

    Raises:
        InputError: it holds the results of another run, or cannot be written.
        LockedError: ``replace`` while another process computes there.
    """
    prepare_folder(folder, replace=replace)
    if replace:
        clear_folder(folder)
    before = stored_run(folder)
    is_empty = not any((folder / IMAGES).glob("*/*"))
    if before is not None and is_empty and before.difference(run) is not None:
        clear_folder(folder)  # nothing is lost where nothing was computed
        before = None
    if before is None:
        _write_first(folder / RUN, run.to_json())
        before = stored_run(folder) or run  # another process may have been quicker
    difference = before.difference(run)
    if difference is not None:
        raise InputError(
            f"{folder}: expected results of this run, but they differ in {difference}: choose"
            " another folder, or give --replace to start anew"
        )
    return Store(folder, before)


def load_store(folder: Path) -> Store:
    """The store of the run in a folder.

    Raises:
        InputError: there is none, or its file is damaged.
    """
    run = stored_run(folder)
    if run is None:
        raise InputError(f"{folder}: expected a folder of explanations, found no {RUN} in it")
    return Store(folder, run)


def _write_first(path: Path, text: str) -> None:
    """Writes a file unless there is one: of two processes the first wins."""
    draft = path.with_name(f".{os.getpid()}_{path.name}")
    write_text(draft, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # no hard links here
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def clear_folder(folder: Path) -> None:
    """Removes a run's files, unless another process is computing there."""
    with ExitStack() as locks:
        for place in sorted((folder / _WORKING).glob("*/")):
            locks.enter_context(locked(place, doing="removes the results"))
        for name in (RUN, PAGE, TABLE):  # the run first: what is left belongs to none
            (folder / name).unlink(missing_ok=True)
        for name in (IMAGES, PAGE_FILES):
            shutil.rmtree(folder / name, ignore_errors=True)


@contextmanager
def _opened(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except Exception as error:  # whatever NumPy and zipfile raise of a damaged file
        raise InputError(
            f"{path}: expected an explanation, got: {reason_of(error)}: delete this file and"
            " explain again"
        ) from error


def _plain(value: object) -> object:
    """Nested mappings and numbers as JSON's own types."""
    if hasattr(value, "items"):
        return {name: _plain(part) for name, part in value.items()}
    return value
