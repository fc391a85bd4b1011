"""Checks of what a reader has listed: each item once, and its files there."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cfx_jax.errors import InputError


def check_names(names: Sequence[str], folder: Path, *, what: str) -> None:
    """Checks that no name occurs twice.

    Args:
        names: the items' names.
        folder: where they were listed, for the message.
        what: what one item is called, for the message.

    Raises:
        InputError: naming the first that does.
    """
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"'{folder}': expected each {what} once, got '{twice[0]}' twice: remove one of its rows"
        )


def check_files(files: Sequence[Path], folder: Path, *, what: str) -> None:
    """Checks that all files are there; none is opened.

    Args:
        files: the files.
        folder: where they were listed, for the message.
        what: what one of them is called, for the message.

    Raises:
        InputError: giving how many are missing, and the first.
    """
    places = [os.path.split(each) for each in files]
    # One look at a folder takes less time than one for each of its files.
    present = {
        parent: set(os.listdir(parent))
        for parent in {parent for parent, _ in places}
        if os.path.isdir(parent)
    }
    missing = [
        os.path.join(*place) for place in places if place[1] not in present.get(place[0], ())
    ]
    if missing:
        raise InputError(
            f"'{folder}': expected {len(files)} {what}s, {len(missing)} are missing, the first is "
            f"'{missing[0]}': unpack all parts of the download, or remove the rows of those that"
            f" you leave out"
        )
