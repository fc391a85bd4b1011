"""Arrays that are too large for memory: written to disk a part at a time, and read by memory map.

A stage of ``experiments.stages`` holds its arrays in memory twice, as they are made and as they are read. The series of
5,000 images of 128 pixels for ten bins are 9.8 GB, so they are kept here: one ``.npy`` file for each array in the folder of
the stage, which takes its name in one move when all parts are written.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from cfx_jax.files import writing
from experiments.stages import Arrays, Workspace

PART_BYTES = 2**28
"""What a part of an array may take in memory, in bytes: a quarter of a GiB."""

_FOLDER = "parts"


def stored(
    workspace: Workspace, stage: str, depends: Any, number: int, compute: Callable[[], Iterable[Arrays]]
) -> Arrays:
    """The arrays of a stage as memory maps, computed only where they are not there yet.

    Args:
        workspace: whose folder of the stage holds them.
        stage: its name.
        depends: all that its result depends on.
        number: rows of every array, over all parts.
        compute: makes the parts in their order, the same arrays in each, with leading axis.

    Returns:
        By name, read-only; rows are read from disk where they are used.

    Raises:
        InputError: the folder cannot be written, such as on a full disk.
    """
    folder = workspace.folder(stage, depends) / _FOLDER
    if folder.is_dir():
        try:
            return _read(folder, number)
        except (ValueError, OSError, EOFError) as error:
            print(f"{stage}: {folder} cannot be read ({error}) and is made anew", flush=True)
    print(f"{stage} ...", flush=True)
    with writing("the arrays", folder, "free space there or choose another place by --work"):
        _write(folder, number, compute())
    return _read(folder, number)


def row_slices(number: int, row_bytes: int, *, multiple: int = 1) -> Iterator[slice]:
    """Consecutive rows whose bytes are at most ``PART_BYTES``, at least one row in each.

    Args:
        number: rows in all.
        row_bytes: of one row.
        multiple: that the number of rows in a part, but for the last, is to be of, such as a batch; at least so many.
    """
    size = max(1, PART_BYTES // max(1, row_bytes * multiple)) * multiple
    return (slice(start, min(start + size, number)) for start in range(0, number, size))


def _read(folder: Path, number: int) -> Arrays:
    found = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    lengths = {len(each) for each in found.values()}
    if lengths != {number}:
        raise ValueError(f"expected arrays of {number} rows, got {sorted(lengths) or 'none'}")
    return found


def _write(folder: Path, number: int, parts: Iterable[Arrays]) -> None:
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.tmp")
    temporary.mkdir(parents=True)
    try:
        _write_files(temporary, number, parts)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_files(folder: Path, number: int, parts: Iterable[Arrays]) -> None:
    """Plain writes, since a full disk ends a process that writes through a memory map."""
    files: dict[str, IO[bytes]] = {}
    rows = 0
    with ExitStack() as stack:
        for part in parts:
            if not files:
                files = {name: stack.enter_context(open(folder / f"{name}.npy", "wb")) for name in part}
                for name, values in part.items():
                    _write_header(files[name], values, number)
            rows += len(next(iter(part.values())))
            for name, values in part.items():
                files[name].write(np.ascontiguousarray(values).data)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    if rows != number:
        raise RuntimeError(f"expected {number} rows over all parts, got {rows}")


def _write_header(file: IO[bytes], values: np.ndarray, number: int) -> None:
    header: Mapping[str, Any] = {
        "descr": np.lib.format.dtype_to_descr(values.dtype),
        "fortran_order": False,
        "shape": (number, *values.shape[1:]),
    }
    np.lib.format.write_array_header_1_0(file, dict(header))
