"""Disjoint, stratified, reproducible splits, by group where images belong together.

Images of one patient (two eyes, several slices) resemble each other, so a split by image overstates
accuracy on new patients: give ``groups`` where the patient is known.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.checks import as_numpy, check_integer, check_seed
from cfx_jax.errors import InputError

_PART_NAMES = {"training": "train", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "dev"), "validation"
)
"""What the parts of a split are called elsewhere -> here."""


def split(
    labels: Int[np.ndarray, " n"],
    fractions: Mapping[str, float],
    *,
    seed: int,
    groups: Sequence[object] | np.ndarray | None = None,
) -> dict[str, Int[np.ndarray, " m"]]:
    """Splits items at random so that each part has each class in the same share.

    The shares are kept as nearly as undivided items or groups allow.

    Args:
        labels: the class of each item.
        fractions: name of each part -> its share of the items, above 0. Where they sum to less than
            1 the rest of the items is in no part.
        seed: fixes the split; 0 or more.
        groups: for each item what it belongs to, e.g. a patient's number; a group is never divided.

    Returns:
        Name of each part -> positions of its items, ascending. Without groups, each part's number
        of items of a class is within 1 of its share.

    Raises:
        InputError: a fraction is not above 0 or their sum is above 1, ``groups`` has another length
            than ``labels``, or a part would be empty.

    Example:
        >>> parts = split(np.array([0, 0, 0, 0, 1, 1, 1, 1]), {"train": 0.75, "test": 0.25}, seed=0)
        >>> [len(part) for part in parts.values()]
        [6, 2]
    """
    labels = np.asarray(labels)
    _check(labels, fractions, seed, groups)
    rng = np.random.default_rng(seed)
    shares = np.array([*fractions.values(), max(0.0, 1 - sum(fractions.values()))])
    part = (
        _by_class(labels, shares, rng)
        if groups is None
        else _by_group(labels, shares, np.asarray(groups), rng)
    )
    parts = {name: np.flatnonzero(part == number) for number, name in enumerate(fractions)}
    for name, items in parts.items():
        if not items.size:
            raise InputError(
                f"split {name!r} would be empty: its share is {fractions[name]:g} of {len(labels)}"
                " items: give it a larger share, or more items"
            )
    return parts


def part_names(splits: Sequence[str] | np.ndarray) -> Shaped[np.ndarray, " n"]:
    """The parts of a split as they are called here: ``train``, ``validation``, ``test``.

    Args:
        splits: for each item its part, as a table or a folder names it. A name that is none of
            these, nor another word for one, is kept in small letters.

    Raises:
        InputError: something else than texts in a list.

    Example:
        >>> part_names(["Training", "val", "fold 3"]).tolist()
        ['train', 'validation', 'fold 3']
    """
    if np.ndim(splits) != 1 or not all(isinstance(part, str) for part in splits):
        raise InputError(f"splits: expected texts in a list, got {splits!r}")
    return np.array([_PART_NAMES.get(part.casefold(), part.casefold()) for part in splits])


def split_patients(
    patients: Sequence[str] | np.ndarray, shares: Mapping[str, float], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Splits images at random so that each part has its share of the patients, to within one.

    ``split(labels, shares, groups=patients)`` gives each part its share of the images of each class
    instead.

    Args:
        patients: the patient on each image.
        shares: name of each part -> its share of the patients, above 0; at most 1 together.
        seed: fixes the split; 0 or more.

    Returns:
        Name of each part -> positions of its images, ascending.

    Raises:
        InputError: a share is not above 0, their sum is above 1, or a part would be empty.

    Example:
        >>> split_patients(["a", "a", "b", "c"], {"train": 2 / 3, "test": 1 / 3}, seed=0)
        {'train': array([0, 1, 3]), 'test': array([2])}
    """
    names, patient_of = np.unique(as_numpy(patients, name="patients"), return_inverse=True)
    parts = split(np.zeros(len(names), np.int64), shares, seed=seed)
    return {name: np.flatnonzero(np.isin(patient_of, chosen)) for name, chosen in parts.items()}


