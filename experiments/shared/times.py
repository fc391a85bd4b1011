"""How long the trainings of presets take, and how often they look at themselves."""

from typing import Any


def times(num_steps: int, evaluate_every: int) -> dict[str, Any]:
    """A training's length, how often it looks at itself, and half as often saves itself, which
    takes seconds.
    """
    return {
        "num_steps": num_steps,
        "evaluate_every": evaluate_every,
        "checkpoint_every": 2 * evaluate_every,
        "log_every": 25,
    }
