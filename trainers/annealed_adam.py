"""Adam as PyTorch has it, with a learning rate that falls epoch by epoch along half a cosine (ACAT,
released code).

The l2 penalty is added to the gradient before the moments are taken, unlike AdamW, which decays the
weights themselves.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from cfx_jax.checks import check_count, check_positive
from cfx_jax.errors import InputError


@dataclass(frozen=True)
class AnnealedAdamConfig:
    """How weights move. Defaults: the classifiers of ACAT's released code, trained from scratch."""

    learning_rate: float = 1e-4
    """In the first epoch (released: 1e-4; fine-tuning 1e-5)."""
    smallest: float = 1e-7
    """Where the learning rate would arrive after the last epoch (released: 1e-7); learning_rate for
    a constant one.
    """
    weight_decay: float = 5e-5
    """Weight of the l2 penalty on all parameters, added to the gradient (released: 5e-5)."""
    epoch: int = 0
    """Steps with the same learning rate; 0 for an epoch of the training images (released)."""


def annealed_rate(config: AnnealedAdamConfig, num_steps: int) -> optax.Schedule:
    """The learning rate as a function of the number of steps done, 0 to ``num_steps - 1``.

    In epoch e of E, counted from 0: ``smallest + (learning_rate - smallest) (1 + cos(pi e / E)) /
    2``.

    Args:
        config: the course of the rate.
        num_steps: of the whole training; its last epoch may be shorter.

    Raises:
        InputError: rates that do not fall or are not above 0; a training or an epoch without steps,
            which ``trainers.epochs.by_steps`` counts out.
    """
    check_positive(config.learning_rate, name="learning_rate")
    if not 0 <= config.smallest <= config.learning_rate:
        raise InputError(
            f"smallest: expected it in [0, {config.learning_rate}], the learning_rate, got"
            f" {config.smallest}"
        )
    check_count(config.epoch, name="epoch")
    check_count(num_steps, name="num_steps")
    num_epochs = -(-num_steps // config.epoch)

    def rate(step: ArrayLike) -> Array:
        share = (1 + jnp.cos(jnp.pi * (jnp.asarray(step) // config.epoch) / num_epochs)) / 2
        return config.smallest + (config.learning_rate - config.smallest) * share

    return rate


def annealed_adam(config: AnnealedAdamConfig, num_steps: int) -> optax.GradientTransformation:
    """The optimiser for a training of ``num_steps`` steps.

    Raises:
        InputError: as ``annealed_rate``; a penalty below 0.
    """
    if not config.weight_decay >= 0:
        raise InputError(
            f"weight_decay: expected a weight of at least 0, got {config.weight_decay}"
        )
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay),
        optax.adam(annealed_rate(config, num_steps)),
    )
