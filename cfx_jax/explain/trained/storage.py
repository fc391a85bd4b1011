"""How a trained generator or sibling is stored: two files, facts as JSON and arrays as ``.npz``."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.errors import InputError, reason_of
from cfx_jax.files import check_kind, digest, read_json, replacing, write_text
from cfx_jax.parallel import is_first_process, wait_for_all, wait_for_file

_TRAINING = "training.json"
"""What the folder of a training has from its first step on."""


def write_trained(
    folder: str | os.PathLike[str],
    name: str,
    *,
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> Path:
    """Writes ``NAME.json`` and ``NAME.npz``, each in one move.

    The facts hold a digest of the arrays: ``read_trained`` notices files of two trainings. Of
    several processes of one run the first writes, and the others wait for it.

    Args:
        folder: made where it is missing; other files in it stay.
        name: of the files, and of the thing in messages.
        facts: values that JSON knows.
        arrays: by name.

    Returns:
        The folder.

    Raises:
        InputError: the folder cannot be written.
    """
    folder, file_of_arrays = Path(folder), Path(folder) / f"{name}.npz"
    file_of_facts = folder / f"{name}.json"
    if is_first_process():
        with replacing(file_of_arrays, durable=True) as path, path.open("wb") as file:
            given: dict[str, Any] = dict(arrays)
            np.savez(file, **given)
        noted = {**facts, "arrays": digest(file_of_arrays)}
        write_text(file_of_facts, json.dumps(noted, indent=1), durable=True)
    wait_for_all(f"{name} is written")
    wait_for_file(file_of_facts)
    return folder


def check_facts(facts: dict[str, Any], *, texts: Sequence[str], numbers: Sequence[str]) -> None:
    """Checks facts that may have been written by hand.

    Args:
        facts: of ``read_trained``, with the ``shape`` of the images.
        texts: names of the lists of texts among them.
        numbers: names of the lists of numbers.

    Raises:
        ValueError: naming one of another kind.
    """
    for name in texts:
        check_kind(facts[name], list, items=str, name=name)
    for name in (*numbers, "shape"):
        check_kind(facts[name], list, items=int | float, name=name)
    if len(facts["shape"]) != 3:
        raise ValueError(f"no shape of images: {facts['shape']}")


@contextmanager
def read_trained(
    folder: str | os.PathLike[str], name: str, *, made_by: str
) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Reads what ``write_trained`` wrote; an error in the ``with`` block counts as damaged files.

    Args:
        folder: the folder.
        name: as in ``write_trained``.
        made_by: the command that makes such a folder.

    Yields:
        Facts and arrays.

    Raises:
        InputError: nothing there, a training that is not finished, or damaged files.
    """
    folder = Path(folder)
    facts_file, file_of_arrays = folder / f"{name}.json", folder / f"{name}.npz"
    if not facts_file.is_file():
        if (folder / _TRAINING).is_file():
            raise InputError(
                f"{name}: the training in {folder} is not finished, or is not one of `{made_by}`:"
                " start its command again"
            )
        raise InputError(
            f"{name}: expected the --out of `{made_by}`, found no {facts_file.name} in {folder}"
        )
    facts = read_json(facts_file, advice="train it again")
    try:
        if facts["arrays"] != digest(file_of_arrays):
            raise InputError(f"{file_of_arrays.name} is not the one of {facts_file.name}")
        with np.load(file_of_arrays, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        yield facts, arrays
    except Exception as error:  # whatever NumPy, zipfile and a damaged file's content raise
        raise InputError(
            f"{name}: {folder} is damaged, or of another version: {reason_of(error)}: train it"
            " again"
        ) from error
