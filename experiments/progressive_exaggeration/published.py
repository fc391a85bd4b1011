"""The figures that Singla et al. 2020 print, for the labels that they explain."""

from collections.abc import Mapping

PRESENT, ABSENT, OVERALL = "present", "absent", "overall"
GROUPS = (PRESENT, ABSENT, OVERALL)
"""Explanations with a probability of at least 0.9, below 0.1, and all."""

_LABELS = {each: name for name in ("Smiling", "Young", "Cardiomegaly") for each in (name, name.lower())}
_DISTANCES = {  # table 1: xGEM, progressive exaggeration
    "Smiling": {PRESENT: (111.0, 46.9), ABSENT: (112.9, 56.3), OVERALL: (106.3, 35.8)},
    "Young": {PRESENT: (115.2, 67.6), ABSENT: (170.3, 74.4), OVERALL: (117.9, 53.4)},
    "Cardiomegaly": {PRESENT: (368.6, 82.9), ABSENT: (394.6, 84.8), OVERALL: (326.3, 58.1)},
}
_IDENTITY = {  # table 2, in percent: closeness of xGEM and of progressive exaggeration, verification of both
    "Smiling": ((88.2, 88.0), (0.0, 85.3)),
    "Young": ((89.5, 81.6), (0.0, 72.2)),
    "Cardiomegaly": ((2.2, 27.9), None),
}

CONFOUNDING = {
    "biased": ((0.18, 0.35), (0.52, 0.12)),
    "unbiased": ((0.47, 0.08), (0.48, 0.07)),
}
"""Table 3, by classifier and target (not smiling, smiling): share of men, and share whose gender changed."""

_SIX = {  # table 5: distance present, absent, overall; closeness and verification in percent
    "smiling": (46.9, 56.3, 35.8, 88.0, 85.3),
    "young": (67.5, 74.4, 53.4, 81.6, 72.2),
    "no_beard": (79.2, 72.3, 45.4, 89.6, 83.3),
    "heavy_makeup": (64.9, 98.2, 39.2, 89.2, 75.3),
    "black_hair": (55.8, 72.8, 34.8, 79.4, 81.6),
    "bangs": (54.1, 57.8, 40.6, 76.5, 87.3),
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

Row = tuple[float, float, float, float, float]
"""Fréchet distance present, absent and overall; closeness and verification in [0, 1]."""


def attribute(label: str) -> Row | None:
    """Table 5: a label's row; None for one that is not in it."""
    found = _SIX.get(label.lower())
    return None if found is None else _shares(found)


def ablation(factors: tuple[float, float, float]) -> Row:
    """Table 6: the row of the factors that the weights of adversary, classifier and reconstruction are multiplied by."""
    return _shares(_ABLATION[factors])


def _shares(row: Row) -> Row:
    present, absent, overall, closeness, verified = row
    return present, absent, overall, closeness / 100, verified / 100


def of_chest(label: str) -> bool:
    """Whether a label is that of radiographs, which have no faces to verify."""
    return _LABELS.get(label) == "Cardiomegaly"


def distances(label: str, group: str) -> tuple[float, float] | None:
    """Table 1: xGEM's and their own Fréchet distance of a group; None for a label that is not in it."""
    return _DISTANCES.get(_LABELS.get(label, ""), {}).get(group)


def closeness(label: str) -> tuple[float, float] | None:
    """Table 2: latent space closeness of xGEM and of their own, in [0, 1]."""
    return _share(label, 0)


def verification(label: str) -> tuple[float, float] | None:
    """Table 2: face verification accuracy of xGEM and of their own, in [0, 1]."""
    return _share(label, 1)


def _share(label: str, column: int) -> tuple[float, float] | None:
    rows: Mapping[str, tuple[tuple[float, float] | None, ...]] = _IDENTITY
    found = rows.get(_LABELS.get(label, ""), (None, None))[column]
    return None if found is None else (found[0] / 100, found[1] / 100)
