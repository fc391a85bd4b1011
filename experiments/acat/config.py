"""The settings of the experiment, as ``--help`` shows them."""

from dataclasses import dataclass, field
from typing import Literal

from experiments.shared import AT_LEAST_1, SHARE, ExperimentConfig, limits
from trainers import autoencoder as autoencoder_trainer
from trainers import volume_classifier


@dataclass(frozen=True)
class SearchConfig:
    """The search of counterfactuals in the autoencoder's latents (equation 4)."""

    penalty: float = 100.0
    """Weight of the mean absolute change of a latent's entries (published: 100)."""
    quotient: float | None = None
    """For small scans, the penalty over the number of entries instead. An entry of the latent is
    followed where its slope of the cross-entropy exceeds the quotient: 5.5e-4 for 11 slices of 128
    pixels, whose latent in the released autoencoder has 180,224 entries. Slopes depend on the
    classifier and fall with the number of entries as well, so equal quotients bound a search
    equally only where both are alike: compare the quotient with the slopes at hand."""
    reference: Literal["reconstruction", "original"] = "reconstruction"
    """The image from which a counterfactual is subtracted for a map: the autoencoder's
    reconstruction (released), or the scan itself (the paper's text, sections 3.2 and 4.4), whose
    map also shows what the autoencoder cannot draw."""
    num_steps: int = field(default=20, metadata=AT_LEAST_1)
    """Steps of descent (published: 20)."""
    step_size: float = 0.1
    """Factor on the gradient in each step of the latent (released: 0.1; figure 5: 1)."""
    proximal: bool = False
    """Whether the penalty is treated exactly (ours)."""
    minimum_psnr: float = 20.0
    """Decibels below which a scan is not explained, since the autoencoder shows another one; then
    its map is 0 (ours)."""


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """Scans, a baseline, an autoencoder, and networks that look where counterfactuals differ."""

    preset: Literal["smoke", "demo", "paper"] = "demo"
    """smoke: proves that everything runs. demo: synthetic scans, minutes on two cores. paper: the
    published setting on the paper's data, for a GPU."""
    data: tuple[str, ...] = ("stroke", "lung")
    """One report section each: 'stroke' and 'lung', synthetic worlds; 'mosmed:PATH' and
    'ist3:PATH', the paper's sets as they are downloaded."""
    shape: tuple[int, int, int] = field(default=(11, 128, 128), metadata=AT_LEAST_1)
    """Slices, rows and columns of a synthetic scan and of MosMed's (paper: 11 of 128x128)."""
    ist3_shape: tuple[int, int, int] = field(default=(11, 500, 400), metadata=AT_LEAST_1)
    """Slices, rows and columns of IST-3's scans (paper: 11 of 400x500; here 500 are the rows, since
    heads are longer than wide)."""
    num_scans: int = field(default=426, metadata=AT_LEAST_1)
    """Scans of a synthetic world, over all parts; of each run, where ``num_tested`` is given."""
    num_tested: int = 0
    """Further scans of a synthetic world, on which every run is tested. Then each run has scans of
    its own to train on and to select weights by, so that runs differ in all that a training may
    differ in, and are compared on the same scans. 0: each run splits the same scans anew, as in
    the paper."""
    num_located: int = 50
    """Further scans of a synthetic world, with a finding of known place, on which maps are compared
    (paper: 50 chests, and the test's heads)."""
    severity: float = 1.0
    """Factor on how much darker infarcts are and on the density of ground glass in the synthetic
    worlds; neither gets darker than 0 nor denser than water, so from about 3.6 on all infarcts are
    alike, as black as the world gets."""
    train: float = field(default=0.7, metadata=SHARE)
    """Share of scans for training (paper: 0.7)."""
    test: float = field(default=0.15, metadata=SHARE)
    """Share of scans for all reported figures (paper: 0.15); the rest selects weights. Where
    ``num_tested`` is given, the other two parts take over this share in proportion."""
    seeds: tuple[int, ...] = field(default=(0, 1, 2), metadata=limits(may_be_empty=False))
    """Seeds of the runs, which split the scans and draw initial weights (paper: three)."""
    trunks: tuple[str, str] = ("half_brain", "slice_resnet50")
    """Networks of heads and of chests, as in cfx_jax.models.build_volume_model."""
    rows: tuple[str, ...] = ("competitors",)
    """Groups of networks besides the baseline and ACAT: 'competitors', 'components', 'sources',
    'rivals' (competitors with other maps), 'released' (competitors as in the released code),
    'dropout', 'scratch', 'controls', 'more_controls'."""
    training_sizes: tuple[int, ...] = field(default=(), metadata=AT_LEAST_1)
    """Numbers of training scans for Table 4, on heads alone as there: each trains the networks
    anew, for as many epochs (paper: 50, 100, 200, 300, 500)."""
    baseline: volume_classifier.Config = field(default_factory=volume_classifier.Config)
    """Training of the baseline; what the scans say (classes, slices) is set by them."""
    from_baseline: volume_classifier.Config = volume_classifier.FROM_BASELINE
    """Training of everything that starts from the baseline's weights."""
    autoencoder: autoencoder_trainer.Config = field(default_factory=autoencoder_trainer.Config)
    """Training of the autoencoder, on the slices of all scans, without labels."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """The search of counterfactuals."""
    num_detected: int = 1000
    """Positive test scans of a run that are searched, at most; and explained, where none are
    located."""
    acat_detects: bool = True
    """Whether scans with a finding of known place are explained with ACAT as classifier too, one by
    one (section 4.4)."""
    unbounded_steps: tuple[float, ...] = (10.0, 3.0, 1.0, 0.1, 0.01)
    """Sizes of the steps without a bound of Figure 6, down the probability of the finding
    (published)."""
    num_shown: int = 3
    """Scans in figures."""
    batch_size: int = field(default=8, metadata=AT_LEAST_1)
    """Scans at once; changes results by rounding only."""
    seed: int = 0
    """Seed of the synthetic scans; presets' numbers are chosen on the validation scans of worlds of
    other seeds."""
