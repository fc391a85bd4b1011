"""Published sets as TensorFlow Datasets (TFDS) builders; the only module that imports TFDS.

They need no TensorFlow to build or to read, since images reach TFDS as encoded files; it would load
TensorFlow to encode arrays. The split is called ``images`` and holds the whole set (TFDS keeps the
name ``all`` for itself).
"""

import contextlib
import functools
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import tensorflow_datasets as tfds

from cfx_jax.data.sets.stored.spec import Integers, Kind, Prepared, SetSpec, digest
from cfx_jax.errors import InputError, import_extra

T = TypeVar("T")
R = TypeVar("R")


_CLASSES: dict[str, type["PublishedBuilder"]] = {}  # by the name that TFDS knows


class PublishedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A builder of a set that the user has downloaded into TFDS's ``manual_dir``.

    The set lies in ``DATA_DIR/SIZEpx/NAME``. What a preparation of its files keeps lies in
    ``DATA_DIR/SIZEpx/prepared/NAME``, so that a build that was stopped goes on. The facts of all
    examples are in the set's metadata.

    Args:
        data_dir: folder for all sets and sizes.
        size: side of the prepared images in pixels; of volumes, the numbers of slices, rows and
            columns.
        progress: whether to show progress bars.
        changes: fields of the set's ``spec`` to replace.
        options: what else TFDS's builders take.
    """

    VERSION = tfds.core.Version("1.0.0")
    spec: ClassVar[SetSpec]
    # Nothing is downloaded, so there are no checksums. To look for a file of them TFDS would need
    # importlib_resources, which it does not install.
    url_infos = None

    def __init__(
        self,
        *,
        data_dir: str | Path,
        size: Any = 224,
        progress: bool = True,
        changes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._arguments = {
            "data_dir": data_dir,
            "size": size,
            "progress": progress,
            "changes": changes,
            **options,
        }
        self._spec = self.spec._replace(**changes or {})
        self._size, self._progress = size, progress
        folder = "x".join(map(str, size)) if isinstance(size, tuple) else str(size)
        place = {"data_dir": Path(data_dir) / f"{folder}px", "file_format": "array_record"}
        super().__init__(**{**place, **options})

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(_rebuild, self.spec, **self._arguments), ()

    def read(self, folder: str | Path) -> Sequence[Any]:
        """Lists what was downloaded, as records."""
        return self._spec.read(folder)

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self) -> str:
        """The advice that TFDS shows where ``manual_dir`` is empty."""
        return f"Download the set from {self.spec.page} and unpack it."

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            name: _tfds_feature(kind, self._size) for name, kind in self.spec.features.items()
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            homepage=self.spec.page,
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        spec, folder = self._spec, Path(dl_manager.manual_dir)
        records = self.read(folder)
        prepared = self._prepare(records)
        if prepared.dropped and not prepared.items:
            name, reason = next(iter(prepared.dropped.items()))
            raise InputError(
                f"'{folder}': none of the {len(records)} {spec.entries} can be used, the first,"
                f" '{name}', because: {reason}: check that the download is complete"
            )
        self.info.metadata.update(
            digest=digest(records),
            dropped=dict(prepared.dropped),
            left_out=spec.per_record * len(records),
            facts=[],
        )
        return {"images": self._generate_examples(prepared.items)}

    def _prepare(self, records: Sequence[Any]) -> Prepared:
        """The records, after the set's own preparation where it has one."""
        if self._spec.prepare is None:
            return Prepared(records, {})
        folder = Path(self.data_dir_root) / "prepared" / self.name
        return self._spec.prepare(records, folder, self._size, self._progress)

    def _generate_examples(self, items: Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        # What an item gives is known when it is read; TFDS writes the metadata at the end.
        metadata, spec = self.info.metadata, self._spec
        cores = os.cpu_count() or 1
        threads = min(spec.at_once or cores, cores)
        made = in_order(lambda item: spec.examples(item, self._size), items, num_threads=threads)
        tqdm = import_extra("tqdm", "progress bars").tqdm
        disable = None if self._progress else True
        for examples in tqdm(made, spec.entries, len(items), disable=disable):
            for example in examples:
                metadata["facts"].append(dict(example.facts))
                metadata["left_out"] -= 1
                yield example.key, example.fields


def builder_class(spec: SetSpec) -> type[PublishedBuilder]:
    """The builder of a set, which TFDS then lists by the set's ``stored_name``."""
    name = spec.stored_name
    if name not in _CLASSES:
        named = {"name": name, "spec": spec, "__module__": __name__}
        _CLASSES[name] = type(name, (PublishedBuilder,), named)
    return _CLASSES[name]


def open_or_build(builder: PublishedBuilder, raw_folder: str | Path | None) -> Any:
    """The TFDS builder that reads a set; the set is built first where it is not there.

    Without a raw folder a set that has been built is opened without a look at its raw files.

    Raises:
        InputError: see ``StoredSet``.
    """
    folder = Path(builder.data_path)
    if raw_folder is not None:
        records = builder.read(raw_folder)  # says what is missing before anything is made
        if folder.exists():
            _check_same(builder, digest(records), folder, raw_folder)
    elif not folder.exists():
        raise InputError(
            f"raw_folder: expected the set in '{folder}', which does not exist: give the folder to"
            " build it from"
        )
    if not folder.exists():
        config = tfds.download.DownloadConfig(manual_dir=raw_folder)
        try:
            with _quiet_tfds():
                builder.download_and_prepare(download_config=config)
        except OSError as error:
            raise InputError(
                f"cannot write {folder}: {error}; free space there or choose another place"
            ) from error
    return tfds.builder_from_directory(folder)


def in_order(function: Callable[[T], R], items: Iterable[T], *, num_threads: int) -> Iterator[R]:
    """Computes a function of each item in threads, a little ahead of who takes the results.

    At most ``num_threads`` items are in work and as many more results wait, in the items' order;
    ``ThreadPoolExecutor.map`` runs far ahead. An error of the function is raised in its turn.
    """
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(num_threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _rebuild(spec: SetSpec, **arguments: Any) -> PublishedBuilder:
    """The builder that a pickled form describes."""
    return builder_class(spec)(**arguments)


def _tfds_feature(kind: Kind | Integers, size: Any) -> Any:
    """A kind of value in the words of TFDS."""
    if isinstance(kind, Integers):
        return tfds.features.Tensor(shape=kind.shape, dtype=np.int64)
    if kind in (Kind.NUMBER, Kind.TEXT):
        return np.int64 if kind is Kind.NUMBER else tfds.features.Text()
    # The slices of a volume lie below one another.
    slices, height, width = size if isinstance(size, tuple) else (1, size, size)
    sides = (None, None) if kind is Kind.MARKS else (slices * height, width)
    channels = 3 if kind is Kind.COLOUR else 1
    return tfds.features.Image(shape=(*sides, channels), encoding_format="png")


def _check_same(
    builder: PublishedBuilder, fingerprint: str, folder: Path, raw_folder: str | Path
) -> None:
    """Checks that the set that was built has the same facts as its raw files."""
    if tfds.builder_from_directory(folder).info.metadata["digest"] != fingerprint:
        raise InputError(
            f"raw_folder: expected what '{folder}' was built from, but '{raw_folder}' has other"
            f" {builder.spec.entries} or labels: remove the former to build it again, or give"
            " another work_folder"
        )


@contextlib.contextmanager
def _quiet_tfds() -> Iterator[None]:
    """Keeps TFDS from announcing a download, and from drawing bars within this library's bars."""
    tqdm_utils = tfds.core.utils.tqdm_utils
    was_shown = tqdm_utils._active
    tqdm_utils.display_progress_bar(enable=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tqdm_utils.display_progress_bar(enable=was_shown)
