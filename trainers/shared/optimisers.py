"""Optimisers and schedules of the learning rate, among them rates that fall on a plateau.

``progressive``, ``mask_generator`` and ``segmentation`` make their own optimisers in their files.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from cfx_jax.checks import InputError, check_choice, check_count, check_positive
from cfx_jax.training import Batches

from .run_settings import RunSettings

RULES = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "cosine", "cosine_by_epoch", "triangle", "line")
_LOWER = 1e-4
"""A loss counts as lower if it is below the lowest so far by this share of it."""


@dataclass(frozen=True)
class OptimiserSettings:
    """An optimiser and the course of its learning rate. The defaults of a trainer stand there."""

    rule: Literal["sgd", "adam", "adamw"] = "adam"
    """Stochastic gradient descent with momentum; Adam (Kingma and Ba 2015); or AdamW, which decays
    the weights directly (Loshchilov and Hutter 2019)."""
    learning_rate: float = 1e-3
    """Largest learning rate of the schedule."""
    momentum: float = 0.9
    """Momentum of sgd, in [0, 1); the decay rate of the first moment of adam and adamw."""
    nesterov: bool = False
    """Whether momentum of sgd is Nesterov's."""
    weight_decay: float = 0.0
    """Weight of the l2 penalty on all parameters, the parameters of batch normalisation included.
    sgd and adam add it to the gradient; adamw decays the weights by it."""
    schedule: Literal["constant", "cosine", "cosine_by_epoch", "triangle", "line"] = "constant"
    """Course of the learning rate: constant; half a cosine, step by step or epoch by epoch;
    linearly up from 0 and down to 0; or constant at first and then in a line down to 0."""
    smallest: float = 0.0
    """The learning rate that cosine_by_epoch would reach after the last epoch."""
    turn: float = 1 / 3
    """The step of the triangle's top, or of the line's first fall, as a share of all steps."""


@dataclass(frozen=True)
class PlateauSettings:
    """A learning rate that falls while a loss does not. The defaults of a trainer stand there."""

    learning_rate: float = 1e-4
    """The learning rate of Adam at first."""
    factor: float = 0.3
    """The factor on the learning rate at each fall, in (0, 1)."""
    patience: int = 4
    """Evaluations or epochs in a row without a lower loss before that."""
    smallest: float = 1e-5
    """The smallest learning rate."""


def make_schedule(
    settings: OptimiserSettings, run: RunSettings, *, updates: int = 1
) -> optax.Schedule:
    """The learning rate as a function of the number of updates done.

    Epoch by epoch the rate of epoch e of E, counted from 0, is
    ``smallest + (learning_rate - smallest) (1 + cos(pi e / E)) / 2``.

    Args:
        settings: the course of the rate.
        run: contains the number of steps, and of the steps of an epoch; the last may be shorter.
        updates: how often the network is updated in one step.

    Raises:
        InputError: an unknown schedule; rates that are not above 0 or do not fall; a turn that is
            no share of the steps; a run whose steps were not counted out.
    """
    if run.num_steps < 1:
        raise InputError(
            f"num_steps: expected at least 1, got {run.num_steps}: count_steps counts out epochs"
        )
    check_choice(settings.schedule, SCHEDULES, name="schedule")
    num_updates, rate = run.num_steps * updates, settings.learning_rate
    check_positive(rate, name="learning_rate")
    if not 0 <= settings.smallest <= rate:
        raise InputError(
            f"smallest: expected it in [0, {rate}], the learning_rate, got {settings.smallest}"
        )
    if settings.schedule == "constant":
        return optax.constant_schedule(rate)
    if settings.schedule == "cosine":
        return optax.cosine_decay_schedule(rate, num_updates)
    if settings.schedule == "cosine_by_epoch":
        return _cosine_by_epoch(settings, num_updates, run.steps_per_epoch * updates)
    falls_at_once = settings.schedule == "line" and settings.turn == 0
    if not (0 < settings.turn < 1 or falls_at_once):
        raise InputError(f"turn: expected a share of all steps in (0, 1), got {settings.turn}")
    if settings.schedule == "line":
        constant = (run.num_steps - round((1 - settings.turn) * run.num_steps)) * updates
        falling = max(num_updates - constant, 1)
        return optax.linear_schedule(rate, 0.0, falling, transition_begin=constant)
    places = jnp.array([0, settings.turn * num_updates, num_updates])
    rates = jnp.array([0, rate, 0])
    return lambda step: jnp.interp(step, places, rates)


