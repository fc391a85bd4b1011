"""The sets as TensorFlow Datasets (TFDS) builders, which need no TensorFlow to build or to read.

Each builder prepares the photographs of its ``manual_dir`` and writes one ArrayRecord example for each that can
be used, in the reader's order. ``FundusSet`` drives them; by hand, with TFDS alone:

    builder = IDRiD(data_dir=folder, size=224)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw_folder))
    examples = builder.as_data_source("images")

The split is called ``images`` and holds the whole set (TFDS keeps the name ``all`` for itself). Images reach
TFDS as encoded files, since it would load TensorFlow to encode arrays.
"""

import abc
import functools
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool

from cfx_jax.data.fundus import Job, prepare_files
from cfx_jax.data.fundus_sets import deepdrid, idrid, kaggle, messidor
from cfx_jax.data.fundus_sets.record import FundusRecord, digest
from cfx_jax.data.sources.decoding import decode_image
from cfx_jax.errors import InputError, import_extra

UNKNOWN = -1  # stands for a grade or gradability that the set does not tell


class FundusBuilder(tfds.core.GeneratorBasedBuilder):
    """What the four builders have in common.

    The set lies in ``DATA_DIR/SIZEpx/NAME``, the prepared files in ``DATA_DIR/SIZEpx/prepared/NAME``, so that a build
    that was stopped goes on.

    Args:
        data_dir: folder for all sets and sizes.
        size: side of the prepared images in pixels.
        progress: whether to show progress bars.
        options: what else TFDS's builders take.
    """

    VERSION = tfds.core.Version("1.0.0")
    page: ClassVar[str]  # where the set can be downloaded
    # Nothing is downloaded, so there are no checksums. To look for a file of them TFDS would need importlib_resources,
    # which it does not install.
    url_infos = None

    def __init__(self, *, data_dir: str | Path, size: int = 224, progress: bool = True, **options: Any) -> None:
        self._arguments = {"data_dir": data_dir, "size": size, "progress": progress, **options}
        self._size, self._progress = size, progress
        super().__init__(**{"data_dir": Path(data_dir) / f"{size}px", "file_format": "array_record", **options})

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(type(self), **self._arguments), ()

    @staticmethod
    @abc.abstractmethod
    def read(folder: str | Path) -> list[FundusRecord]:
        """Lists the photographs."""

    @property
    def MANUAL_DOWNLOAD_INSTRUCTIONS(self) -> str:
        """TFDS shows it where ``manual_dir`` is empty."""
        return f"Download the set from {self.page} and unpack it."

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(self._size, self._size, 3), encoding_format="png"),
            "eye_mask": tfds.features.Image(shape=(self._size, self._size, 1), encoding_format="png"),
            "lesion_mask": tfds.features.Image(shape=(self._size, self._size, 1), encoding_format="png"),
            "grade": np.int64,
            "gradable": np.int64,
            "patient": tfds.features.Text(),
            "name": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            homepage=self.page,
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        records = self.read(Path(dl_manager.manual_dir))
        folder = Path(self.data_dir_root) / "prepared" / self.name
        jobs = [Job(record.name, record.image, dict(record.masks)) for record in records]
        dropped = prepare_files(jobs, folder, size=self._size, progress=self._progress).dropped
        kept = [record for record in records if record.name not in dropped]
        if not kept:
            name, reason = next(iter(dropped.items()))
            raise InputError(
                f"'{dl_manager.manual_dir}': none of the {len(records)} photographs can be used, the first, '{name}', "
                f"because: {reason}: check that the download is complete"
            )
        self.info.metadata.update(digest=digest(records), dropped=dict(dropped), facts=[*map(_facts, kept)])
        return {"images": self._generate_examples(kept, folder)}

    def _generate_examples(self, records: Sequence[FundusRecord], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        tqdm = import_extra("tqdm", "progress bars").tqdm
        for record in tqdm(records, "writing", disable=None if self._progress else True):
            yield (
                record.name,
                {
                    "image": io.BytesIO((folder / "images" / f"{record.name}.png").read_bytes()),
                    "eye_mask": io.BytesIO((folder / "eye_masks" / f"{record.name}.png").read_bytes()),
                    "lesion_mask": io.BytesIO(_png(self._any_lesion(record, folder))),
                    **_facts(record),
                },
            )

    def _any_lesion(self, record: FundusRecord, folder: Path) -> Bool[np.ndarray, "h w"]:
        """The union of the lesion masks, empty without any."""
        union = np.zeros((self._size, self._size), bool)
        for kind in record.masks:
            content = (folder / "lesion_masks" / kind / f"{record.name}.png").read_bytes()
            union |= decode_image(content, channels=1)[..., 0] > 0
        return union


class KaggleDR(FundusBuilder):
    """The Kaggle set, see ``read_kaggle``."""

    name = "kaggle_dr"
    page = kaggle.PAGE
    read = staticmethod(kaggle.read_kaggle)


class Messidor(FundusBuilder):
    """Messidor, see ``read_messidor``."""

    name = "messidor"
    page = messidor.PAGE
    read = staticmethod(messidor.read_messidor)


class IDRiD(FundusBuilder):
    """IDRiD's segmentation part, see ``read_idrid``."""

    name = "idrid"
    page = idrid.PAGE
    read = staticmethod(idrid.read_idrid)


class DeepDRiD(FundusBuilder):
    """DeepDRiD's regular photographs, see ``read_deepdrid``."""

    name = "deepdrid"
    page = deepdrid.PAGE
    read = staticmethod(deepdrid.read_deepdrid)


def _facts(record: FundusRecord) -> dict[str, str | int]:
    """What is stored of a photograph beside its images."""
    return {
        "name": record.name,
        "patient": record.patient,
        "grade": UNKNOWN if record.grade is None else record.grade,
        "gradable": UNKNOWN if record.gradable is None else record.gradable,
    }


def _png(mask: Bool[np.ndarray, "h w"]) -> bytes:
    """A mask as a PNG file of 0 and 255."""
    cv2 = import_extra("cv2", "writing image files")
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()


BUILDERS = {"kaggle": KaggleDR, "messidor": Messidor, "idrid": IDRiD, "deepdrid": DeepDRiD}
