"""A public set of fundus photographs as a random-access source."""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.checks import check_choice
from cfx_jax.data.fundus_sets.record import digest
from cfx_jax.data.sources.decoding import unit_range
from cfx_jax.errors import InputError, import_extra

NAMES = ("kaggle", "messidor", "idrid", "deepdrid")
_PURPOSE = "storing fundus photographs"


class FundusSet:
    """A published set, prepared once and then read from the disk in any order.

    The first use prepares every photograph (contrast, crop to the eye, resize; see ``data.fundus``), which for
    the Kaggle set takes hours and goes on where it stopped; later ones open what is there. Items are dicts of
    ``image`` float32 (size, size, 3) in [0, 1], zero outside the eye; ``eye_mask`` bool (size, size);
    ``lesion_mask`` bool (size, size), the union of the kinds of lesion, empty where the set has no masks;
    ``grade`` int 0 to 4 and ``gradable`` int 0 or 1, both -1 where unknown; ``patient`` and ``name`` str. The
    order is the reader's. It can be pickled and read by several threads.

    Args:
        name: "kaggle", "messidor", "idrid" or "deepdrid".
        raw_folder: the set as it was downloaded and unpacked, in the layout that ``read_NAME`` describes. None
            opens a set that has been built, without a look at its raw files.
        work_folder: where the prepared photographs are kept, for all sets and sizes.
        size: side of the images in pixels.
        progress: whether to show a progress bar while photographs are prepared.

    Attributes:
        names, patients: of each item, arrays of str.
        grades, gradables: of each item, int64 arrays, -1 where unknown.
        dropped: name of each photograph that could not be used -> why.
        identity: a fingerprint of the set's facts, what was dropped, and the size; for caches of results.

    Raises:
        InputError: the name is unknown; the raw folder lacks something that the set has, or differs from the one
            that the set was built from; no photograph can be used; the work folder cannot be written; or there is
            no set to open.
    """

    def __init__(
        self,
        name: str,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        size: int = 224,
        progress: bool = True,
    ) -> None:
        check_choice(name, NAMES, name="name")
        if size < 1:
            raise InputError(f"size: expected a side in pixels, 1 or more, got {size}: give e.g. 224")
        folder = _built(name, raw_folder, work_folder, size, progress)
        stored = import_extra("tensorflow_datasets", _PURPOSE).builder_from_directory(folder)
        self._records = stored.as_data_source("images")
        self.name, self.size = name, size
        # The facts are kept beside the records too, since reading a record means reading its images.
        facts = stored.info.metadata["facts"]
        self.names, self.patients = (np.array([each[key] for each in facts]) for key in ("name", "patient"))
        self.grades, self.gradables = (
            np.array([each[key] for each in facts], np.int64) for key in ("grade", "gradable")
        )
        self.dropped: dict[str, str] = dict(stored.info.metadata["dropped"])
        described = [name, size, str(stored.version), stored.info.metadata["digest"], sorted(self.dropped)]
        self.identity = hashlib.sha256(repr(described).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self._records[range(len(self))[index]]
        return {
            "image": unit_range(record["image"]),
            "eye_mask": record["eye_mask"][..., 0] > 0,
            "lesion_mask": record["lesion_mask"][..., 0] > 0,
            "grade": int(record["grade"]),
            "gradable": int(record["gradable"]),
            "patient": record["patient"].decode(),
            "name": record["name"].decode(),
        }


def _built(name: str, raw_folder: str | Path | None, work_folder: str | Path, size: int, progress: bool) -> Path:
    """The folder of the prepared set, which is made if it is not there.

    Raises:
        InputError: see ``FundusSet``.
    """
    tfds = import_extra("tensorflow_datasets", _PURPOSE)
    from cfx_jax.data.fundus_sets.builder import BUILDERS

    builder = BUILDERS[name](size=size, progress=progress, data_dir=work_folder)
    folder = Path(builder.data_path)
    if raw_folder is not None:
        records = builder.read(raw_folder)  # says what is missing before anything is made
        if folder.exists():
            _check_same(digest(records), folder, raw_folder)
    elif not folder.exists():
        raise InputError(
            f"raw_folder: expected the set in '{folder}', which does not exist: give the folder to build it from"
        )
    if not folder.exists():
        try:
            with _quiet_tfds():
                builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw_folder))
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error}; free space there or choose another place") from error
    return folder


def _check_same(found: str, folder: Path, raw_folder: str | Path) -> None:
    """Whether the set that was built tells the same as its raw files."""
    metadata = import_extra("tensorflow_datasets", _PURPOSE).builder_from_directory(folder).info.metadata
    if metadata["digest"] != found:
        raise InputError(
            f"raw_folder: expected what '{folder}' was built from, but '{raw_folder}' has other photographs or labels: "
            "remove the former to build it again (what is prepared stays), or give another work_folder"
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
