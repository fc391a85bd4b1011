"""What trains the explainer of ``trainers.progressive``: its configuration, its networks and their
optimiser.

The paper and the code that its authors released differ; ``PAPER_FIXED`` is the paper, mended where
it contradicts itself, and ``CODE_HEAD`` is the code as far as a training goes. Batch statistics in
testing, the code's other difference, are a matter of how the network is called: see
``models.exaggerator_of``.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import optax
from flax import nnx

from cfx_jax.checks import check_choice, check_count
from cfx_jax.errors import InputError
from cfx_jax.losses.progressive import ProgressiveWeights, ReconstructionName, TargetName
from cfx_jax.models.generators.progressive import (
    ProgressiveGenerator,
    ProjectionDiscriminator,
    ProjectionName,
)
from trainers.nnx_views import ModelFactory

_EVERY = 100
"""Steps between the released code's checkpoints (500 updates of the discriminator)."""


@dataclass(frozen=True)
class Config:
    """An explainer and a discriminator. Defaults: Singla et al. 2020, for RGB images of 128 pixels."""

    in_channels: int = 3
    """Channels of the images."""
    num_bins: int = 10
    """Equal parts of the probability of class 1 (paper: 10)."""
    filters: tuple[int, ...] = (64, 128, 256, 512, 1024, 1024)
    """Channels of the generator's first convolution and after each halving (released)."""
    conditional_encoder: bool = False
    """Whether the encoder is told a bin too, that of x (paper: no; released code: yes, for x_t the
    desired one).
    """
    stem_activation: bool = True
    """Whether the norm of the image is followed by a ReLU, as released, which takes away what is
    dark.
    """
    momentum: float = 0.9
    """Share that a running average of the generator's norms keeps in a step, in [0, 1) (ours;
    released: never used).
    """
    discriminator_filters: tuple[int, ...] = (64, 128, 256, 512, 1024)
    """Channels of the discriminator after each halving (released)."""
    last_block: bool = False
    """Whether the discriminator has a further block without halving, the sixth (paper: no; released
    code: yes).
    """
    projection: ProjectionName = "ordinal"
    """How the discriminator knows the bin: a direction for each step (paper), tied (released code),
    or none.
    """
    classifier_gradient: bool = True
    """Whether the generator is trained through the classifier (paper; the released code blocks this
    gradient).
    """
    target: TargetName = "centre"
    """The probability that a bin asks for: its centre, or its lower edge (released code)."""
    reconstruction: ReconstructionName = "pixels"
    """What is to come back: the image (paper), or its latent after x_t (released code)."""
    weights: ProgressiveWeights = field(default_factory=ProgressiveWeights)
    """The price of each term of the generator's loss; that of ``adversarial`` is the
    discriminator's too.
    """
    critic_steps: int = 5
    """Updates of the discriminator in one step (released: 5)."""
    learning_rate: float = 2e-4
    """Of the Adam of either network (released: 2e-4)."""
    anneal: bool = False
    """Whether the rate falls to 0 over the training, along half a cosine (ours, for short
    trainings; released: constant).
    """
    first_moment: float = 0.0
    """Decay rate of Adam's first moment, in [0, 1) (released: 0)."""
    second_moment: float = 0.9
    """Decay rate of Adam's second moment, in [0, 1) (released: 0.9)."""
    sampling: Literal["equal", "none"] = "equal"
    """As many images of each bin that has any, or images as they come, such as those of
    ``data.calibrated_sample``.
    """
    num_steps: int = 20_000
    """Steps, each an update of the generator (released: 100,000 updates of the discriminator)."""
    batch_size: int = 32
    """Images of one update, over all devices (released: 32)."""
    select: Literal["score", "none"] = "none"
    """Keep the weights of the highest ``validation_score``, or none for the last ones (released).
    """
    evaluate_every: int = 10 * _EVERY
    """Steps between evaluations on the validation set."""
    checkpoint_every: int = _EVERY
    """Steps between checkpoints; at most so much is lost when the training is stopped (released:
    500 iterations).
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 8
    """Images of one batch of the evaluation, each drawn for all bins; does not change its result.
    """
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


PAPER_FIXED = Config()
"""The paper, with centres of bins as desired probabilities."""

CODE_HEAD = Config(
    conditional_encoder=True,
    projection="tied",
    last_block=True,
    classifier_gradient=False,
    target="edge",
    reconstruction="latent",
    weights=ProgressiveWeights(returned_class=1.0),
)
"""The code that the authors released last, but for the bin that its encoder is told when it encodes
x for x_t.
"""


class Networks(nnx.Module):
    """What is trained.

    Args:
        generator: has ``encode(images, bins)``, ``decode(latent, bins)`` and ``num_bins``.
        discriminator: ``(images, bins) -> logits (b,)``.
    """

    def __init__(self, generator: nnx.Module, discriminator: nnx.Module) -> None:
        self.generator, self.discriminator = generator, discriminator


def choose_networks(config: Config, model: ModelFactory | None) -> ModelFactory:
    """The given factory, or the one that builds the configuration's networks."""
    return model or partial(_build, config)


def make_optimiser(config: Config, *, updates: int = 1) -> optax.GradientTransformation:
    """The Adam of either network.

    Args:
        config: the training.
        updates: how often the network is updated in one step.

    Raises:
        InputError: a number out of its range.
    """
    moments = config.first_moment, config.second_moment
    if not (config.learning_rate > 0 and all(0 <= each < 1 for each in moments)):
        raise InputError(
            f"optimiser: expected a learning_rate above 0 and moments in [0, 1), got"
            f" {config.learning_rate} and {moments}"
        )
    rate: optax.ScalarOrSchedule = config.learning_rate
    if config.anneal:
        rate = optax.cosine_decay_schedule(config.learning_rate, max(config.num_steps, 1) * updates)
    return optax.adam(rate, b1=moments[0], b2=moments[1])


def check_config(config: Config) -> None:
    """Checks what the networks do not.

    Raises:
        InputError: an unknown name, or numbers out of range.
    """
    check_choice(config.select, ("score", "none"), name="select")
    check_choice(config.sampling, ("equal", "none"), name="sampling")
    check_choice(config.target, ("centre", "edge"), name="target")
    check_choice(config.reconstruction, ("pixels", "latent"), name="reconstruction")
    check_count(config.critic_steps, name="critic_steps")


def _build(config: Config, rngs: nnx.Rngs) -> Networks:
    generator = ProgressiveGenerator(
        in_channels=config.in_channels,
        filters=config.filters,
        num_bins=config.num_bins,
        conditional_encoder=config.conditional_encoder,
        stem_activation=config.stem_activation,
        momentum=config.momentum,
        rngs=rngs,
    )
    discriminator = ProjectionDiscriminator(
        in_channels=config.in_channels,
        filters=config.discriminator_filters,
        last_block=config.last_block,
        projection=config.projection,
        num_bins=config.num_bins,
        rngs=rngs,
    )
    return Networks(generator, discriminator)
