"""The protocol of a source of labelled images, and how to read many of its items at once.

A source is random-access: ``len(source)`` items, ``source[i]`` a dict with at least ``image``,
float32 (h, w, c) in [0, 1], and ``label``, the class as an int; ``source.class_names`` names the
classes. Anything of that form serves. A ``labels`` attribute, an int array of all labels, spares
reading every image just to learn its class.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from cfx_jax.checks import as_numpy, check_count, check_flag, check_texts
from cfx_jax.errors import InputError, import_extra


class ImageSource(Protocol):
    """Labelled images that can be read in any order."""

    @property
    def class_names(self) -> Sequence[str]:
        """The classes' names, in the order of the labels."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]: ...


def labels_of(source: ImageSource) -> Int[np.ndarray, " n"]:
    """The labels of all items.

    They are the source's ``labels`` where it has them, else every item is read once.

    Raises:
        InputError: a label is not one of the classes, or there is not one for each item.

    Example:
        >>> source = ArraySource(np.zeros((3, 8, 8, 1), np.uint8), np.array([1, 0, 1]), ("a", "b"))
        >>> labels_of(source)
        array([1, 0, 1])
    """
    if not (hasattr(source, "__getitem__") and hasattr(source, "class_names")):
        raise InputError(f"source: expected a source of cfx_jax.data, got {type(source).__name__}")
    known = getattr(source, "labels", None)
    labels = check_labels(
        [source[i]["label"] for i in range(len(source))] if known is None else known,
        source.class_names,
    )
    if len(labels) != len(source):
        raise InputError(
            f"labels: expected one for each of the source's {len(source)} items, got {len(labels)}:"
            " correct its labels"
        )
    return labels