def evenly_spread(count: int, *, most: int) -> Int[np.ndarray, " m"]:
    """Places at equal distances, from the first to the last: a sample of what lies in an order.

    Args:
        count: how many items there are.
        most: how many places to give at most, 2 or more.

    Returns:
        The places, ascending; all where there are no more than ``most``.

    Raises:
        InputError: a number that is no integer or too small.

    Example:
        >>> evenly_spread(7, most=3).tolist(), evenly_spread(2, most=3).tolist()
        ([0, 3, 6], [0, 1])
    """
    check_integer(count, name="count", at_least=0)
    check_integer(most, name="most", at_least=1)
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _by_class(
    labels: Int[np.ndarray, " n"], shares: Float[np.ndarray, " parts"], rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """The part of each item: every class is shuffled and cut at the rounded cumulative shares.

    The rounding error of a class is handed on to the next one, so that the parts' total sizes stay
    near their shares.
    """
    part = np.empty(len(labels), np.int64)
    owed = np.zeros(len(shares))
    for label in np.unique(labels):
        items = rng.permutation(np.flatnonzero(labels == label))
        wanted = shares * len(items)
        counts = _round_to_sum(wanted, owed)
        owed += wanted - counts
        part[items] = np.repeat(np.arange(len(shares)), counts)
    return part


def _round_to_sum(
    wanted: Float[np.ndarray, " parts"], owed: Float[np.ndarray, " parts"]
) -> np.ndarray:
    """Rounds down or up, keeping the sum; those owed most after rounding down are rounded up."""
    counts = np.floor(wanted + 1e-9).astype(np.int64)
    missing = round(wanted.sum()) - counts.sum()
    fractional = wanted - counts > 1e-9  # a part with a whole number of items, or none, keeps it
    first = np.argsort(-np.where(fractional, wanted - counts + owed, -np.inf), kind="stable")[
        :missing
    ]
    counts[first] += 1
    return counts


def _by_group(
    labels: Int[np.ndarray, " n"],
    shares: Float[np.ndarray, " parts"],
    groups: np.ndarray,
    rng: np.random.Generator,
) -> Int[np.ndarray, " n"]:
    """The part of each item, by groups.

    Large groups first go where most of their items are missing.
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, class_of = np.unique(labels, return_inverse=True)
    content = np.zeros((len(sizes), class_of.max() + 1))
    np.add.at(content, (group_of, class_of), 1)
    missing = shares[:, None] * content.sum(0)
    part_of_group = np.empty(len(sizes), np.int64)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        # The gain in squared deviation from the wanted counts, up to what all parts have in common.
        part_of_group[group] = np.argmax(missing @ content[group])
        missing[part_of_group[group]] -= content[group]
    return part_of_group[group_of]


def _check(
    labels: np.ndarray,
    fractions: Mapping[str, float],
    seed: int,
    groups: Sequence[object] | np.ndarray | None,
) -> None:
    if labels.ndim != 1 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"labels: expected a non-empty vector of integers, got shape {labels.shape} of"
            f" {labels.dtype}: give one class number for each item"
        )
    if not isinstance(fractions, Mapping):
        raise InputError(
            f"fractions: expected shares by name, got {fractions!r}: give e.g. "
            "{'train': 0.8, 'test': 0.2}"
        )
    if not fractions or min(fractions.values()) <= 0 or sum(fractions.values()) > 1 + 1e-6:
        raise InputError(
            f"fractions: expected shares above 0 that sum to at most 1, got {dict(fractions)}: give"
            f" e.g. "
            "{'train': 0.8, 'test': 0.2}"
        )
    check_seed(seed)
    given: Any = groups
    if given is not None and np.shape(given)[:1] != labels.shape:
        raise InputError(
            f"groups: expected one for each of the {len(labels)} items, got shape"
            f" {np.shape(given)}: give e.g. each item's patient"
        )
