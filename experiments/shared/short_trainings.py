"""Short trainings of presets: small networks for few steps, in minutes on two cores."""

import dataclasses
from typing import Any, TypeVar

from trainers import OptimiserSettings, TrainerConfig, autoencoder, with_run

C = TypeVar("C", bound=TrainerConfig)

SHORT_ADAMW = OptimiserSettings("adamw", learning_rate=2e-3, weight_decay=1e-3, schedule="cosine")
"""The optimiser of small classifiers."""


def short_training(
    config: C, num_steps: int, batch_size: int, evaluate_every: int, **further: Any
) -> C:
    """A training of a number of steps.

    It is saved half as often as it is evaluated, since saving takes seconds.

    Args:
        config: the configuration of the training.
        num_steps, batch_size, evaluate_every: settings of its run.
        further: further settings of its run, or others than these.
    """
    schedule = {"checkpoint_every": 2 * evaluate_every, "log_every": 25, **further}
    return with_run(
        config,
        num_steps=num_steps,
        batch_size=batch_size,
        evaluate_every=evaluate_every,
        **schedule,
    )


def short_autoencoder(
    num_steps: int, batch_size: int, evaluate_every: int, *, learning_rate: float, **options: Any
) -> autoencoder.Config:
    """An autoencoder without batch norms, which draws small slices after few steps.

    The full resolution is folded into channels.

    Args:
        num_steps, batch_size, evaluate_every: settings of its run.
        learning_rate: the learning rate at first.
        options: further settings.
    """
    optimiser = dataclasses.replace(autoencoder.Config().optimiser, learning_rate=learning_rate)
    config = autoencoder.Config(norms=False, fold_pixels=True, optimiser=optimiser, **options)
    return short_training(
        config, num_steps, batch_size, evaluate_every, steps_per_epoch=evaluate_every
    )
