"""Lengths of trainings in epochs: papers count passes over their training images, loops count
steps.
"""

import dataclasses
import math
from typing import Any, TypeVar

from cfx_jax.checks import check_count
from cfx_jax.errors import InputError

C = TypeVar("C", bound=Any)

_ONCE_AN_EPOCH = ("evaluate_every", "checkpoint_every")
_OF_OPTIMISERS = ("steps_per_epoch", "epoch")


def by_steps(config: C, *, num_images: int) -> C:
    """A configuration with a number of steps wherever it says 0.

    Args:
        config: of a training, a dataclass with ``epochs``, ``batch_size``, ``num_steps``,
            ``evaluate_every`` and ``checkpoint_every``, and perhaps an ``optimiser`` with
            ``steps_per_epoch`` or ``epoch``.
        num_images: the images of an epoch. It has as many steps as they make full batches, and at
            least one.

    Returns:
        A configuration in which ``num_steps`` of 0 are ``epochs`` long, and evaluations,
        checkpoints and the optimiser's epochs of 0 steps come once in an epoch. Numbers above 0
        stay.

    Raises:
        InputError: no number of epochs, or so few that they make no step; a batch without images.
    """
    check_count(config.batch_size, name="batch_size")
    epoch = max(1, num_images // config.batch_size)
    changes: dict[str, Any] = {name: epoch for name in _ONCE_AN_EPOCH if getattr(config, name) == 0}
    if config.num_steps == 0:
        steps = config.epochs * epoch
        if not 0.5 < steps < math.inf:  # NaN too
            raise InputError(
                f"epochs: expected enough for one of {epoch} steps, got {config.epochs}"
            )
        changes["num_steps"] = round(steps)
    optimiser = getattr(config, "optimiser", None)
    counted = {name: epoch for name in _OF_OPTIMISERS if getattr(optimiser, name, None) == 0}
    if optimiser is not None and counted:
        changes["optimiser"] = dataclasses.replace(optimiser, **counted)
    return dataclasses.replace(config, **changes)


def length_of(config: Any) -> str:
    """How long a training is, in words: its steps, or its epochs where the steps follow from them."""
    return f"{config.num_steps} steps" if config.num_steps else f"{config.epochs:g} epochs"
