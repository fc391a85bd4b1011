"""The folder of one training, which belongs to one configuration and one process at a time.

``WORKDIR/training.json`` holds the configuration, ``checkpoints/``, ``metrics.jsonl`` and
``tensorboard/`` lie beside it. A folder with other contents, or of another configuration, is
refused before anything is written.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.errors import InputError
from cfx_jax.files import read_json, write_text, writing
from cfx_jax.parallel import (
    check_same,
    check_same_folder,
    first_process_locks,
    is_first_process,
    wait_for_all,
)

_NAME = "training.json"
_FORMAT = "cfx-jax training, version 1"
_ABSENT = object()


def prepare_workdir(workdir: str | Path, config: Any) -> Path:
    """Makes the folder of a training, or checks that it belongs to this configuration.

    Args:
        workdir: the folder; it and its parents are created where missing.
        config: a dataclass or mapping, nested as you like, of values that JSON has (others are
            stored as ``str``).

    Returns:
        The folder's absolute path.

    Raises:
        InputError: the path is no folder, cannot be written, holds other files, or another
            configuration.
    """
    folder = Path(workdir).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"workdir: expected a folder, {folder} is a file: choose another workdir")
    fields = _plain(config)
    if (folder / _NAME).is_file():
        _check_same(folder, load_config(folder), fields)
        return folder
    if is_first_process():
        _check_unused(folder)
        advice = "choose a workdir that can be written"
        with writing("the configuration", folder, advice, barred=advice):
            text = json.dumps({"format": _FORMAT, "config": fields}, indent=1) + "\n"
            write_text(folder / _NAME, text, durable=True)
    return folder


@contextmanager
def training_alone(workdir: str | Path, config: Any) -> Iterator[None]:
    """Keeps the folder of a training for this process, or for all processes of one training.

    It does so while the block runs.

    Args:
        workdir: the folder. The first of several processes holds its lock.
        config: the configuration of the training, see ``prepare_workdir``.

    Raises:
        InputError: another training runs there, see ``locks.locked``; or, of several processes of
            one run, one has another folder or another configuration.
    """
    check_same("config", _flatten(_plain(config)))
    check_same_folder("workdir", workdir)
    with first_process_alone(workdir):
        yield
        wait_for_all("the end of a training")


def first_process_alone(workdir: str | Path) -> AbstractContextManager[None]:
    """Keeps the folder for the first process of a training, see ``training_alone``."""
    return first_process_locks(workdir, doing="trains")


def load_config(workdir: str | Path) -> dict[str, Any]:
    """Reads the configuration that a training was started with, as nested dictionaries.

    Raises:
        InputError: the folder holds no training of this library, or its ``training.json`` cannot be
            read.
    """
    path = Path(workdir).expanduser().absolute() / _NAME
    if not path.is_file():
        raise InputError(
            f"workdir: {path.parent} holds no training ({_NAME} is missing): check the path"
        )
    advice = f"restore it, or delete {path.parent} to start anew"
    record = read_json(path, advice=advice, root=object)
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise InputError(
            f"{path} was not written by this library (expected '{_FORMAT}'): choose another workdir"
        )
    if not isinstance(record.get("config"), dict):
        raise InputError(f"'{path}' is damaged, its configuration is missing: {advice}")
    return record["config"]


def digest_of_config(config: Any) -> str:
    """Twelve hexadecimal digits that a training of another configuration does not have."""
    text = json.dumps(_flatten(_plain(config)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(config: Any) -> dict[str, Any]:
    """Converts a configuration to what JSON gives back of it, by which configurations compare."""
    is_instance = dataclasses.is_dataclass(config) and not isinstance(config, type)
    fields = dataclasses.asdict(config) if is_instance else config
    if not isinstance(fields, Mapping):
        raise InputError(f"config: expected a dataclass or a mapping, got {type(config).__name__}")
    return json.loads(
        json.dumps(
            fields,
            default=lambda value: value.item() if isinstance(value, np.generic) else str(value),
        )
    )


def _check_unused(folder: Path) -> None:
    """Refuses a folder with contents.

    Hidden files, as a start cut short leaves them, do not count.
    """
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    foreign = [name for name in names if not name.startswith(".")]
    if foreign:
        raise InputError(
            f"workdir: {folder} holds other files ({', '.join(foreign[:3])}) and no training of"
            " this library: choose an empty or new folder"
        )


def _check_same(folder: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    old, new = _flatten(stored), _flatten(given)
    names = [name for name in {**old, **new} if old.get(name, _ABSENT) != new.get(name, _ABSENT)]
    if names:
        differing = "; ".join(
            f"{name} was {_show(old, name)}, now {_show(new, name)}" for name in names
        )
        raise InputError(
            f"workdir: {folder} holds a training of another configuration ({differing}): choose"
            " another workdir or delete this one"
        )


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= (
            _flatten(value, f"{prefix}{name}.")
            if isinstance(value, Mapping)
            else {prefix + name: value}
        )
    return flat


def _show(flat: Mapping[str, Any], name: str) -> str:
    return json.dumps(flat[name]) if name in flat else "absent"
