"""Images that occur more than once, in two classes or in training and test."""

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Int, Shaped

from cfx_jax.checks import as_numpy, check_type
from cfx_jax.errors import InputError


def fingerprint(pixels: Shaped[np.ndarray, "*s h w c"]) -> bytes:
    """Sixteen bytes that tell images apart by their shape, type and values."""
    described = repr((pixels.shape, pixels.dtype.str)).encode()
    return hashlib.blake2b(
        described + np.ascontiguousarray(pixels).tobytes(), digest_size=16
    ).digest()


def first_copies(fingerprints: Sequence[Hashable]) -> Int[np.ndarray, " n"]:
    """For each image the place of the first one that equals it, its own if there is none before it.

    Args:
        fingerprints: the fingerprint of each image, see :func:`fingerprint`.

    Returns:
        int64; as ``groups`` of :func:`cfx_jax.data.split` it keeps equal images in one part.

    Example:
        >>> first_copies(["x", "y", "x", "z", "y"])
        array([0, 1, 0, 3, 1])
    """
    check_type(fingerprints, Collection, name="fingerprints", wanted="several in a list")
    for mark in fingerprints:
        check_type(mark, Hashable, name="fingerprints", wanted="texts, or other fixed values")
    places: dict[Hashable, int] = {}
    return np.array(
        [places.setdefault(mark, place) for place, mark in enumerate(fingerprints)], np.int64
    )


def merge_groups(
    groups: Shaped[np.ndarray, " n"], copies: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Joins groups that have an image in common, so that a split divides none of them.

    Args:
        groups: the group of each image, such as its patient.
        copies: for each image, the place of the first image that equals it, see
            :func:`first_copies`.

    Returns:
        For each image the number of its group.

    Raises:
        InputError: not one group and one place of an image for each image.

    Example:
        >>> merge_groups(np.array(["p", "q", "r", "r"]), np.array([0, 1, 2, 0])).tolist()
        [0, 1, 0, 0]
    """
    copies = _as_places(copies, "copies", below=as_numpy(copies, name="copies").size)
    groups = as_numpy(groups, name="groups")
    if groups.shape != copies.shape:
        raise InputError(
            f"groups: expected one for each of {len(copies)} images, got shape {groups.shape}"
        )
    names, group_of = np.unique(groups, return_inverse=True)
    joined = np.arange(len(names))
    for one, other in zip(group_of, group_of[copies], strict=True):
        joined[joined == joined[one]] = joined[other]
    return np.unique(joined[group_of], return_inverse=True)[1]


def shared_copies(
    copies: Int[np.ndarray, " n"], parts: Mapping[str, Int[np.ndarray, " m"]]
) -> dict[tuple[str, str], int]:
    """Counts the images of one part of a split that occur in another one too.

    Args:
        copies: for each image of the whole the place of the first that equals it, see
            :func:`first_copies`.
        parts: name of each part -> positions of its images, see :func:`cfx_jax.data.split`.

    Returns:
        For each two parts that share images, in the order given: how many images of the second are
        in the first.

    Raises:
        InputError: a place that no image has, or parts that are no mapping.

    Example:
        >>> parts = {"train": np.array([0, 3]), "test": np.array([1, 2, 4])}
        >>> shared_copies(np.array([0, 1, 0, 3, 1]), parts)
        {('train', 'test'): 1}
    """
    check_type(parts, Mapping, name="parts", wanted="positions by name")
    copies = _as_places(copies, "copies", below=as_numpy(copies, name="copies").size)
    parts = {
        name: _as_places(places, f"parts: {name}", below=len(copies))
        for name, places in parts.items()
    }
    counts = {
        (one, other): int(np.isin(copies[parts[other]], copies[parts[one]]).sum())
        for one, other in combinations(parts, 2)
    }
    return {pair: count for pair, count in counts.items() if count}


def _as_places(places: object, name: str, *, below: int) -> Int[np.ndarray, " n"]:
    """Positions of images as an array, after a check that each is in 0..below - 1."""
    given = as_numpy(places, name=name)
    is_empty = given.shape == (0,)
    if given.ndim != 1 or not (is_empty or np.issubdtype(given.dtype, np.integer)):
        raise InputError(f"{name}: expected integers, shape (n,), got {places!r}")
    if ((given < 0) | (given >= below)).any():
        raise InputError(f"{name}: expected places in 0..{below - 1}, got {given.max()}")
    return given.astype(np.int64)
