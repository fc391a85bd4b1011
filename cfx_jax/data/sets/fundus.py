"""The four published sets of fundus photographs as sources, and classes made of their labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.checks import check_choice
from cfx_jax.data.sets import deepdrid, idrid, kaggle, messidor
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.errors import InputError

_SPECS = {spec.name: spec for spec in (kaggle.SPEC, messidor.SPEC, idrid.SPEC, deepdrid.SPEC)}


class FundusSet(StoredSet):
    """A set of fundus photographs, with grades, lesion masks or assessments of quality.

    The first use prepares every photograph (contrast, crop to the eye, resize; see
    ``data.fundus``), which for the Kaggle set takes hours and goes on where it stopped.

    Items are dicts of

    - ``image`` float32 (size, size, 3) in [0, 1], zero outside the eye;
    - ``eye_mask`` bool (size, size);
    - ``lesion_mask`` bool (size, size), the union of the kinds of lesion, empty where the set has
      no masks;
    - ``grade`` int 0 to 4 and ``gradable`` int 0 or 1, both -1 where unknown;
    - ``patient`` and ``name`` str.

    The order is the reader's.

    Args:
        name: "kaggle", "messidor", "idrid" or "deepdrid".
        raw_folder, work_folder, size, progress: see ``StoredSet``.

    Attributes:
        names, patients: the name and patient of each item, arrays of str.
        grades, gradables: the grade of each item, and 1 where it can be graded, else 0; int64
            arrays, -1 where unknown.
        dropped: name of each photograph that could not be used -> the reason.
        identity, left_out: see ``StoredSet``, which lists the errors too.
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
        check_choice(name, tuple(_SPECS), name="name")
        super().__init__(_SPECS[name], raw_folder, work_folder, size=size, progress=progress)
        self.names, self.patients = self._facts("name"), self._facts("patient")
        self.grades = self._facts("grade").astype(np.int64)
        self.gradables = self._facts("gradable").astype(np.int64)
        self.dropped: dict[str, str] = dict(self._metadata["dropped"])


class LabelledFundus:
    """Items of a set with classes; made by ``label_by_grade`` and ``label_by_quality``.

    Items are the items of the set with ``label`` added.

    Args:
        fundus_set: the set.
        indices: positions in the set of the items.
        labels: their classes.
        class_names: the classes' names.

    Attributes:
        class_names: the classes' names.
        labels: the label of each item, int64.
        patients: the patient of each item, for ``data.split(..., groups=patients)``.
        indices: the position of each item in the set.
    """

    def __init__(
        self,
        fundus_set: FundusSet,
        indices: Int[np.ndarray, " n"],
        labels: Int[np.ndarray, " n"],
        class_names: Sequence[str],
    ) -> None:
        self._set = fundus_set
        self.indices, self.labels = indices, labels
        self.patients = fundus_set.patients[indices]
        self.class_names = tuple(class_names)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self._set[int(self.indices[index])], "label": int(self.labels[index])}


def label_by_grade(
    fundus_set: FundusSet, *, drop: Sequence[int] = (1,), keep: Bool[np.ndarray, " n"] | None = None
) -> LabelledFundus:
    """The graded items of a set as "healthy" (grade 0) and "DR" (any higher grade).

    Args:
        fundus_set: a set with grades.
        drop: grades that are left out; by default the mild one, as Boreiko et al. (2022) do.
        keep: for each item of the set, whether it may be taken, e.g. whether it passed a filter of
            quality.

    Returns:
        A source with ``class_names`` ("healthy", "DR").

    Raises:
        InputError: ``keep`` has another length than the set or another dtype than bool, or no item
            is left.
    """
    grades = fundus_set.grades
    wanted = _find_wanted(fundus_set, (grades >= 0) & ~np.isin(grades, drop), keep, "grade")
    labels = (grades[wanted] > 0).astype(np.int64)
    return LabelledFundus(fundus_set, wanted, labels, ("healthy", "DR"))


def label_by_quality(
    fundus_set: FundusSet, *, keep: Bool[np.ndarray, " n"] | None = None
) -> LabelledFundus:
    """The items of a set whose quality was assessed as "ungradable" and "gradable".

    Args:
        fundus_set: a set with assessments, such as "deepdrid".
        keep: as of ``label_by_grade``.

    Returns:
        A source with ``class_names`` ("ungradable", "gradable").

    Raises:
        InputError: as ``label_by_grade``.
    """
    wanted = _find_wanted(fundus_set, fundus_set.gradables >= 0, keep, "assessment of quality")
    return LabelledFundus(
        fundus_set, wanted, fundus_set.gradables[wanted], ("ungradable", "gradable")
    )


def _find_wanted(
    fundus_set: FundusSet,
    known: Bool[np.ndarray, " n"],
    keep: Bool[np.ndarray, " n"] | None,
    fact: str,
) -> Int[np.ndarray, " m"]:
    """Positions of the items whose fact is known and that may be taken."""
    if keep is not None and (np.shape(keep) != known.shape or np.asarray(keep).dtype != bool):
        raise InputError(
            f"keep: expected a bool for each of the {len(known)} items, got shape {np.shape(keep)}"
            f" of {np.asarray(keep).dtype}: give e.g. fundus_set.gradables == 1"
        )
    indices = np.flatnonzero(known if keep is None else known & keep)
    if not indices.size:
        raise InputError(
            f"expected items of the set '{fundus_set.name}' with a wanted {fact}, none of"
            f" {len(known)} has one: choose another set, or leave out less"
        )
    return indices
