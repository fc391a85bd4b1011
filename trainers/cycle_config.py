"""What a training of SyCE or CyCE is made of: its settings, and its networks."""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from flax import nnx

from cfx_jax.losses.cycle import CYCE, SYCE, CycleWeights
from cfx_jax.models.generators.discriminator import Discriminator
from cfx_jax.models.generators.unet import PUBLISHED_FILTERS, UNetGenerator
from trainers.nnx_views import ModelFactory
from trainers.plateau import ValidationPlateauConfig


@dataclass(frozen=True)
class Config:
    """Two generators and two discriminators. Defaults: SyCE as released for 28 pixels;
    ``CYCE_CONFIG`` is CyCE.
    """

    method: Literal["syce", "cyce"] = "syce"
    """What the generators explain by: x_a and x_s, or x_a and the image itself."""
    size: tuple[int, int] = (28, 28)
    """Height and width of the images, in pixels."""
    in_channels: int = 1
    """Channels of the images; the generated ones have as many."""
    filters: tuple[int, ...] = PUBLISHED_FILTERS
    """Channels of the generators at each resolution (released: 16, 32, 64; a start for 224 pixels:
    16, ..., 256).
    """
    residual: bool = False
    """Whether generators add their output to the image instead of giving it as the image (ours;
    released: no).
    """
    discriminator_filters: tuple[int, ...] = (32, 64, 96)
    """Channels of the discriminators (released: 32, 64, 96; a start for 224 pixels: 32, ..., 512).
    """
    weights: CycleWeights = SYCE
    """The price of each term of the generators' loss (released: SYCE or CYCE)."""
    penalty: float = 1.0
    """Weight of the discriminators' gradient penalty (released: 1)."""
    update: Literal["separated", "together"] = "separated"
    """One step of both generators for the images of each decision in turn, or one for all
    (released: separated for SyCE, together for CyCE)."""
    optimiser: ValidationPlateauConfig = field(default_factory=ValidationPlateauConfig)
    """Learning rate of the Adams of generators and discriminators."""
    epochs: float = 60
    """Passes over the training images of the rarer decision, where num_steps is 0 (released: 60).
    """
    num_steps: int = 0
    """Steps; 0 for as many as the epochs have, of whole batches."""
    batch_size: int = 64
    """Images of each decision in one step, over all devices (released: 64)."""
    select: Literal["loss", "answers", "none"] = "loss"
    """Keep the weights of lowest validation loss; those whose lowest share of turned or kept
    decisions is highest, which no discriminator's opinion blurs (ours); or none for the last
    ones."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for an epoch."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for an epoch; at most so much is lost when the training is
    stopped.
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 64
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


CYCE_CONFIG = Config(method="cyce", weights=CYCE, update="together")


class Networks(nnx.Module):
    """What is trained: each list has the network of class 0 and that of class 1.

    Args:
        generators: g_0 and g_1; g_c turns over what is decided c.
        discriminators: D_0 and D_1; D_c knows images decided c.
    """

    def __init__(self, generators: list[nnx.Module], discriminators: list[nnx.Module]) -> None:
        self.generators, self.discriminators = nnx.List(generators), nnx.List(discriminators)


def choose_networks(config: Config, model: ModelFactory | None) -> ModelFactory:
    """The given factory, or the one that builds the configuration's networks."""
    return model or partial(_build, config)


def _build(config: Config, rngs: nnx.Rngs) -> Networks:
    make_generator = partial(
        UNetGenerator,
        in_channels=config.in_channels,
        filters=config.filters,
        residual=config.residual,
        rngs=rngs,
    )
    make_discriminator = partial(
        Discriminator,
        size=config.size,
        in_channels=config.in_channels,
        filters=config.discriminator_filters,
        rngs=rngs,
    )
    return Networks([make_generator() for _ in range(2)], [make_discriminator() for _ in range(2)])
