"""Trainings on a share of the scans, for Table 4."""

import dataclasses
from typing import Any, TypeVar

C = TypeVar("C", bound=Any)

_STEPS = ("num_steps", "evaluate_every", "checkpoint_every")


def by_share(settings: C, share: float) -> C:
    """A training on a share of the scans that sees each of them as often as the settings let all be
    seen.

    Args:
        settings: of the training on all scans. Lengths of 0 stay, since
            ``trainers.epochs.by_steps`` counts them out for the scans at hand.
        share: in (0, 1].
    """

    def shortened(steps: int) -> int:
        return max(1, round(share * steps)) if steps else 0

    optimiser = dataclasses.replace(settings.optimiser, epoch=shortened(settings.optimiser.epoch))
    lengths = {name: shortened(getattr(settings, name)) for name in _STEPS}
    return dataclasses.replace(settings, optimiser=optimiser, **lengths)
