"""Trainings on a share of the scans, for Table 4."""

from typing import TypeVar

from trainers import TrainerConfig, with_run

C = TypeVar("C", bound=TrainerConfig)

_STEPS = ("num_steps", "steps_per_epoch", "evaluate_every", "checkpoint_every")


def by_share(settings: C, share: float) -> C:
    """A training on a share of the scans that sees each of them as often as the settings let all be
    seen.

    Args:
        settings: of the training on all scans. Lengths of 0 stay, since
            ``trainers.count_steps`` counts them out for the scans at hand.
        share: in (0, 1].
    """

    def shortened(steps: int) -> int:
        return max(1, round(share * steps)) if steps else 0

    return with_run(settings, **{name: shortened(getattr(settings.run, name)) for name in _STEPS})
