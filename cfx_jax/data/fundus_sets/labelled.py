"""A public set as a source of two classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.data.fundus_sets.source import FundusSet
from cfx_jax.errors import InputError


class LabelledFundus:
    """Some items of a set, each with a class; made by ``labelled`` and ``quality_labelled``.

    Items are those of the set with ``label`` added.

    Args:
        fundus_set: the set.
        indices: positions in the set of the items.
        labels: their classes.
        class_names: the classes' names.

    Attributes:
        class_names: the classes' names.
        labels: of each item, int64.
        patients: of each item, for ``data.split(..., groups=patients)``.
        indices: of each item, its position in the set.
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


def labelled(
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
    wanted = (fundus_set.grades >= 0) & ~np.isin(fundus_set.grades, drop)
    return _view(fundus_set, wanted, keep, fundus_set.grades > 0, ("healthy", "DR"), "grade")


def quality_labelled(
    fundus_set: FundusSet, *, keep: Bool[np.ndarray, " n"] | None = None
) -> LabelledFundus:
    """The items of a set whose quality was assessed as "ungradable" and "gradable".

    Args:
        fundus_set: a set with assessments, such as "deepdrid".
        keep: for each item of the set, whether it may be taken.

    Returns:
        A source with ``class_names`` ("ungradable", "gradable").

    Raises:
        InputError: ``keep`` has another length than the set or another dtype than bool, or no item
            is left.
    """
    gradables = fundus_set.gradables
    return _view(
        fundus_set,
        gradables >= 0,
        keep,
        gradables > 0,
        ("ungradable", "gradable"),
        "assessment of quality",
    )


def _view(
    fundus_set: FundusSet,
    wanted: Bool[np.ndarray, " n"],
    keep: Bool[np.ndarray, " n"] | None,
    positive: Bool[np.ndarray, " n"],
    class_names: Sequence[str],
    fact: str,
) -> LabelledFundus:
    if keep is not None and (np.shape(keep) != wanted.shape or np.asarray(keep).dtype != bool):
        raise InputError(
            f"keep: expected a bool for each of the {len(wanted)} items, got shape {np.shape(keep)}"
            f" of "
            f"{np.asarray(keep).dtype}: give e.g. fundus_set.gradables == 1"
        )
    indices = np.flatnonzero(wanted if keep is None else wanted & keep)
    if not indices.size:
        raise InputError(
            f"expected items of the set '{fundus_set.name}' with a wanted {fact}, none of"
            f" {len(wanted)} has one: "
            "choose another set, or leave out less"
        )
    return LabelledFundus(fundus_set, indices, positive[indices].astype(np.int64), class_names)
