"""Arrays that are too large for memory: written to disk a part at a time, and read by memory map.

A stage of ``experiments.shared.workspace`` holds its arrays in memory twice: as they are made, and
as they are read. The series of 5,000 images of 128 pixels for ten bins are 9.8 GB, so they are kept
here: in a folder with one ``.npy`` file for each array, and a file that names them and says which
rows are written. Rows reach the disk before they are said to be written, so that a power cut loses
a part at most. Of several processes of one run the first decides which rows are missing, and writes
them; all make them, since they share the work, and read what is written.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.files import replacing, sync_folder, writing
from cfx_jax.parallel import (
    first_decides,
    first_process_locks,
    is_first_process,
    progress_bar,
    wait_for_all,
    wait_for_file,
)
from experiments.shared.workspace import Arrays, Workspace

PART_BYTES = 2**26
"""The memory that a part of an array may take, in bytes: 64 MiB."""

_WRITTEN, _VALUES = "written.npz", "values"
_ADVICE = "free space there or choose another place by --work"

Layout = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
"""Shape and type of arrays, by name."""


class Rows(Protocol):
    """Rows of an array by their positions, in memory, in a file, or computed when asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


def store_parts(
    workspace: Workspace,
    stage: str,
    depends: Any,
    number: int,
    compute: Callable[[int], Iterable[Arrays]],
) -> Arrays:
    """The arrays of a stage as memory maps, computed only where they are not there yet.

    A stopped run goes on where it was.

    Args:
        workspace: the workspace, whose folder of the stage holds the arrays.
        stage: its name.
        depends: all that its result depends on.
        number: rows of every array, over all parts.
        compute: the first row that is not written yet -> the parts from there on in their order,
            the same arrays in each, with leading axis.

    Returns:
        By name, read-only; rows are read from disk where they are used.

    Raises:
        InputError: another process makes this stage in this folder, or it cannot be written, such
            as on a full disk. What ``compute`` raises passes as it is.
    """
    folder = workspace.folder(stage, depends)
    store = _read_first(folder, number)
    first = first_decides(f"rows of {folder.name}", _num_written(store))
    if first < number:
        with first_process_locks(folder, doing=f"makes {stage}"):
            # Another process may have made it meanwhile.
            store = _read_first(folder, number, quiet=True)
            first = first_decides(f"rows made of {folder.name}", _num_written(store))
            if first < number:
                print(f"{stage} ...", flush=True)
                _write_parts(folder, store, number, first, compute)
            wait_for_all(f"{folder.name} is written")
        store = None
    return (store or _stored_by_first(folder, number)).arrays


def fill_rows(
    folder: Path,
    shape: Sequence[int],
    make: Callable[[Int[np.ndarray, " m"]], np.ndarray],
    *,
    wanted: Int[np.ndarray, " k"] | None = None,
    dtype: Any = np.float32,
    label: str | bool = False,
) -> np.ndarray:
    """An array in a file whose missing rows are computed; a stopped run goes on where it was.

    Args:
        folder: the folder of this array alone.
        shape: the shape of the array.
        make: positions of rows -> these rows; asked for as many at once as a part may have.
        wanted: the positions of the rows that are made, all others being 0; None for all.
        dtype: the number type of the array.
        label: the label of a progress bar; False for none.

    Returns:
        The array, mapped from the file and read-only: what is not looked at is not in memory.

    Raises:
        InputError: another process makes this array, or the folder cannot be written. What ``make``
            raises passes as it is.
    """
    layout: Layout = {_VALUES: (tuple(shape), np.dtype(dtype))}
    rows = np.arange(shape[0]) if wanted is None else np.asarray(wanted, int)
    store = _read_first(folder, shape[0], layout)
    is_made = store is not None and bool(store.written[rows].all())
    if not first_decides(f"{folder.name} is stored", is_made):
        with first_process_locks(folder, doing=f"makes {folder.name}"):
            if is_first_process():
                store = _read(folder, shape[0], layout, quiet=True)
                store = store or _created(folder, shape[0], layout)
            absent = [] if store is None else rows[~store.written[rows]].tolist()
            missing = np.asarray(first_decides(f"rows of {folder.name}", absent), int)
            with progress_bar(len(missing), label if len(missing) else False) as bar:
                for part in row_slices(len(missing), row_bytes(shape, dtype)):
                    positions = missing[part]
                    _write(folder, store, positions, {_VALUES: np.asarray(make(positions))})
                    bar.update(len(positions))
            wait_for_all(f"{folder.name} is written")
        store = None
    return (store or _stored_by_first(folder, shape[0], layout)).arrays[_VALUES]


def choose_rows(values: Rows, rows: Int[np.ndarray, " m"], folder: Path) -> np.ndarray:
    """Some rows as a new array: in memory where the values are in memory, else in a file.

    Args:
        values: all rows.
        rows: the positions of those that are wanted.
        folder: the folder of the file, for these values and positions alone.
    """
    if isinstance(values, np.ndarray) and not isinstance(values, np.memmap):
        return values[rows]
    shape = (len(rows), *values.shape[1:])
    return fill_rows(folder, shape, lambda part: np.asarray(values[rows[part]], np.float32))