def check_labels(labels: ArrayLike, class_names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Checks that each label is one of the classes.

    Args:
        labels: (n,) whole numbers of any dtype.
        class_names: the classes in the order of the labels.

    Returns:
        The labels as integers.

    Raises:
        InputError: they are no vector; or giving the first that is no number of a class, such as
            0.7, NaN or text.
    """
    try:
        given = np.asarray(labels)
    except ValueError:  # sequences of different lengths
        given = np.asarray(labels, object)
    if given.ndim != 1 or (given.dtype.kind == "O" and any(np.ndim(label) for label in given)):
        raise InputError(
            f"label: expected one class for each item, got labels of shape {given.shape}: give one"
            " number each"
        )
    if given.dtype.kind in "biuf":
        # NaN fails all.
        wrong = ~((given >= 0) & (given < len(class_names)) & (given == np.floor(given)))
    else:
        wrong = np.array([not isinstance(label, int | np.integer) for label in given], bool)
        wrong[~wrong] = [not 0 <= label < len(class_names) for label in given[~wrong]]
    if wrong.any():
        raise InputError(
            f"label: expected 0..{len(class_names) - 1} for the classes {', '.join(class_names)},"
            f" got {given[wrong].tolist()[0]!r}: correct the labels or the class names"
        )
    return given if given.dtype.kind in "iu" else given.astype(np.int64)


def check_indices(source: ImageSource, indices: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Checks positions of items in a source.

    Args:
        source: the images.
        indices: positions from 0, at least one.

    Returns:
        The positions as an int64 array.

    Raises:
        InputError: there are none, they are no integers, or one is outside the source.

    Example:
        >>> check_indices(SyntheticFundus(5, size=32), np.array([4, 0], np.int32))
        array([4, 0])
    """
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        raise InputError(
            "source: expected a data set whose items can be asked for by number, as"
            f" data.ImageFolder, got {type(source).__name__}"
        )
    if not getattr(source, "ndim", 1):
        raise InputError("source: expected a data set, got one number")
    positions = as_numpy(indices, name="indices")
    if positions.ndim != 1 or not positions.size or not np.issubdtype(positions.dtype, np.integer):
        raise InputError(
            "indices: expected a non-empty vector of integer positions, got shape"
            f" {positions.shape} of {positions.dtype}: give e.g. np.arange(len(source)) or one of"
            " the arrays that split returns"
        )
    if positions.min() < 0 or positions.max() >= len(source):
        raise InputError(
            f"indices: expected positions in 0..{len(source) - 1}, got"
            f" {positions.min()}..{positions.max()}: use indices that were made for this source"
        )
    return positions.astype(np.int64)


def load_arrays(
    source: ImageSource,
    indices: Int[np.ndarray, " n"],
    *,
    fields: Sequence[str] | None = None,
    num_threads: int | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Reads items into memory.

    Args:
        source: the images.
        indices: positions of the items wanted, in the order wanted.
        fields: names of the fields to keep; all by default.
        num_threads: that read; None takes as many as the host has cores, as suits files. Where
            items are computed in Python, threads only wait for each other: 1 is the fastest.
        progress: whether to show a progress bar.

    Returns:
        A dict of arrays with a leading axis of ``len(indices)``, e.g. ``image`` float32 (n, h, w,
        c); a field that is a dict itself becomes a dict of arrays.

    Raises:
        InputError: the indices do not fit the source, a field does not exist, or the items differ
            in fields, in shapes or in the kind of their numbers, or ``num_threads`` is below 1.

    Example:
        >>> source, fields = SyntheticFundus(5, size=32), ("image", "label")
        >>> arrays = load_arrays(source, np.array([4, 0]), fields=fields)
        >>> arrays["image"].shape, arrays["label"].shape
        ((2, 32, 32, 3), (2,))
    """
    check_count(num_threads, name="num_threads", or_none=True)
    check_flag(progress, name="progress")
    positions = check_indices(source, indices)
    first = _choose_fields(source[int(positions[0])], fields)
    arrays = _empty_like(first, len(positions))

    def read(row: int) -> None:
        _write_row(
            arrays, row, _choose_fields(source[int(positions[row])], fields), int(positions[row])
        )

    tqdm = import_extra("tqdm", "progress bars").tqdm
    with ThreadPoolExecutor(num_threads or os.cpu_count()) as pool:
        for _ in tqdm(
            pool.map(read, range(len(positions))),
            "images",
            len(positions),
            disable=None if progress else True,
        ):
            pass
    return arrays


def _choose_fields(item: Mapping[str, Any], fields: Sequence[str] | None) -> Mapping[str, Any]:
    """The wanted fields of an item."""
    if not isinstance(item, Mapping):
        raise InputError(
            f"source: expected items with arrays by name, got {type(item).__name__}: use a source"
            " of cfx_jax.data"
        )
    if fields is not None:
        check_texts(fields, name="fields")
    missing = [name for name in fields or () if name not in item]
    if missing:
        raise InputError(f"fields: expected some of {', '.join(item)}, got {missing[0]!r}")
    return item if fields is None else {name: item[name] for name in fields}


def _empty_like(item: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Arrays with room for ``number`` items like the one given; text is kept as Python objects."""
    arrays: dict[str, Any] = {}
    for name, value in item.items():
        if isinstance(value, Mapping):
            arrays[name] = _empty_like(value, number)
        else:
            array = np.asarray(value)
            dtype = object if array.dtype.kind in "US" else array.dtype
            arrays[name] = np.empty((number, *array.shape), dtype)
    return arrays


def _can_hold(dtype: np.dtype, value: np.ndarray) -> bool:
    """Tells whether an array of this type can hold the value; floats may be rounded, no more."""
    if not np.can_cast(value.dtype, dtype, "same_kind"):
        return False
    return dtype.kind not in "iu" or bool((value.astype(dtype) == value).all())


def _write_row(arrays: dict[str, Any], row: int, item: Mapping[str, Any], index: int) -> None:
    """Writes one item into its row."""
    if item.keys() != arrays.keys():
        raise InputError(
            f"item {index}: expected the fields {', '.join(arrays)}, as the first item has, got"
            f" {', '.join(item)}: choose common ones by `fields`"
        )
    for name, value in item.items():
        if isinstance(value, Mapping):
            _write_row(arrays[name], row, value, index)
        elif np.shape(value) != arrays[name].shape[1:]:
            raise InputError(
                f"item {index}: expected {name} of shape {arrays[name].shape[1:]}, as the first"
                f" item has, got {np.shape(value)}: bring all images to one size first"
            )
        elif not _can_hold(arrays[name].dtype, np.asarray(value)):
            raise InputError(
                f"item {index}: expected {name} of type {arrays[name].dtype}, as the first item"
                f" has, got {np.asarray(value).dtype}: bring all items to one type first"
            )
        else:
            arrays[name][row] = value
