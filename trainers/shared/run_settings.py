"""How long a training runs and how its steps are computed: what all trainers share."""

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from jaxtyping import Int

from cfx_jax.checks import (
    InputError,
    check_count,
    check_integer,
    check_number,
    check_type,
)
from cfx_jax.models import ComputeDtype

_ONCE_AN_EPOCH = ("steps_per_epoch", "evaluate_every", "checkpoint_every")


@dataclass(frozen=True)
class RunSettings:
    """How long a training runs, in which batches, how they are computed, and what is stored when.

    The defaults of a trainer stand in its own configuration, with their sources.
    """

    epochs: float = 0
    """Passes over the training images, where num_steps is 0. A pass with balanced classes shows
    every image of the largest class once and the others more often."""
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have."""
    steps_per_epoch: int = 0
    """Steps of one epoch; 0 for as many as the training images make whole batches."""
    batch_size: int = 64
    """Images of one step, over all devices; of each decision where a trainer says so."""
    eval_batch_size: int = 64
    """Images of one batch of the evaluation; does not change its result."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for one epoch."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for one epoch; at most so much is lost when the training is
    stopped. progressive, fixed_point, vae, mask_generator, segmentation and multi_label set their
    own."""
    log_every: int = 50
    """Steps between lines of metrics."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""
    compute_dtype: ComputeDtype = "float32"
    """The number type in which the trained networks compute, now and when they are loaded; bfloat16
    takes half the memory and is several times faster on accelerators. Weights, statistics of norms,
    losses and attacks are float32 in either case."""
    accumulate: int = 1
    """Equal parts that a batch is computed in, one after the other, for less memory. The step goes
    down the mean of their gradients; batch norms see one part at a time. cycle, fixed_point and
    progressive take 1 alone."""
    remat: bool = False
    """Whether blocks of layers keep their input alone for the gradient and are computed once more:
    less memory for a third more work, and the same gradients."""


_LEAST = {"num_steps": 0, "steps_per_epoch": 0, "evaluate_every": 0, "checkpoint_every": 0}
_LEAST |= {"eval_batch_size": 1, "log_every": 1}
"""The least number of each setting that counts something."""

_ADDED_LATER = {"compute_dtype": "float32", "accumulate": 1, "remat": False}
"""Settings of a run that earlier versions did not have, and what they computed with."""


def as_stored(value: Any) -> Any:
    """A configuration, or what holds some, as nested mappings and lists that are stored.

    Settings of a run that were added later are left out while they have the value that was
    computed with before, so that what an earlier version stored is still found.

    Args:
        value: dataclasses, mappings, sequences and plain values, nested as deep as they like.

    >>> as_stored(RunSettings(remat=True))["remat"], "remat" in as_stored(RunSettings())
    (True, False)
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, RunSettings):
            fields = {n: v for n, v in fields.items() if _ADDED_LATER.get(n, _ADDED_LATER) != v}
        return as_stored(fields)
    if isinstance(value, Mapping):
        return {name: as_stored(part) for name, part in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return [as_stored(part) for part in value] if isinstance(value, list | tuple) else value


def check_run(run: RunSettings) -> None:
    """Checks the settings of a run, but for what depends on the data and the devices.

    Raises:
        InputError: a number of steps, images or parts that is no integer or too small; a seed that
            is no integer, below 0, or has more than 63 bits; epochs that are no number.
    """
    check_type(run, RunSettings, name="run", wanted="RunSettings")
    for name, least in _LEAST.items():
        check_integer(getattr(run, name), name=name, at_least=least)
    if not isinstance(run.seed, int) or isinstance(run.seed, bool) or not 0 <= run.seed < 2**63:
        raise InputError(f"seed: expected an integer from 0 to {2**63 - 1}, got {run.seed!r}")
    check_number(run.epochs, name="epochs")


class RunConfig(Protocol):
    """A configuration with the settings of a run; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def run(self) -> RunSettings:
        """The settings of the run."""


C = TypeVar("C", bound=RunConfig)
D = TypeVar("D")


def with_run(config: C, **changes: Any) -> C:
    """A configuration with other settings of its run.

    Args:
        config: the configuration of a training.
        changes: fields of ``RunSettings`` by name.
    """
    return dataclasses.replace(config, run=dataclasses.replace(config.run, **changes))


def images_per_epoch(labels: Int[np.ndarray, " n"], *, balanced: bool) -> int:
    """The number of images in one epoch.

    Args:
        labels: the classes of the training images.
        balanced: whether batches hold as many images of each class; then an epoch shows the
            largest class once. Of the 31,744 images of Boreiko et al. 25,338 are healthy, so an
            epoch shows 50,676.

    Raises:
        InputError: no training images.
    """
    if not len(labels):
        raise InputError("train_indices: expected at least one training image, got none")
    largest, classes = np.bincount(labels).max(), len(np.unique(labels))
    return int(largest * classes) if balanced else len(labels)


def count_steps(config: C, *, num_images: int) -> C:
    """A configuration whose run has a number of steps wherever it says 0.

    Args:
        config: the configuration of a training.
        num_images: the images of an epoch. It has as many steps as they make full batches, and at
            least one.

    Returns:
        A configuration in which ``num_steps`` of 0 are ``epochs`` long, and an epoch, evaluations
        and checkpoints of 0 steps take one epoch. Numbers above 0 stay.

    Raises:
        InputError: no number of epochs, or so few that they make no step; a batch without images.
    """
    run = config.run
    check_count(run.batch_size, name="batch_size")
    epoch = run.steps_per_epoch or max(1, num_images // run.batch_size)
    changes: dict[str, Any] = {name: epoch for name in _ONCE_AN_EPOCH if getattr(run, name) == 0}
    if run.num_steps == 0:
        steps = run.epochs * epoch
        if not 0.5 < steps < math.inf:  # NaN too
            raise InputError(f"epochs: expected enough for one of {epoch} steps, got {run.epochs}")
        changes["num_steps"] = round(steps)
    return with_run(config, **changes)


def describe_length(run: RunSettings) -> str:
    """How long a training is, in words: its steps, or the epochs that they follow from."""
    return f"{run.num_steps} steps" if run.num_steps else f"{run.epochs:g} epochs"


def restore_config(config_class: type[D], fields: Mapping[str, Any]) -> D:
    """A configuration from its stored fields, nested classes and tuples too.

    Args:
        config_class: the class of the configuration, a dataclass.
        fields: the values by name; names that the class does not have are ignored.

    Raises:
        InputError: a field is not of its type, as in a file that was edited.
    """
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    return config_class(
        **{
            name: _restore_value(name, hints[name], fields[name])
            for name in names
            if name in fields
        }
    )


def _restore_value(name: str, hint: Any, value: Any) -> Any:
    if not _fits(hint, value):
        kind = getattr(hint, "__name__", str(hint))
        raise InputError(
            f"{name}: expected {kind}, got {value!r} in the stored configuration: restore"
            " training.json"
        )
    if dataclasses.is_dataclass(hint):
        return restore_config(hint, value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value that JSON gave is of a type; True for types that are not looked into here."""
    if dataclasses.is_dataclass(hint):
        return isinstance(value, Mapping)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list | tuple)
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if hint in (int, float, str, bool):
        wanted = (int, float) if hint is float else hint
        return isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
    return True
