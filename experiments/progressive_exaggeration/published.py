"""The figures that Singla et al. 2020 print, for the labels that they explain."""

from collections.abc import Mapping

PRESENT, ABSENT, OVERALL = "present", "absent", "overall"
GROUPS = (PRESENT, ABSENT, OVERALL)
"""Explanations with a probability of at least 0.9, below 0.1, and all."""

_LABELS = {"smiling": "Smiling", "Smiling": "Smiling", "young": "Young", "Young": "Young"}
_DISTANCES = {  # table 1: xGEM, progressive exaggeration
    "Smiling": {PRESENT: (111.0, 46.9), ABSENT: (112.9, 56.3), OVERALL: (106.3, 35.8)},
    "Young": {PRESENT: (115.2, 67.6), ABSENT: (170.3, 74.4), OVERALL: (117.9, 53.4)},
}
_IDENTITY = {  # table 2, in percent: closeness of xGEM and of progressive exaggeration, verification of both
    "Smiling": ((88.2, 88.0), (0.0, 85.3)),
    "Young": ((89.5, 81.6), (0.0, 72.2)),
}


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
    rows: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = _IDENTITY
    found = rows.get(_LABELS.get(label, ""))
    return None if found is None else (found[column][0] / 100, found[column][1] / 100)
