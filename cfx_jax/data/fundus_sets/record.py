"""What a data set says of one fundus photograph, whatever form its files have."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cfx_jax.data.published.listing import check_files, check_names


class FundusRecord(NamedTuple):
    """One photograph of a data set.

    Attributes:
        name: different for every photograph of the set.
        image: the photograph's file.
        patient: whose eye it is; photographs of one patient belong in one part of a split.
        grade: of diabetic retinopathy, 0 (none) to 4 (proliferative); None where the set does not
            tell.
        gradable: 1 where the photograph is good enough for a diagnosis, else 0; None where the set
            does not tell.
        masks: kind of lesion -> file of its mask, for the kinds that the photograph shows.
    """

    name: str
    image: Path
    patient: str
    grade: int | None = None
    gradable: int | None = None
    masks: Mapping[str, Path] = {}


def digest(records: Iterable[FundusRecord]) -> str:
    """A fingerprint of all that the records say, except where the files lie."""
    facts = [
        (each.name, each.patient, each.grade, each.gradable, sorted(each.masks)) for each in records
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def checked(records: Sequence[FundusRecord], folder: Path) -> list[FundusRecord]:
    """The records, once each is known to have a name of its own and an image.

    Raises:
        InputError: a name occurs twice, or the image of a record is not there.
    """
    check_names([each.name for each in records], folder, what="photograph")
    check_files([each.image for each in records], folder, what="photograph")
    return list(records)
