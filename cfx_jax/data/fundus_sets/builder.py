"""The sets as TensorFlow Datasets (TFDS) builders, which need no TensorFlow to build or to read.

Each builder prepares the photographs of its ``manual_dir`` and writes one ArrayRecord example for
each that can be used, in the reader's order. ``FundusSet`` drives them; by hand, with TFDS alone:

    builder = IDRiD(data_dir=folder, size=224)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=raw_folder))
    examples = builder.as_data_source("images")

The split is called ``images`` and holds the whole set; see ``published.builder`` for what all
builders share.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool

from cfx_jax.data.fundus import Job, prepare_files
from cfx_jax.data.fundus_sets import deepdrid, idrid, kaggle, messidor
from cfx_jax.data.fundus_sets.record import FundusRecord, digest
from cfx_jax.data.published.builder import PublishedBuilder, png
from cfx_jax.data.sources.decoding import decode_image
from cfx_jax.errors import InputError

UNKNOWN = -1  # stands for a grade or gradability that the set does not tell


class FundusBuilder(PublishedBuilder):
    """What the four builders have in common, see ``PublishedBuilder`` for the arguments.

    The prepared files lie in ``DATA_DIR/SIZEpx/prepared/NAME``, so that a build that was stopped
    goes on.
    """

    what = "photographs"
    digest = staticmethod(digest)

    def features(self) -> dict[str, Any]:
        """The TFDS features of a photograph."""
        return {
            "image": self._image(channels=3),
            "eye_mask": self._image(channels=1),
            "lesion_mask": self._image(channels=1),
            "grade": np.int64,
            "gradable": np.int64,
            "patient": tfds.features.Text(),
            "name": tfds.features.Text(),
        }

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        records = self.read(Path(dl_manager.manual_dir))
        folder = Path(self.data_dir_root) / "prepared" / self.name
        jobs = [Job(record.name, record.image, dict(record.masks)) for record in records]
        dropped = prepare_files(jobs, folder, size=self._size, progress=self._progress).dropped
        kept = [record for record in records if record.name not in dropped]
        if not kept:
            name, reason = next(iter(dropped.items()))
            raise InputError(
                f"'{dl_manager.manual_dir}': none of the {len(records)} photographs can be used,"
                f" the first, '{name}', "
                f"because: {reason}: check that the download is complete"
            )
        self.info.metadata.update(
            digest=digest(records), dropped=dict(dropped), facts=[*map(_facts, kept)]
        )
        return {"images": self._generate_examples(kept, folder)}

    def _generate_examples(
        self, records: Sequence[FundusRecord], folder: Path
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for record in self._bar(records, "writing", len(records)):
            yield (
                record.name,
                {
                    "image": io.BytesIO((folder / "images" / f"{record.name}.png").read_bytes()),
                    "eye_mask": io.BytesIO(
                        (folder / "eye_masks" / f"{record.name}.png").read_bytes()
                    ),
                    "lesion_mask": png(self._any_lesion(record, folder)),
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


BUILDERS = {"kaggle": KaggleDR, "messidor": Messidor, "idrid": IDRiD, "deepdrid": DeepDRiD}