def _cosine_by_epoch(
    settings: OptimiserSettings, num_updates: int, epoch: int
) -> Callable[[ArrayLike], Array]:
    check_count(epoch, name="steps_per_epoch")
    num_epochs = math.ceil(num_updates / epoch)

    def rate(step: ArrayLike) -> Array:
        share = (1 + jnp.cos(jnp.pi * (jnp.asarray(step) // epoch) / num_epochs)) / 2
        return settings.smallest + (settings.learning_rate - settings.smallest) * share

    return rate


def make_optimiser(
    settings: OptimiserSettings, run: RunSettings, *, updates: int = 1
) -> optax.GradientTransformation:
    """The optimiser of a training.

    Args:
        settings, run, updates: as in ``make_schedule``.

    Raises:
        InputError: as ``make_schedule``; an unknown rule, or numbers out of range.
    """
    check_choice(settings.rule, RULES, name="rule")
    if not 0 <= settings.momentum < 1:
        raise InputError(f"momentum: expected it in [0, 1), got {settings.momentum}")
    decay = settings.weight_decay
    if not decay >= 0:
        raise InputError(f"weight_decay: expected a weight of at least 0, got {decay}")
    rate = make_schedule(settings, run, updates=updates)
    if settings.rule == "adamw":
        return optax.adamw(rate, b1=settings.momentum, weight_decay=decay)
    if settings.rule == "adam":
        rule = optax.adam(rate, b1=settings.momentum)
    else:
        rule = optax.sgd(rate, momentum=settings.momentum, nesterov=settings.nesterov)
    return optax.chain(optax.add_decayed_weights(decay), rule)


def check_plateau(settings: PlateauSettings) -> None:
    """Checks the numbers of a falling learning rate.

    Raises:
        InputError: a number out of its range.
    """
    rates = 0 < settings.smallest <= settings.learning_rate
    if not (rates and 0 < settings.factor < 1 and settings.patience >= 1):
        raise InputError(
            "optimiser: expected a factor in (0, 1), patience of at least 1, and 0 < smallest <="
            f" learning_rate, got {settings}"
        )


class Plateau:
    """The learning rate after the validations so far.

    Validation happens between the steps, so its outcome is no part of their state: the rate
    travels with the batches (``RatedBatches``), and its course is kept with their position. A
    training that goes on from a checkpoint thus has the rate that it would have had.

    Args:
        settings: the course of the rate.

    Attributes:
        rate: the learning rate now.

    Raises:
        InputError: a number out of its range.
    """

    def __init__(self, settings: PlateauSettings) -> None:
        check_plateau(settings)
        self._settings, self.rate = settings, settings.learning_rate
        self._lowest, self._waited = math.inf, 0

    def observe(self, loss: float) -> None:
        """Takes the loss of one validation, and lowers the rate where it is due."""
        if loss < self._lowest * (1 - _LOWER):
            self._lowest, self._waited = loss, 0
            return
        self._waited += 1
        if self._waited >= self._settings.patience:
            self.rate = max(self.rate * self._settings.factor, self._settings.smallest)
            self._waited = 0

    def get_state(self) -> dict[str, float | None]:
        """The course so far, of values that JSON has."""
        lowest = None if self._lowest == math.inf else self._lowest
        return {"rate": self.rate, "lowest": lowest, "waited": self._waited}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to a position that ``get_state`` returned."""
        self.rate, self._waited = state["rate"], state["waited"]
        self._lowest = math.inf if state["lowest"] is None else state["lowest"]


class RatedBatches:
    """Batches with the learning rate of their step, ``learning_rate`` float32 (b,).

    Args:
        batches: the batches, dicts with ``image``.
        plateau: returns the rate.
    """

    def __init__(self, batches: Batches, plateau: Plateau) -> None:
        self._batches, self._plateau = batches, plateau

    def __next__(self) -> dict[str, Any]:
        batch = next(self._batches)
        # One for each image, since every array of a batch is spread over the devices.
        rates = np.full(len(batch["image"]), self._plateau.rate, np.float32)
        return {**batch, "learning_rate": rates}

    def observe(self, metrics: dict[str, float]) -> dict[str, float]:
        """Adds the rate of the steps before to a validation's metrics, and takes its loss."""
        noted = metrics | {"learning_rate": self._plateau.rate}
        self._plateau.observe(metrics["validation_loss"])
        return noted

    def get_state(self) -> dict[str, Any]:
        """Position, and course of the rate."""
        return {"batches": self._batches.get_state(), "plateau": self._plateau.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to a position that ``get_state`` returned."""
        self._batches.set_state(state["batches"])
        self._plateau.set_state(state["plateau"])
