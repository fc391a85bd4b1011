"""The figures that Singla et al. 2020 print, for the labels that they explain.

Data sets spell labels in several ways ("No_Beard", "no_beard", "no beard"): ``plain`` is the one by
which all are compared.
"""

from collections.abc import Mapping
from typing import NamedTuple

PRESENT, ABSENT, OVERALL = "present", "absent", "overall"
GROUPS = (PRESENT, ABSENT, OVERALL)
"""Explanations with a probability of at least 0.9, below 0.1, and all."""

SMILING, YOUNG, CARDIOMEGALY, BANGS, NO_BEARD, MALE = (
    "smiling",
    "young",
    "cardiomegaly",
    "bangs",
    "no beard",
    "male",
)
"""Labels by their plain names."""

ASKED_FOR_ORDER = (YOUNG, SMILING)
"""Labels of Task 1 of the human study: in which image is the person younger, or smiles more?"""
ASKED_FOR_CHANGE: Mapping[str, str] = {
    YOUNG: "age",
    SMILING: "smile",
    BANGS: "hair-style",
    NO_BEARD: "beard",
}
"""Labels of Task 2 with the answers that people choose from."""

_DISTANCES = {  # table 1: xGEM, progressive exaggeration
    SMILING: {PRESENT: (111.0, 46.9), ABSENT: (112.9, 56.3), OVERALL: (106.3, 35.8)},
    YOUNG: {PRESENT: (115.2, 67.6), ABSENT: (170.3, 74.4), OVERALL: (117.9, 53.4)},
    CARDIOMEGALY: {PRESENT: (368.6, 82.9), ABSENT: (394.6, 84.8), OVERALL: (326.3, 58.1)},
}
# table 2, in percent: closeness of xGEM and of progressive exaggeration, verification of both
_IDENTITY = {
    SMILING: ((88.2, 88.0), (0.0, 85.3)),
    YOUNG: ((89.5, 81.6), (0.0, 72.2)),
    CARDIOMEGALY: ((2.2, 27.9), None),
}

# table 3, by classifier and target (not smiling, smiling): share of men, and whose gender changed
_CONFOUNDING = {
    "biased": ((0.18, 0.35), (0.52, 0.12)),
    "unbiased": ((0.47, 0.08), (0.48, 0.07)),
}

_SIX = {  # table 5: distance present, absent, overall; closeness and verification in percent
    SMILING: (46.9, 56.3, 35.8, 88.0, 85.3),
    YOUNG: (67.5, 74.4, 53.4, 81.6, 72.2),
    NO_BEARD: (79.2, 72.3, 45.4, 89.6, 83.3),
    "heavy makeup": (64.9, 98.2, 39.2, 89.2, 75.3),
    "black hair": (55.8, 72.8, 34.8, 79.4, 81.6),
    BANGS: (54.1, 57.8, 40.6, 76.5, 87.3),
}
_ABLATION: Mapping[
    tuple[float, float, float], tuple[float, float, float, float, float]
] = {  # table 6, the same columns, by the factors of adversary, classifier and reconstruction
    (0, 1, 1): (69.7, 105.7, 67.2, 96.1, 99.8),
    (1, 1, 1): (67.5, 74.4, 53.4, 81.6, 72.2),
    (10, 1, 1): (89.4, 105.2, 63.0, 68.0, 82.7),
    (100, 1, 1): (71.6, 80.6, 44.26, 75.3, 18.0),
    (1, 0, 1): (66.2, 66.2, 44.9, 77.2, 99.4),
    (1, 10, 1): (95.5, 90.4, 62.4, 71.83, 96.8),
    (1, 100, 1): (77.4, 73.1, 71.2, 55.4, 42.23),
    (1, 1, 0): (116.2, 118.9, 72.2, 16.6, 0.0),
    (1, 1, 0.01): (63.0, 78.6, 61.6, 32.2, 5.5),
    (1, 1, 0.1): (87.6, 83.6, 65.7, 71.5, 88.8),
}

_VOTES = {  # table 4: accuracy in percent, and kappa where there is one
    "task 1 young": (83.5, 0.41),
    "task 1 young hard": (73, 0.31),
    "task 1 young easy": (94, 0.51),
    "task 1 smiling": (77.5, 0.28),
    "task 1 smiling hard": (66, 0.23),
    "task 1 smiling easy": (89.5, 0.32),
    "task 2": (77, 0.35),
    "task 2 young": (72, None),
    "task 2 smiling": (99, None),
    "task 2 bangs": (50, None),
    "task 2 no beard": (87, None),
    "task 3": (93.75, 0.14),
    "task 3 biased": (87.5, 0.09),
    "task 3 unbiased": (100, 0.02),
}

Row = tuple[float, float, float, float, float]
"""Fréchet distance present, absent and overall; closeness and verification in [0, 1]."""


class Answers(NamedTuple):
    """Table 4: the accuracy of the majority in [0, 1], and kappa; None where none is printed."""

    accuracy: float | None
    kappa: float | None


def plain(label: str) -> str:
    """A label's name in lower case with spaces, by which labels are compared."""
    return " ".join(label.replace("_", " ").casefold().split())


def attribute(label: str) -> Row | None:
    """Table 5: a label's row; None for one that is not in it."""
    row = _SIX.get(plain(label))
    return None if row is None else _shares(row)


def ablation(label: str, factors: tuple[float, float, float]) -> Row | None:
    """Table 6, whose label is "young": the row of some factors; None for another label.

    Factors multiply the weights of adversary, classifier and reconstruction.
    """
    return _shares(_ABLATION[factors]) if plain(label) == YOUNG else None


def confounding(
    label: str, confounder: str, classifier: str, target: int
) -> tuple[float, float] | None:
    """Table 3, of smiles that are confounded with men's faces: None for other labels.

    Args:
        label: the explained one.
        confounder: the one bound to it.
        classifier: "biased" or "unbiased".
        target: 0 for explanations towards those without the label, 1 for those with it.

    Returns:
        The share that shows the confounder, and the share that changes it.
    """
    return (
        _CONFOUNDING[classifier][target]
        if (plain(label), plain(confounder)) == (SMILING, MALE)
        else None
    )


def votes(items: str) -> Answers:
    """Table 4: some items of the human study, such as "task 1 smiling easy"."""
    percent, kappa = _VOTES.get(items, (None, None))
    return Answers(None if percent is None else percent / 100, kappa)


def _shares(row: Row) -> Row:
    present, absent, overall, closeness, verified = row
    return present, absent, overall, closeness / 100, verified / 100


def of_chest(label: str) -> bool:
    """Whether a label belongs to radiographs, which have no faces to verify."""
    return plain(label) == CARDIOMEGALY


def distances(label: str, group: str) -> tuple[float, float] | None:
    """Table 1: the Fréchet distances of a group, xGEM's and the paper's own.

    None is returned for a label that is not in the table.
    """
    return _DISTANCES.get(plain(label), {}).get(group)


def closeness(label: str) -> tuple[float, float] | None:
    """Table 2: latent space closeness of xGEM and of their own, in [0, 1]."""
    return _share(label, 0)


def verification(label: str) -> tuple[float, float] | None:
    """Table 2: face verification accuracy of xGEM and of their own, in [0, 1]."""
    return _share(label, 1)


def _share(label: str, column: int) -> tuple[float, float] | None:
    rows: Mapping[str, tuple[tuple[float, float] | None, ...]] = _IDENTITY
    pair = rows.get(plain(label), (None, None))[column]
    return None if pair is None else (pair[0] / 100, pair[1] / 100)
