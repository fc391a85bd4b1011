"""How long trainings are, where their length follows the number of scans."""

import dataclasses
from typing import TypeVar

from trainers import autoencoder, volume_config

C = TypeVar("C", volume_config.Config, autoencoder.Config)

_SAVED = 10  # epochs between checkpoints


def by_epochs(settings: C, num_epochs: int, num_examples: int) -> C:
    """A training that sees each example so often, looks at itself once an epoch, and saves itself every tenth.

    Args:
        settings: of the training.
        num_epochs: how often; 0 leaves the settings as they are.
        num_examples: of the training.
    """
    if not num_epochs:
        return settings
    batches = num_examples / settings.batch_size
    return _with(settings, max(1, round(num_epochs * batches)), max(1, round(batches)), _SAVED)


def by_share(settings: C, share: float) -> C:
    """A training on a share of the examples that sees each of them as often as the settings let all be seen.

    Args:
        settings: of the training on all examples.
        share: in (0, 1].
    """
    epoch = max(1, round(share * settings.evaluate_every))
    saved = max(1, round(settings.checkpoint_every / settings.evaluate_every))
    return _with(settings, max(1, round(share * settings.num_steps)), epoch, saved)


def _with(settings: C, num_steps: int, epoch: int, saved: int) -> C:
    return dataclasses.replace(
        settings,
        num_steps=num_steps,
        evaluate_every=epoch,
        checkpoint_every=saved * epoch,
        log_every=min(settings.log_every, epoch),
        optimiser=dataclasses.replace(settings.optimiser, epoch=epoch),
    )
