"""The settings of the experiment, beside those that both of Charachon's experiments have."""

from dataclasses import dataclass, field
from typing import Literal

from experiments.charachon_shared import CharachonConfig
from experiments.shared import AT_LEAST_1, SHARE, limits
from trainers import autoencoder as autoencoder_trainer
from trainers import cycle, fixed_point


@dataclass(frozen=True)
class FaithfulnessConfig:
    """The overwriting of regions, which shows whether a map names what the classifier uses."""

    num_images: int = field(default=1000, metadata=AT_LEAST_1)
    """Test images, half of each label, or fewer where there are not so many (paper: 1000)."""
    region: int = field(default=8, metadata=AT_LEAST_1)
    """Side of the square regions in pixels (ours: 8 at 224 pixels; the paper does not say). With 1,
    and 224 regions per step, single pixels go, as in the relevance score's released code."""
    regions_per_step: int = field(default=1, metadata=AT_LEAST_1)
    """Regions overwritten between two looks at the classifier; more are faster and make the curves
    coarser.
    """
    aopc: tuple[int, ...] = field(default=(100, 784), metadata=AT_LEAST_1)
    """Numbers of overwritten regions at which the AOPC is tabulated (ours: 100 and all of them at
    224 pixels).
    """
    num_random: int = 5
    """Random maps of each image, whose curves are averaged (ours: 5)."""
    least_turned: float = field(default=0.95, metadata=SHARE)
    """Share of the images whose decision the adversary must turn over; below it Table 2 and Figure
    2 are left out (ours).
    """
    unturned: Literal["drop", "keep"] = "drop"
    """The use of the other images: dropped and counted; or kept, although their curves cannot fall.
    """


@dataclass(frozen=True)
class SearchConfig:
    """The search of latent counterfactuals (Fontanella et al. 2023, equation 4)."""

    quotient: float = 0.015
    """Penalty of the mean change of a latent, over the number of the latent's entries (ours). An
    entry moves where the slope of the cross-entropy is above it."""
    num_steps: int = field(default=20, metadata=AT_LEAST_1)
    """Steps of descent (their paper: 20)."""
    step_size: float = 0.01
    """The factor on the gradient in each step of the latent (ours; their code: 0.1)."""


@dataclass(frozen=True)
class LatentConfig:
    """Explanations by searches in the latent of an autoencoder; not in the paper."""

    methods: tuple[Literal["counterfactual", "shift"], ...] = ()
    """'counterfactual', with the attention map of ACAT; 'shift', latent shift (Cohen et al. 2021).
    Empty: none, and no autoencoder is trained."""
    autoencoder: autoencoder_trainer.Config = field(default_factory=autoencoder_trainer.Config)
    """Training of the autoencoder; for grey images."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """The search of counterfactuals."""


@dataclass(frozen=True)
class Config(CharachonConfig):
    """Trains a classifier, generators of three kinds, an adversary; weighs differences by paths."""

    percentiles: tuple[float, ...] = field(default=(), metadata=limits(most=100))
    """Thresholds of the maps in Table 1. Empty: the paper's, 90, 95 and 98 for chests, 98 and 99
    for brains.
    """
    syce: cycle.Config = field(default_factory=cycle.Config)
    """Training of SyCE's generators; size and channels are set by the images."""
    cyce: cycle.Config = field(default_factory=lambda: cycle.CYCE_CONFIG)
    """Training of CyCE's generators; size and channels are set by the images."""
    adversary: fixed_point.Config = field(default_factory=fixed_point.Config)
    """Training of the independent adversary; size and channels are set by the images."""
    latent: LatentConfig = field(default_factory=LatentConfig)
    """Latent counterfactuals and latent shift beside the generators."""
    faithfulness: FaithfulnessConfig = field(default_factory=FaithfulnessConfig)
    """Table 2 and Figure 2."""
    leave_out: tuple[Literal["cycles", "rivals", "overwriting"], ...] = ()
    """Parts that are not computed, for shorter runs on images of one's own without masks.
    overwriting: the independent adversary, Table 2 and Figure 2. cycles: CyCE and SyCE, the longest
    trainings. rivals: the methods that the paper compares with, but SAGen. The last two together
    with overwriting alone."""
    num_shown: int = 4
    """Images in each figure of maps, at most."""
