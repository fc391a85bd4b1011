"""Lengths of trainings in epochs: papers count passes over their training images, trainers count steps."""

import dataclasses
from typing import Any, TypeVar

C = TypeVar("C", bound=Any)

BY_EPOCHS: dict[str, Any] = {"num_steps": 0, "evaluate_every": 0, "checkpoint_every": 0}
"""What a training says whose length follows from epochs and images, see ``by_steps``."""
_ONCE_AN_EPOCH = ("evaluate_every", "checkpoint_every")


def steps_of_epoch(num_images: int, batch_size: int) -> int:
    """The whole batches that some images make."""
    return num_images // batch_size


def by_steps(settings: C, *, epochs: float, steps_per_epoch: int) -> C:
    """A training's settings with a number of steps wherever they say 0.

    Args:
        settings: of a training, a dataclass with ``num_steps``, ``evaluate_every`` and ``checkpoint_every``, and perhaps an
            ``optimiser`` with ``steps_per_epoch``.
        epochs: the length of the training.
        steps_per_epoch: of these images in batches of this training.

    Returns:
        Settings in which a length of 0 is ``epochs`` long, and evaluations, checkpoints and the optimiser's epochs of 0
        steps come once in an epoch. Numbers above 0 stay.
    """
    epoch = max(1, steps_per_epoch)
    changes: dict[str, Any] = {name: epoch for name in _ONCE_AN_EPOCH if getattr(settings, name) == 0}
    if settings.num_steps == 0:
        changes["num_steps"] = max(1, round(epochs * epoch))
    optimiser = getattr(settings, "optimiser", None)
    if getattr(optimiser, "steps_per_epoch", None) == 0:
        changes["optimiser"] = dataclasses.replace(optimiser, steps_per_epoch=epoch)
    return dataclasses.replace(settings, **changes)


def counted_in_epochs(settings: C) -> bool:
    """Whether any length of a training is 0, which ``by_steps`` replaces."""
    return any(getattr(settings, name) == 0 for name in BY_EPOCHS)