def row_slices(
    number: int, row_bytes: int, *, multiple: int = 1, first: int = 0
) -> Iterator[slice]:
    """Consecutive rows whose bytes are at most ``PART_BYTES``, at least one row in each.

    Args:
        number: rows in all.
        row_bytes: the number of bytes of one row.
        multiple: the number of rows of each part but the last is a multiple of it, such as the size
            of a batch.
        first: the row where the first part starts.
    """
    size = max(1, PART_BYTES // max(1, row_bytes * multiple)) * multiple
    return (slice(start, min(start + size, number)) for start in range(first, number, size))


def row_bytes(shape: Sequence[int], dtype: Any = np.float32) -> int:
    """Bytes of one row of an array."""
    return int(np.prod(shape[1:], dtype=int)) * np.dtype(dtype).itemsize


class _Store(NamedTuple):
    """Arrays of a folder as memory maps, and which rows of all of them are written."""

    arrays: Arrays
    written: Bool[np.ndarray, " n"]


def _num_written(store: _Store | None) -> int:
    """The number of written rows before the first missing one."""
    if store is None:
        return 0
    return len(store.written) if store.written.all() else int(np.argmin(store.written))


def _read_first(
    folder: Path, number: int, layout: Layout | None = None, *, quiet: bool = False
) -> _Store | None:
    """The arrays of a folder in the first process; None in the others."""
    return _read(folder, number, layout, quiet=quiet) if is_first_process() else None


def _stored_by_first(folder: Path, number: int, layout: Layout | None = None) -> _Store:
    """The arrays that the first process has found or written."""
    wait_for_file(folder / _WRITTEN)
    return _opened(folder, number, layout)


def _read(
    folder: Path, number: int, layout: Layout | None = None, *, quiet: bool = False
) -> _Store | None:
    """The arrays of a folder; None where there are none, or others than were written."""
    if not (folder / _WRITTEN).exists():
        return None
    try:
        return _opened(folder, number, layout)
    except Exception as error:  # damaged files fail in any way
        if not quiet:
            print(
                f"{folder} cannot be read ({type(error).__name__}: {error}) and is made anew",
                flush=True,
            )
        return None


def _opened(folder: Path, number: int, layout: Layout | None = None) -> _Store:
    with np.load(folder / _WRITTEN) as state:
        names, written = state["names"].tolist(), state["written"]
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    if written.shape != (number,) or any(len(values) != number for values in arrays.values()):
        raise ValueError(f"it does not hold arrays of {number} rows")
    if layout is not None and _layout(arrays) != layout:
        raise ValueError(f"it holds arrays of other shapes or types than {layout}")
    return _Store(arrays, written)


def _layout(arrays: Arrays) -> Layout:
    return {name: (values.shape, values.dtype) for name, values in arrays.items()}


def _created(folder: Path, number: int, layout: Layout) -> _Store:
    """Arrays of zeros without a written row, which take no room yet."""
    with writing("the arrays", folder, _ADVICE):
        (folder / _WRITTEN).unlink(missing_ok=True)  # it speaks of files that are replaced now
        for name, (shape, dtype) in layout.items():
            with (
                replacing(folder / f"{name}.npy", durable=True) as temporary,
                temporary.open("wb") as file,
            ):
                header = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": shape,
                }
                np.lib.format.write_array_header_1_0(file, header)
                file.truncate(file.tell() + number * row_bytes(shape, dtype))
        _mark(folder, list(layout), np.zeros(number, bool))
        sync_folder(folder.parent)
    return _opened(folder, number, layout)


def _write_parts(
    folder: Path,
    store: _Store | None,
    number: int,
    first: int,
    compute: Callable[[int], Iterable[Arrays]],
) -> None:
    """Writes the parts from a row on; there is no store before the first part."""
    for part in compute(first):
        if store is None and is_first_process():
            layout = {
                name: ((number, *values.shape[1:]), values.dtype) for name, values in part.items()
            }
            store = _created(folder, number, layout)
        rows = np.arange(first, first + len(next(iter(part.values()))))
        first += len(rows)
        if first <= number:
            _write(folder, store, rows, part)
    if first != number:
        raise RuntimeError(f"expected {number} rows over all parts, got {first}")


def _write(folder: Path, store: _Store | None, rows: Int[np.ndarray, " m"], part: Arrays) -> None:
    """Plain writes, since a full disk ends a process that writes through a memory map.

    Nothing is written in other processes than the first, which have no store.
    """
    if store is None:
        return
    if set(part) != set(store.arrays):
        raise RuntimeError(
            f"expected the arrays {sorted(store.arrays)} in each part, got {sorted(part)}"
        )
    for name, values in part.items():
        expected = (len(rows), *store.arrays[name].shape[1:])
        if values.shape != expected:
            raise RuntimeError(f"{name}: expected a part of shape {expected}, got {values.shape}")
    with writing("the arrays", folder, _ADVICE):
        for name, values in part.items():
            _write_rows(folder / f"{name}.npy", store.arrays[name], rows, values)
        store.written[rows] = True
        _mark(folder, list(store.arrays), store.written)


def _write_rows(
    path: Path, array: np.ndarray, rows: Int[np.ndarray, " m"], values: np.ndarray
) -> None:
    assert isinstance(array, np.memmap)
    size = row_bytes(array.shape, array.dtype)
    with path.open("r+b") as file:
        for row, value in zip(rows.tolist(), values, strict=True):
            file.seek(array.offset + row * size)
            file.write(np.asarray(value, array.dtype).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _mark(folder: Path, names: list[str], written: Bool[np.ndarray, " n"]) -> None:
    with replacing(folder / _WRITTEN, durable=True) as temporary, temporary.open("wb") as file:
        np.savez(file, names=np.array(names, str), written=written)
