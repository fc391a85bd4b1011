"""Fundus photographs of all four sets of them: their records, preparation and features."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from cfx_jax.data.fundus import Job, prepare_files
from cfx_jax.data.sets.stored.pictures import png
from cfx_jax.data.sets.stored.spec import Example, Kind, Prepared, SetSpec
from cfx_jax.data.sources.decoding import decode_image

_FEATURES = {
    "image": Kind.COLOUR,
    "eye_mask": Kind.MASK,
    "lesion_mask": Kind.MASK,
    "grade": Kind.NUMBER,
    "gradable": Kind.NUMBER,
    "patient": Kind.TEXT,
    "name": Kind.TEXT,
}
UNKNOWN = -1  # stands for a grade or a gradability that the set does not tell


class FundusRecord(NamedTuple):
    """One photograph of a set.

    Attributes:
        name: different for every photograph of the set.
        image: the photograph's file.
        patient: the name of the patient; photographs of one patient belong in one part of a split.
        grade: the grade of diabetic retinopathy, 0 (none) to 4 (proliferative); None where the set
            has none.
        gradable: 1 where the photograph is good enough for a diagnosis, else 0; None where the set
            has none.
        masks: kind of lesion -> file of its mask, for the kinds that the photograph shows.
    """

    name: str
    image: Path
    patient: str
    grade: int | None = None
    gradable: int | None = None
    masks: Mapping[str, Path] = {}

    def content(self) -> object:
        """All that is said of the photograph, except where its files lie."""
        return self.name, self.patient, self.grade, self.gradable, sorted(self.masks)

    def facts(self) -> dict[str, str | int]:
        """The facts of the photograph that are stored beside its images."""
        return {
            "name": self.name,
            "patient": self.patient,
            "grade": UNKNOWN if self.grade is None else self.grade,
            "gradable": UNKNOWN if self.gradable is None else self.gradable,
        }


def fundus_spec(
    name: str,
    read: Callable[[str | Path], list[FundusRecord]],
    *,
    page: str,
    stored_name: str | None = None,
) -> SetSpec:
    """A set of fundus photographs; arguments as of ``SetSpec``, the two names may be equal."""
    return SetSpec(
        name=name,
        stored_name=stored_name or name,
        page=page,
        entries="photographs",
        read=read,
        features=_FEATURES,
        examples=_examples,
        prepare=_prepare,
    )


class _PreparedPhotograph(NamedTuple):
    """A photograph that has been prepared into a folder, see ``fundus.prepare_files``."""

    record: FundusRecord
    folder: Path

    def read(self, kind: str) -> bytes:
        """The PNG file of one kind: the image, or a mask."""
        return (self.folder / kind / f"{self.record.name}.png").read_bytes()


def _prepare(records: Sequence[FundusRecord], folder: Path, size: int, progress: bool) -> Prepared:
    """Prepares all photographs into the folder; one that was prepared before is kept."""
    jobs = [Job(record.name, record.image, dict(record.masks)) for record in records]
    dropped = prepare_files(jobs, folder, size=size, progress=progress).dropped
    kept = [record for record in records if record.name not in dropped]
    return Prepared([_PreparedPhotograph(record, folder) for record in kept], dropped)


def _examples(photograph: _PreparedPhotograph, size: int) -> list[Example]:
    record = photograph.record
    pictures = {
        "image": io.BytesIO(photograph.read("images")),
        "eye_mask": io.BytesIO(photograph.read("eye_masks")),
        "lesion_mask": png(_any_lesion(photograph, size)),
    }
    return [Example(record.name, {**pictures, **record.facts()}, record.facts())]


def _any_lesion(photograph: _PreparedPhotograph, size: int) -> Bool[np.ndarray, "h w"]:
    """The union of the lesion masks, empty without any."""
    union = np.zeros((size, size), bool)
    for kind in photograph.record.masks:
        union |= decode_image(photograph.read(f"lesion_masks/{kind}"), channels=1)[..., 0] > 0
    return union
