"""What trains the adversary of ``trainers.fixed_point``: its configuration, its networks and their
optimisers.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import optax
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.losses.fixed_point import FixedPointWeights
from cfx_jax.models.generators.fixed_point import FixedPointTranslator, LimitName, PatchCritic
from trainers.nnx_views import ModelFactory


@dataclass(frozen=True)
class AdamConfig:
    """The Adams of translator and critic, whose learning rate falls to 0 in a line at the end.
    Defaults: as released.
    """

    learning_rate: float = 1e-4
    """At first (released: 1e-4)."""
    momentum: float = 0.5
    """Decay rate of the first moment, in [0, 1) (released: 0.5; the second's is 0.999)."""
    decay: float = 0.5
    """The share of the steps in which the rate falls, the last ones, in [0, 1] (released: one
    half).
    """


@dataclass(frozen=True)
class Config:
    """A translator and a critic. Defaults: as released for faces of 128 pixels, with two domains."""

    size: tuple[int, int] = (128, 128)
    """Height and width of the images, in pixels."""
    in_channels: int = 1
    """Channels of the images; the translated ones have as many."""
    filters: int = 64
    """Channels of the translator at full resolution, doubled by each halving (released: 64)."""
    num_halvings: int = 2
    """Halvings of the translator (released: 2)."""
    num_blocks: int = 6
    """Residual blocks of the translator (released: 6)."""
    limit: LimitName = "tanh"
    """What leads the sum of image and change back to [0, 1]: tanh, as released, which no image
    passes unchanged; or clip, which starts as the identity."""
    critic_filters: int = 64
    """Channels of the critic's first convolution, doubled by each further one (released: 64)."""
    critic_depth: int = 6
    """The critic's convolutions (released: 6)."""
    weights: FixedPointWeights = field(default_factory=FixedPointWeights)
    """The price of each term of the translator's loss; that of ``domain`` is the critic's too."""
    penalty: float = 10.0
    """Weight of the critic's gradient penalty (released: 10)."""
    critic_steps: int = 5
    """Updates of the critic in one step (released: 5)."""
    optimiser: AdamConfig = field(default_factory=AdamConfig)
    """How weights move."""
    num_steps: int = 40_000
    """Steps, each an update of the translator (released: 200,000 updates of the critic)."""
    batch_size: int = 8
    """Images of each decision in one update, over all devices (released: 16 of both)."""
    select: Literal["turned", "none"] = "none"
    """Keep the weights that turn over most of the decision they turn over less, or none for the
    last ones (released).
    """
    evaluate_every: int = 2000
    """Steps between evaluations on the validation set."""
    checkpoint_every: int = 2000
    """Steps between checkpoints; at most so much is lost when the training is stopped."""
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 32
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


class Networks(nnx.Module):
    """What is trained.

    Args:
        translator: ``(images, domain) -> images``.
        critic: images -> ``models.fixed_point.Verdict``.
    """

    def __init__(self, translator: nnx.Module, critic: nnx.Module) -> None:
        self.translator, self.critic = translator, critic


def choose_networks(config: Config, model: ModelFactory | None) -> ModelFactory:
    """The given factory, or the one that builds the configuration's networks."""
    return model or partial(_build, config)


def make_optimiser(config: Config, *, updates: int) -> optax.GradientTransformation:
    """The Adam of a network.

    Args:
        config: the training.
        updates: of that network in one step.

    Raises:
        InputError: a number out of its range.
    """
    given = config.optimiser
    if not (given.learning_rate > 0 and 0 <= given.momentum < 1 and 0 <= given.decay <= 1):
        raise InputError(
            f"optimiser: expected a learning_rate above 0, a momentum in [0, 1) and a decay in [0,"
            f" 1], got {given}"
        )
    last = round(given.decay * config.num_steps) * updates
    constant = config.num_steps * updates - last
    rate = optax.linear_schedule(given.learning_rate, 0.0, max(last, 1), transition_begin=constant)
    return optax.adam(rate if last else given.learning_rate, b1=given.momentum, b2=0.999)


def _build(config: Config, rngs: nnx.Rngs) -> Networks:
    translator = FixedPointTranslator(
        in_channels=config.in_channels,
        filters=config.filters,
        num_halvings=config.num_halvings,
        num_blocks=config.num_blocks,
        limit=config.limit,
        rngs=rngs,
    )
    critic = PatchCritic(
        size=config.size,
        in_channels=config.in_channels,
        filters=config.critic_filters,
        depth=config.critic_depth,
        rngs=rngs,
    )
    return Networks(translator, critic)
