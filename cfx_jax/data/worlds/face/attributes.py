"""The attributes of faces: how they depend on each other, and what changes with one of them.

Smiling, young, black hair and bangs are independent of everything. Gender rules two others: only
men have a beard, only women heavy make-up. Turning an attribute of a face changes nothing else, so
that a beard may appear on a woman's face; only where gender itself is turned do beard and make-up
follow, as its consequences.
"""

from typing import NamedTuple

import numpy as np

MEN = 0.5
BEARDED_MEN = 0.45
MADE_UP_WOMEN = 0.55
_SHARES = {"smiling": 0.5, "young": 0.6, "black_hair": 0.35, "bangs": 0.25}


class Attributes(NamedTuple):
    """The attributes of one face, 1 where it has them; named as in CelebA."""

    smiling: int
    young: int
    male: int
    no_beard: int
    black_hair: int
    bangs: int
    heavy_makeup: int


ATTRIBUTES = Attributes._fields
INDEPENDENT = tuple(_SHARES)  # of gender
CLASS_NAMES = {
    "smiling": ("not smiling", "smiling"),
    "young": ("not young", "young"),
    "male": ("female", "male"),
    "no_beard": ("beard", "no beard"),
    "black_hair": ("other hair", "black hair"),
    "bangs": ("no bangs", "bangs"),
    "heavy_makeup": ("no heavy make-up", "heavy make-up"),
}


def sample_attributes(
    rng: np.random.Generator, attribute: str, label: int, *, confounder: float = 0.0
) -> tuple[Attributes, Attributes]:
    """Draws the attributes of a face and of the same face with one of them turned.

    Args:
        rng: the source of randomness; what it gives does not depend on the label.
        attribute: the one to turn.
        label: its value, 0 or 1.
        confounder: strength in [0, 1] of the bond between the attribute and gender:
            ``(1 + confounder) / 2`` of the faces that have the attribute are men's, half of those
            that have it not.

    Returns:
        The face's attributes, and the same with ``attribute`` turned.
    """
    draws = dict(zip(ATTRIBUTES, rng.random(len(ATTRIBUTES)).tolist(), strict=True))
    attributes = _attributes(draws, attribute, label, _share_of_men(attribute, label, confounder))
    if attribute == "male":
        return attributes, _attributes(draws, attribute, 1 - label, 1.0 - label)
    return attributes, attributes._replace(**{attribute: 1 - label})


def _attributes(
    draws: dict[str, float], attribute: str, label: int, share_of_men: float
) -> Attributes:
    male = int(draws["male"] < share_of_men)
    values = {
        **{name: int(draws[name] < share) for name, share in _SHARES.items()},
        "male": male,
        "no_beard": int(not (male and draws["no_beard"] < BEARDED_MEN)),
        "heavy_makeup": int(not male and draws["heavy_makeup"] < MADE_UP_WOMEN),
    }
    return Attributes(**(values | {attribute: label}))


def _share_of_men(attribute: str, label: int, confounder: float) -> float:
    """The share of men among faces of one label; Bayes' rule where gender rules the attribute."""
    if attribute == "male":
        return float(label)
    if attribute == "no_beard":
        beardless_men = MEN * (1 - BEARDED_MEN)
        return beardless_men / (beardless_men + 1 - MEN) if label else 1.0
    if attribute == "heavy_makeup":
        plain_women = (1 - MEN) * (1 - MADE_UP_WOMEN)
        return 0.0 if label else MEN / (MEN + plain_women)
    return MEN + (1 - MEN) * confounder * label
