"""A learning rate that falls while the validation loss does not, in the middle of a training that
can be stopped.

Validation happens between the steps, so its outcome is no part of their state: the rate travels
with the batches, and its course is kept with their position. A training that goes on from a
checkpoint thus has the rate that it would have had.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cfx_jax.errors import InputError
from cfx_jax.training.loop import Batches

_LOWER = 1e-4
"""A loss is lower when it is so by this share of the lowest so far."""


@dataclass(frozen=True)
class ValidationPlateauConfig:
    """A learning rate that falls while the validation loss does not. Defaults: the released code of
    SyCE and CyCE.
    """

    learning_rate: float = 1e-4
    """At first (released code: 1e-4)."""
    factor: float = 0.3
    """What the learning rate is multiplied by (released code: 0.3)."""
    patience: int = 4
    """Evaluations in a row without a lower loss before that (released code: 4 epochs)."""
    smallest: float = 1e-5
    """Where the learning rate stops falling (released code: 1e-5)."""


class Plateau:
    """The learning rate after the validations so far.

    Args:
        config: its course.

    Raises:
        InputError: a number out of its range.
    """

    def __init__(self, config: ValidationPlateauConfig) -> None:
        rates = 0 < config.smallest <= config.learning_rate
        if not (rates and 0 < config.factor < 1 and config.patience >= 1):
            raise InputError(
                "optimiser: expected a factor in (0, 1), patience of at least 1, and 0 < smallest"
                " <= learning_rate, got"
                f" {config}"
            )
        self._config, self.rate = config, config.learning_rate
        self._lowest, self._waited = float("inf"), 0

    def offer(self, loss: float) -> None:
        """Takes the loss of one validation."""
        if loss < self._lowest * (1 - _LOWER):
            self._lowest, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self._config.patience:
            self.rate, self._waited = max(self.rate * self._config.factor, self._config.smallest), 0

    def get_state(self) -> dict[str, float | None]:
        """The course so far, of values that JSON knows."""
        lowest = None if self._lowest == float("inf") else self._lowest
        return {"rate": self.rate, "lowest": lowest, "waited": self._waited}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to what ``get_state`` gave."""
        self.rate, self._waited = state["rate"], state["waited"]
        self._lowest = float("inf") if state["lowest"] is None else state["lowest"]


class RatedBatches:
    """Batches with the learning rate of their step, ``learning_rate`` float32 (b,).

    Args:
        batches: whose dicts hold ``image``.
        plateau: gives the rate.
    """

    def __init__(self, batches: Batches, plateau: Plateau) -> None:
        self._batches, self._plateau = batches, plateau

    def __next__(self) -> dict[str, Any]:
        batch = next(self._batches)
        # One for each image, since every array of a batch is spread over the devices.
        return {
            **batch,
            "learning_rate": np.full(len(batch["image"]), self._plateau.rate, np.float32),
        }

    def get_state(self) -> dict[str, Any]:
        """Position and course of the rate."""
        return {"batches": self._batches.get_state(), "plateau": self._plateau.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to what ``get_state`` gave."""
        self._batches.set_state(state["batches"])
        self._plateau.set_state(state["plateau"])
