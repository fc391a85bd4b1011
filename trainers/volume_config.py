"""Configuration of the classifiers of volumes."""

from dataclasses import dataclass, field, replace
from typing import Literal

from trainers.annealed_adam import AnnealedAdamConfig


@dataclass(frozen=True)
class Config:
    """A classifier of volumes. Defaults: the baseline of ACAT's released code."""

    model: str = "slice_resnet50"
    """Name of the architecture, as in cfx_jax.models.volumes.build; acat_ in front for ACAT
    (released: ResNet-50 on slices, their mean)."""
    saliency: bool = False
    """Whether the network takes a saliency map of each volume too."""
    sides: bool = False
    """Whether the network also names the side of a lesion: classes none, left, right, both
    (published for IST-3).
    """
    num_classes: int = 2
    """Number of classes of a network that names no side (released: without and with COVID-19)."""
    in_channels: int = 1
    """Channels of the volumes."""
    num_slices: int = 11
    """Slices of each volume, for networks that weigh them (published: 11)."""
    weighted: bool = True
    """Whether classes weigh inversely to their frequency in the loss (released: yes); with sides,
    lesion and none do.
    """
    horizontal_flip: bool = True
    """Whether training volumes are mirrored from left to right with probability 0.5; sides are
    exchanged (released: yes, no for networks with saliency maps)."""
    vertical_flip: bool = True
    """Whether training volumes are mirrored from front to back with probability 0.5 (released: yes,
    no with saliency).
    """
    optimiser: AnnealedAdamConfig = field(default_factory=AnnealedAdamConfig)
    """How weights move."""
    epochs: float = 200
    """Passes over the training volumes, where num_steps is 0 (published: 200; 100 from the
    baseline's weights).
    """
    num_steps: int = 0
    """Optimiser steps; 0 for as many as the epochs have, of whole batches."""
    batch_size: int = 8
    """Volumes of one step, over all devices (released: 8)."""
    select: Literal["accuracy", "balanced_accuracy", "none"] = "accuracy"
    """Validation metric of which the best weights are kept, the later ones of equals; none for the
    last weights (released: accuracy for the baseline, the last weights of the others)."""
    evaluate_every: int = 0
    """Steps between evaluations on the validation set; 0 for an epoch."""
    checkpoint_every: int = 0
    """Steps between checkpoints, 0 for an epoch; at most so much is lost when the training is
    stopped.
    """
    log_every: int = 50
    """Steps between lines of metrics."""
    eval_batch_size: int = 8
    """Volumes of one batch of the evaluation; does not change its result."""
    seed: int = 0
    """Seed of the initial weights, of the order of volumes and of all random draws."""


def seedless(config: Config) -> Config:
    """The same configuration for every seed: what a compiled function depends on."""
    return replace(config, seed=0)


FROM_BASELINE = Config(
    model="acat_slice_resnet50",
    saliency=True,
    horizontal_flip=False,
    vertical_flip=False,
    optimiser=AnnealedAdamConfig(learning_rate=1e-5),
    epochs=100,
)
"""ACAT and its competitors: half as long with a tenth of the rate, from the baseline's weights,
which ``train`` gets as ``start``. Unlike in the released code, they are selected as the baseline
is."""
