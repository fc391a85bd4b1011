"""Optimisers and learning-rate schedules by name, from a configuration."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import optax

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights move. The defaults are those of stage 1 of Boreiko et al. 2022."""

    name: Literal["sgd", "adam"] = "sgd"
    """Update rule: stochastic gradient descent with momentum, or Adam."""
    learning_rate: float = 0.01
    """Largest learning rate of the schedule (paper: 0.01; fine-tuning 0.001)."""
    momentum: float = 0.9
    """Momentum of sgd, in [0, 1) (released code: 0.9); the first decay rate of adam."""
    nesterov: bool = True
    """Whether momentum of sgd is Nesterov's (released code: yes; fine-tuning: no)."""
    weight_decay: float = 5e-4
    """Weight of the l2 penalty on all parameters, those of batch normalisation included (released
    code: 5e-4). sgd adds it to the gradient; adam decays the weights directly (Loshchilov and
    Hutter 2019)."""
    schedule: Literal["cosine", "triangle", "constant"] = "cosine"
    """Course of the learning rate over the steps: half a cosine down to 0 (stage 1), linearly up
    from 0 and down to 0 (fine-tuning), or constant."""
    peak: float = 1 / 3
    """Where the triangle has its top, as a share of all steps, in (0, 1) (fine-tuning: epoch 1 of
    3).
    """


def learning_rate(config: OptimiserConfig, num_steps: int) -> optax.Schedule:
    """The learning rate as a function of the number of steps done, 0 to ``num_steps - 1``.

    Raises:
        InputError: an unknown schedule, a peak outside (0, 1), or no steps.
    """
    if num_steps < 1:
        raise InputError(
            f"num_steps: expected at least 1, got {num_steps}: trainers.supervised.scheduled counts"
            f" out epochs"
        )
    check_choice(config.schedule, ("cosine", "triangle", "constant"), name="schedule")
    if config.schedule == "constant":
        return optax.constant_schedule(config.learning_rate)
    if config.schedule == "cosine":
        return optax.cosine_decay_schedule(config.learning_rate, num_steps)
    if not 0 < config.peak < 1:
        raise InputError(f"peak: expected a share of all steps in (0, 1), got {config.peak}")
    times, rates = (
        jnp.array([0, config.peak * num_steps, num_steps]),
        jnp.array([0, config.learning_rate, 0]),
    )
    return lambda step: jnp.interp(step, times, rates)


def make_optimiser(config: OptimiserConfig, num_steps: int) -> optax.GradientTransformation:
    """The optimiser for a training of ``num_steps`` steps.

    Raises:
        InputError: an unknown name or schedule.
    """
    check_choice(config.name, ("sgd", "adam"), name="optimiser")
    schedule = learning_rate(config, num_steps)
    if config.name == "adam":
        return optax.adamw(schedule, b1=config.momentum, weight_decay=config.weight_decay)
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay),
        optax.sgd(schedule, momentum=config.momentum, nesterov=config.nesterov),
    )
