"""Checks of what a reader has listed: each entry once, and its files there."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cfx_jax.data.user_files import is_folder, is_regular
from cfx_jax.errors import InputError


def inner_folder(folder: Path, name: str) -> Path:
    """The folder of this name within ``folder`` where it is there, else ``folder`` itself."""
    return folder / name if is_folder(folder / name) else folder


def first_file(folder: Path, names: Sequence[str]) -> Path:
    """The first of several files that is there; the first of all where none is."""
    files = [folder / name for name in names]
    return next((file for file in files if is_regular(file)), files[0])


def check_entries(records: Sequence[Any], folder: Path, *, what: str) -> None:
    """Checks that each record has a name of its own, and an ``image`` that is there."""
    check_names([record.name for record in records], folder, what=what)
    check_files([record.image for record in records], folder, what=what)


def check_names(names: Sequence[str], folder: Path, *, what: str) -> None:
    """Checks that no name occurs twice; ``what`` is the message's word for what has the name.

    Raises:
        InputError: naming the first that does.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"'{folder}': expected each {what} once, got '{twice[0]}' twice: remove one of its rows"
        )


def check_files(files: Sequence[Path], folder: Path, *, what: str) -> None:
    """Checks that all files are there, and opens none; ``what`` is the message's word for one.

    Raises:
        InputError: giving how many are missing, and the first.
    """
    places = [os.path.split(file) for file in files]
    # One look at a folder takes less time than one for each of its files.
    parents = {parent for parent, _ in places if os.path.isdir(parent)}
    present = {parent: set(os.listdir(parent)) for parent in parents}
    missing = [
        os.path.join(parent, name) for parent, name in places if name not in present.get(parent, ())
    ]
    if missing:
        raise InputError(
            f"'{folder}': expected {len(files)} {what}s, {len(missing)} are missing, the first is"
            f" '{missing[0]}': unpack all parts of the download, or remove the rows of those that"
            " you leave out"
        )
