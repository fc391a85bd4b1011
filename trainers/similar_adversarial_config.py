"""What a training of similar and adversarial images is made of: its settings, its generators, and
its optimiser.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import optax
import optax.contrib
from flax import nnx

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.losses.similar_adversarial import SimilarAdversarialWeights
from cfx_jax.models.generators.similar_adversarial import AE2_HEAD, DuoAE, SingleAE
from cfx_jax.models.generators.unet import NormName, UNetGenerator
from trainers.nnx_views import ModelFactory

_GENERATORS: dict[str, Callable[..., nnx.Module]] = {
    "single": SingleAE,
    "duo": DuoAE,
    "naive": UNetGenerator,
}


@dataclass(frozen=True)
class PlateauConfig:
    """Adam, and a learning rate that falls while the loss does not."""

    learning_rate: float = 1e-4
    """Of Adam at first (paper: 1e-4)."""
    factor: float = 1 / 3
    """What the learning rate is multiplied by (paper: divided by 3)."""
    patience: int = 3
    """Epochs without a lower training loss before that (paper: 3)."""
    steps_per_epoch: int = 0
    """Steps whose mean loss is compared with the lowest so far, 0 for an epoch of the training
    images; lower means by at least one part in 10,000."""
    smallest: float = 1e-5
    """Where the learning rate stops falling (released code: 1e-5)."""


@dataclass(frozen=True)
class Config:
    """A pair of generators. Defaults: Single AE2 (W,TV) of Charachon et al. 2020 at 224 pixels."""

    generator: Literal["single", "duo", "naive"] = "single"
    """One network with two heads, two networks, or one of the adversarial image alone, against the
    image itself.
    """
    in_channels: int = 1
    """Channels of the images; the generated ones have as many."""
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels at each resolution (released for 28 pixels: 16, 32, 64)."""
    head_filters: tuple[int, ...] = AE2_HEAD
    """Channels of the 3x3 convolutions of each head (AE2: 32, 16; AE1: 32)."""
    norm: NormName = "affine"
    """A scale and a shift for each channel, or batch norm."""
    residual: bool = False
    """Whether generators add their output to the image instead of giving it as the image (ours; the
    paper's do not).
    """
    weights: SimilarAdversarialWeights = field(default_factory=SimilarAdversarialWeights)
    """The price of each term of the loss (paper, table I)."""
    margin: float | None = None
    """None for two classes; above 0 for the multi-class loss, in units of the logits, which the
    naive one has not.
    """
    proximity: Literal["norm", "mean_square"] = "norm"
    """How the weights of the two generators are compared (paper: the sum of the norms)."""
    optimiser: PlateauConfig = field(default_factory=PlateauConfig)
    """How weights move."""
    epochs: float = 70
    """Passes over the training images, where num_steps is 0 (paper: 70)."""
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have, of whole batches."""
    batch_size: int = 8
    """Images of one step, over all devices (paper: 8; Duo 4)."""
    balanced: bool = False
    """Whether a batch has as many images of each decision of the classifier, which then has two
    classes.
    """
    select: Literal["loss", "none"] = "loss"
    """Keep the weights of lowest validation loss, or none for the last ones."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for an epoch."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for an epoch; at most so much is lost when the training is
    stopped.
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 32
    """Images of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of images and of all random draws."""


def choose_generator(config: Config, model: ModelFactory | None) -> ModelFactory:
    """The given factory, or the one that builds the configuration's generators.

    Raises:
        InputError: an unknown generator, or a margin for the naive one.
    """
    check_choice(config.generator, tuple(_GENERATORS), name="generator")
    if config.generator == "naive" and config.margin is not None:
        raise InputError(
            "margin: expected None, since the naive loss is one of two classes: leave it out"
        )
    return model or partial(_build, config)


def make_optimiser(config: PlateauConfig) -> optax.GradientTransformationExtraArgs:
    """Adam with Keras' epsilon; its update takes the loss as ``value``.

    Raises:
        InputError: a number out of its range; epochs of 0 steps, which ``trainers.epochs.by_steps``
            counts out.
    """
    counts = min(config.patience, config.steps_per_epoch) >= 1
    if not (counts and 0 < config.factor < 1 and 0 < config.smallest <= config.learning_rate):
        raise InputError(
            "optimiser: expected a factor in (0, 1), patience and steps_per_epoch of at least 1,"
            " and 0 < smallest <="
            f" learning_rate, got {config}"
        )
    plateau = optax.contrib.reduce_on_plateau(
        factor=config.factor,
        patience=config.patience,
        accumulation_size=config.steps_per_epoch,
        min_scale=config.smallest / config.learning_rate,
    )
    return optax.chain(optax.adam(config.learning_rate, eps=1e-7), plateau)


def _build(config: Config, rngs: nnx.Rngs) -> nnx.Module:
    return _GENERATORS[config.generator](
        in_channels=config.in_channels,
        filters=config.filters,
        head_filters=config.head_filters,
        norm=config.norm,
        residual=config.residual,
        rngs=rngs,
    )
