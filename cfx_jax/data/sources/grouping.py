"""The groups of images, such as the images of one patient, which no split may divide."""

import re
from collections.abc import Sequence

from cfx_jax.data.sources.collected_files import CollectedFile
from cfx_jax.errors import InputError

_COLUMN = "column:"
_EXAMPLE = r"give e.g. '(patient\d+)'"


def group_column(groups: str | None) -> str | None:
    """The column of a table that ``groups`` names as ``column:NAME``; None where it names none."""
    if groups is None or not groups.startswith(_COLUMN):
        return None
    return groups.removeprefix(_COLUMN)


def find_groups(files: Sequence[CollectedFile], groups: str | None) -> list[CollectedFile]:
    """Finds the group of each file, and checks that no group is in two splits.

    Args:
        files: the files, with their labels.
        groups: see ``open_images``.

    Returns:
        The files with their groups, where any are known.

    Raises:
        InputError: the pattern is none, has another number of groups than one, or does not fit
            every name; a file has no folder or no group; a group is in two splits.
    """
    names = _find(files, groups)
    if names is None and any(len(file.contents.numbers) > 1 for file in files):
        names = [file.name for file in files]
    grouped = list(files)
    if names is not None:
        pairs = zip(files, names, strict=True)
        grouped = [file._replace(group=group) for file, group in pairs]
    _check_splits(grouped)
    return grouped


def _find(files: Sequence[CollectedFile], groups: str | None) -> list[str] | None:
    if groups == "folder":
        return _by_folder(files)
    if groups is None or group_column(groups) is not None:
        return _by_column(files, needed=groups is not None)
    return _by_pattern([file.name for file in files], groups)


def _check_splits(files: Sequence[CollectedFile]) -> None:
    splits = [file.entry.split for file in files]
    if any(splits) and not all(splits):
        count = sum(not one for one in splits)
        raise InputError(
            f"split: expected one for every image, {count} of {len(splits)} have none: fill the"
            " column, or leave it out"
        )
    split_of = dict[str | None, str | None]()
    for file, part in zip(files, splits, strict=True):
        if file.group is not None and split_of.setdefault(file.group, part) != part:
            raise InputError(
                f"split: expected each group in one split, got '{file.group}' in"
                f" '{split_of[file.group]}' and '{part}': a classifier would be tested on whom it"
                " was trained on"
            )


def _by_folder(files: Sequence[CollectedFile]) -> list[str]:
    for file in files:
        # The first level of folders are the classes, where no table states them.
        depth = 2 if file.label is not None and file.entry.label is None else 1
        if len(file.entry.folders) < depth:
            below = "below its class folder" if depth == 2 else "around it"
            raise InputError(
                f"groups: expected a folder for each group, '{file.name}' has none {below}: sort"
                " the images, or give a pattern or column:NAME"
            )
    return [file.entry.folders[-1] for file in files]


def _by_column(files: Sequence[CollectedFile], *, needed: bool) -> list[str] | None:
    if not needed and all(file.entry.group is None for file in files):
        return None
    for file in files:
        if file.entry.group is None:
            raise InputError(
                f"groups: expected a group for every image, '{file.name}' has none: fill the column"
            )
    return [str(file.entry.group) for file in files]


def _by_pattern(names: Sequence[str], groups: str) -> list[str]:
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise InputError(
            f"groups: expected a pattern, got {groups!r} ({error}): {_EXAMPLE}"
        ) from error
    if pattern.groups != 1:
        raise InputError(
            "groups: expected 'folder', column:NAME, or a pattern with one group in brackets, got"
            f" {groups!r} with {pattern.groups}: {_EXAMPLE}"
        )
    matches = [pattern.search(name) for name in names]
    wrong = [name for name, match in zip(names, matches, strict=True) if not (match and match[1])]
    if wrong:
        raise InputError(
            f"groups: expected a pattern that fits every name, {groups!r} fits"
            f" {len(names) - len(wrong)} of {len(names)} and not '{wrong[0]}'"
        )
    return [match[1] for match in matches if match]
