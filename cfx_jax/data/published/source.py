"""Opening a published set that is stored by a TFDS builder, which is run first where it has not
been.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.errors import InputError, import_extra

_PURPOSE = "storing published data sets"


class StoredSet:
    """A stored set: its records, read from the disk in any order, and facts of each that need no
    image to be read.

    Args:
        name: the set's name.
        builder: its builder, see ``published.builder``.
        raw_folder: what was downloaded; None opens a set that has been built.
        size: side of the images in pixels; of volumes, the numbers of slices, rows and columns.

    Attributes:
        identity: a fingerprint of the set's facts, what was dropped, and the size; for caches of
            results.
    """

    def __init__(self, name: str, builder: Any, raw_folder: str | Path | None, size: Any) -> None:
        stored = open_or_build(builder, raw_folder)
        self.name, self.size = name, size
        self._records = stored.as_data_source("images")
        self._metadata = stored.info.metadata
        self._length = len(self._metadata["facts"])
        dropped = sorted(self._metadata.get("dropped", ()))
        described = [name, size, str(stored.version), self._metadata["digest"], dropped]
        self.identity = hashlib.sha256(repr(described).encode()).hexdigest()

    def __len__(self) -> int:
        return self._length

    def _record(self, index: int) -> dict[str, Any]:
        """What is stored of one item."""
        return self._records[range(len(self))[index]]

    def _facts(self, key: str) -> np.ndarray:
        """One fact of all items."""
        return np.array([each[key] for each in self._metadata["facts"]])


def open_or_build(builder: Any, raw_folder: str | Path | None) -> Any:
    """Opens the set that a builder makes, having it made if it is not there.

    Args:
        builder: a ``published.builder.PublishedBuilder``.
        raw_folder: what was downloaded; None opens a set that has been built, without a look at its
            raw files.

    Returns:
        The TFDS builder that reads the set.

    Raises:
        InputError: the raw folder lacks something that the set has, or differs from the one that
            the set was built from; the set cannot be written; or there is no set to open.
    """
    tfds = import_extra("tensorflow_datasets", _PURPOSE)
    folder = Path(builder.data_path)
    if raw_folder is not None:
        records = builder.read(raw_folder)  # says what is missing before anything is made
        if folder.exists():
            _check_same(builder, builder.digest(records), folder, raw_folder)
    elif not folder.exists():
        raise InputError(
            f"raw_folder: expected the set in '{folder}', which does not exist: give the folder to"
            f" build it from"
        )
    if not folder.exists():
        try:
            with _quiet_tfds():
                builder.download_and_prepare(
                    download_config=tfds.download.DownloadConfig(manual_dir=raw_folder)
                )
        except OSError as error:
            raise InputError(
                f"cannot write {folder}: {error}; free space there or choose another place"
            ) from error
    return tfds.builder_from_directory(folder)


def check_size(size: int) -> None:
    """Checks the side of the images.

    Raises:
        InputError: it is below 1.
    """
    if size < 1:
        raise InputError(f"size: expected a side in pixels, 1 or more, got {size}: give e.g. 224")


def _check_same(builder: Any, found: str, folder: Path, raw_folder: str | Path) -> None:
    """Whether the set that was built tells the same as its raw files."""
    metadata = (
        import_extra("tensorflow_datasets", _PURPOSE).builder_from_directory(folder).info.metadata
    )
    if metadata["digest"] != found:
        raise InputError(
            f"raw_folder: expected what '{folder}' was built from, but '{raw_folder}' has other"
            f" {builder.what} or "
            "labels: remove the former to build it again, or give another work_folder"
        )


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS from announcing a download, and from drawing bars within those of this library."""
    tqdm_utils = import_extra("tensorflow_datasets.core.utils.tqdm_utils", _PURPOSE)
    shown = tqdm_utils._active
    tqdm_utils.display_progress_bar(enable=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tqdm_utils.display_progress_bar(enable=shown)
