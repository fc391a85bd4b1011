"""How long the small trainings of presets take, and how often they are evaluated and saved."""

from typing import Any


def training_schedule(num_steps: int, evaluate_every: int) -> dict[str, Any]:
    """Steps of a training, and every how many of them it is evaluated, saved and logged.

    It is saved half as often as it is evaluated, since saving takes seconds.
    """
    return {
        "num_steps": num_steps,
        "evaluate_every": evaluate_every,
        "checkpoint_every": 2 * evaluate_every,
        "log_every": 25,
    }
