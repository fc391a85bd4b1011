"""Lengths of trainings in epochs: papers count passes over their training images, loops count steps."""

import dataclasses
from typing import Any, TypeVar

from cfx_jax.errors import InputError

C = TypeVar("C", bound=Any)

_ONCE_AN_EPOCH = ("evaluate_every", "checkpoint_every")


def by_steps(config: C, *, steps_per_epoch: int) -> C:
    """A configuration with a number of steps wherever it says 0.

    Args:
        config: of a training, a dataclass with ``epochs``, ``num_steps``, ``evaluate_every`` and ``checkpoint_every``, and
            perhaps an ``optimiser`` with ``steps_per_epoch``.
        steps_per_epoch: the whole batches that the training images make; 0 counts as 1.

    Returns:
        A configuration in which ``num_steps`` of 0 are ``epochs`` long, and evaluations, checkpoints and the optimiser's
        epochs of 0 steps come once in an epoch. Numbers above 0 stay.

    Raises:
        InputError: so few epochs that they make no step.
    """
    epoch = max(1, steps_per_epoch)
    changes: dict[str, Any] = {name: epoch for name in _ONCE_AN_EPOCH if getattr(config, name) == 0}
    if config.num_steps == 0:
        changes["num_steps"] = round(config.epochs * epoch)
        if changes["num_steps"] < 1:
            raise InputError(f"epochs: expected enough for one of {epoch} steps, got {config.epochs}")
    optimiser = getattr(config, "optimiser", None)
    if optimiser is not None and getattr(optimiser, "steps_per_epoch", None) == 0:
        changes["optimiser"] = dataclasses.replace(optimiser, steps_per_epoch=epoch)
    return dataclasses.replace(config, **changes)


def length_of(config: Any) -> str:
    """How long a training is, in words: its steps, or its epochs where the steps follow from them."""
    return f"{config.num_steps} steps" if config.num_steps else f"{config.epochs:g} epochs"
