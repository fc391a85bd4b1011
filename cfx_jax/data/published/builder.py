"""What the TensorFlow Datasets (TFDS) builders of published sets have in common. They need no
TensorFlow to build or to read, since images reach TFDS as encoded files; it would load TensorFlow
to encode arrays.

The split is called ``images`` and holds the whole set (TFDS keeps the name ``all`` for itself).
What is known of each item beside its images is kept in the set's metadata too (``facts``), so that
it can be read without them.
"""

import abc
import functools
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Shaped

from cfx_jax.errors import import_extra

T = TypeVar("T")
R = TypeVar("R")


class PublishedBuilder(tfds.core.GeneratorBasedBuilder):
    """A builder of a set that the user has downloaded into TFDS's ``manual_dir``.

    The set lies in ``DATA_DIR/SIZEpx/NAME``.

    Args:
        data_dir: folder for all sets and sizes.
        size: side of the prepared images in pixels; of volumes, the numbers of slices, rows and
            columns.
        progress: whether to show progress bars.
        options: what else TFDS's builders take.
    """

    VERSION = tfds.core.Version("1.0.0")
    page: ClassVar[str]  # where the set can be downloaded
    what: ClassVar[str]  # what its items are called, in the plural
    # Nothing is downloaded, so there are no checksums. To look for a file of them TFDS would need
    # importlib_resources, which it does not install.
    url_infos = None

    def __init__(
        self, *, data_dir: str | Path, size: Any = 224, progress: bool = True, **options: Any
    ) -> None:
        self._arguments = {"data_dir": data_dir, "size": size, "progress": progress, **options}
        self._size, self._progress = size, progress
        folder = "x".join(map(str, size)) if isinstance(size, tuple) else str(size)
        super().__init__(
            **{"data_dir": Path(data_dir) / f"{folder}px", "file_format": "array_record", **options}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(type(self), **self._arguments), ()

    @staticmethod
    @abc.abstractmethod
    def read(folder: str | Path) -> Sequence[Any]:
        """Lists what was downloaded: one record for each file or group of files."""

    @staticmethod
    @abc.abstractmethod
    def digest(records: Iterable[Any]) -> str:
        """A fingerprint of all that the records say, except where the files lie."""

    @abc.abstractmethod
    def features(self) -> dict[str, Any]:
        """The TFDS features of an item."""

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self) -> str:
        """TFDS shows it where ``manual_dir`` is empty."""
        return f"Download the set from {self.page} and unpack it."

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.features()),
            homepage=self.page,
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _image(self, *, channels: int) -> tfds.features.Image:
        """The feature of an image or a mask, stored as a PNG file."""
        return tfds.features.Image(shape=(self._size, self._size, channels), encoding_format="png")

    def _bar(self, items: Iterable[T], label: str, total: int) -> Iterable[T]:
        """The items, with a progress bar as they are taken."""
        tqdm = import_extra("tqdm", "progress bars").tqdm
        return tqdm(items, label, total, disable=None if self._progress else True)


def png(pixels: Shaped[np.ndarray, "h w ..."]) -> io.BytesIO:
    """A grey image or a mask as a PNG file of 8 bits: float32 in [0, 1] is scaled, a mask becomes 0
    and 255.
    """
    cv2 = import_extra("cv2", "writing image files")
    content = np.round(pixels.astype(np.float32) * 255).astype(np.uint8)
    return io.BytesIO(cv2.imencode(".png", content)[1].tobytes())


def in_order(function: Callable[[T], R], items: Iterable[T], *, num_threads: int) -> Iterator[R]:
    """The function's results in the items' order, computed in threads a little ahead of the one
    that takes them.

    Unlike ``ThreadPoolExecutor.map`` it does not run far ahead, so that few results wait in memory.

    Args:
        function: what is computed of each item.
        items: the items.
        num_threads: items in work at once; as many more results may wait.

    Returns:
        The results; an error of the function is raised in its turn.
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
