"""Arrays that are larger than the memory: files whose rows are written a few at a time and read as they are needed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Int
from numpy.lib.format import open_memmap

from cfx_jax.errors import InputError
from cfx_jax.files import replacing
from cfx_jax.parallel import progress_bar

_BYTES_AT_ONCE = 2**26


class Rows(Protocol):
    """What gives rows of an array by their positions: an array, in memory or in a file, or what computes them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray: ...


def filled(
    folder: Path,
    shape: Sequence[int],
    make: Callable[[Int[np.ndarray, " m"]], np.ndarray],
    *,
    wanted: Int[np.ndarray, " k"] | None = None,
    dtype: Any = np.float32,
    label: str | bool = False,
) -> np.ndarray:
    """An array in a file, whose rows are made where they are not there yet; a stopped run goes on where it was.

    Args:
        folder: of this array alone.
        shape: of the array.
        make: positions of rows -> these rows; asked for as many at once as take 64 MiB.
        wanted: the positions of the rows that are made, all others being 0; None for all.
        dtype: of the array.
        label: of a progress bar; False for none.

    Returns:
        The array, mapped from the file and read-only: what is not looked at is not in memory.

    Raises:
        InputError: the folder cannot be written.
    """
    values, written = folder / "values.npy", folder / "written.npy"
    try:
        if not values.is_file():
            with replacing(values) as temporary:
                open_memmap(temporary, mode="w+", dtype=dtype, shape=tuple(shape)).flush()
        done: Bool[np.ndarray, " n"] = np.load(written) if written.is_file() else np.zeros(shape[0], bool)
        rows = np.arange(shape[0]) if wanted is None else np.asarray(wanted)
        missing = rows[~done[rows]]
        with progress_bar(len(missing), label if len(missing) else False) as bar:
            for part in parts_of(missing, shape, dtype):
                _write(values, part, np.asarray(make(part), dtype))
                done[part] = True
                with replacing(written) as temporary, temporary.open("wb") as file:
                    np.save(file, done)
                bar.update(len(part))
        return np.load(values, mmap_mode="r")
    except (OSError, ValueError) as error:
        advice = "free space there, choose another place, or remove it if it is damaged"
        raise InputError(f"cannot use '{folder}': {error}; {advice}") from error


def _write(path: Path, rows: Int[np.ndarray, " m"], values: np.ndarray) -> None:
    """Writes rows into a file as such: through a map of it, a full disk would end the process."""
    offset = np.load(path, mmap_mode="r").offset
    with path.open("r+b") as file:
        for row, value in zip(rows.tolist(), values, strict=True):
            file.seek(offset + row * value.nbytes)
            file.write(np.ascontiguousarray(value).data)


def parts_of(rows: Int[np.ndarray, " n"], shape: Sequence[int], dtype: Any = np.float32) -> list[Int[np.ndarray, " m"]]:
    """Positions of rows of an array of a shape, as many together as take 64 MiB, at least one."""
    size = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
    at_once = max(1, _BYTES_AT_ONCE // max(size, 1))
    return [rows[first : first + at_once] for first in range(0, len(rows), at_once)]


def chosen(values: Rows, rows: Int[np.ndarray, " m"], folder: Path) -> np.ndarray:
    """Some rows as an array of their own: in memory where the values are, else in a file of their own.

    Args:
        values: all rows.
        rows: the positions of those that are wanted.
        folder: of the file, for these values and positions alone.
    """
    if isinstance(values, np.ndarray) and not isinstance(values, np.memmap):
        return values[rows]
    shape = (len(rows), *values.shape[1:])
    return filled(folder, shape, lambda part: np.asarray(values[rows[part]], np.float32))
