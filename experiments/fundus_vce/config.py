"""What the experiment can be told, and its presets."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from trainers import classifier, trades
from trainers.optimiser import OptimiserConfig


@dataclass(frozen=True)
class RobustAccuracyConfig:
    """How robust accuracy is measured (method card, section 1)."""

    radius: float = 0.1
    """l2 radius of the attack, in units of the image's values (paper: 0.1 at 224 x 224 x 3)."""
    num_steps: int = 100
    """APGD steps of each restart (paper: 100)."""
    num_restarts: int = 9
    """Random restarts; later ones see only images not yet broken (paper: 9)."""
    num_images: int = 1000
    """Test images attacked, the first of the shuffled test split (released code: 1000)."""


@dataclass(frozen=True)
class ExplanationConfig:
    """Which counterfactuals and maps are made."""

    norms: tuple[float, ...] = (1.5, 2.0, 4.0)
    """Norms p of the counterfactuals (paper: 1.5, 2, 4)."""
    radii: tuple[float, ...] = (30.0, 6.0, 0.2)
    """Radius for each norm (paper: 30, 6, 0.2 at 224 x 224 x 3)."""
    sweep: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    """Radii of the last norm along which the animation morphs (paper: 0.1 to 0.4)."""
    num_steps: int = 75
    """Steps of each counterfactual (paper: 75)."""
    integration_steps: int = 100
    """Nodes of integrated gradients (card: 100)."""
    num_shown: int = 4
    """Test images of each class shown in figures."""
    num_localised: int = 81
    """Test images with a lesion mask whose maps are scored (paper: 81 in all)."""
    quantile_guided: float = 0.98
    """Threshold of guided backprop (paper: 0.98)."""
    quantile_integrated: float = 0.96
    """Threshold of integrated gradients (paper: 0.96)."""
    quantile_vce: float = 0.96
    """Threshold of the counterfactuals' maps (paper: 0.96)."""


@dataclass(frozen=True)
class Config:
    """Trains a plain and a robust classifier, joins them, explains them, and reports what holds."""

    preset: Literal["smoke", "demo", "images"] = "demo"
    """smoke: seconds, proves that everything runs. demo: synthetic fundus images, minutes on two cores. images: a folder of
    one's own images, see --data."""
    data: str = "synthetic"
    """Either 'synthetic', or 'folder:PATH' where PATH holds one sub-folder of images for each class, or is a zip of such."""
    classes: tuple[str, ...] = ()
    """Class folders in the order of the labels; the last is the finding. Empty: the two that there are, by name."""
    image_size: int = 64
    """Height and width to which images are resized, in pixels (paper: 224)."""
    channels: Literal[1, 3] = 3
    """1 for grey images, 3 for colour (paper: 3)."""
    num_images: int = 8000
    """Images of the synthetic world."""
    severity: float = 1.0
    """Strength of the synthetic lesions: 1 is as documented in cfx_jax.data.SyntheticFundus."""
    validation: float = 0.15
    """Share of images for the selection of weights (paper: 0.15)."""
    temperature: float = 0.04
    """Share of images for the calibration (paper: 0.04)."""
    test: float = 0.06
    """Share of images for all reported figures (paper: 0.06)."""
    augmentation: Literal["none", "light"] = "light"
    """light: mirrored left to right at random, shifted by up to a sixteenth."""
    plain: classifier.Config = field(default_factory=classifier.Config)
    """Training of the plain classifier; model, classes and channels are set by the data."""
    robust: trades.Config = field(default_factory=trades.Config)
    """Training of the robust classifier; model, classes and channels are set by the data."""
    robust_accuracy: RobustAccuracyConfig = field(default_factory=RobustAccuracyConfig)
    """Measurement of robust accuracy."""
    explanations: ExplanationConfig = field(default_factory=ExplanationConfig)
    """Counterfactuals and maps."""
    batch_size: int = 64
    """Images attacked or explained at once; does not change results."""
    seed: int = 0
    """Seed of the data, the splits and all random draws; trainings have seeds of their own."""
    results: str = "results"
    """Folder of the report, in RESULTS/fundus_vce/PRESET."""
    work: str = "work"
    """Folder of trained models and intermediate results; a second start reads them from there."""


def _plain(num_steps: int, batch_size: int, evaluate_every: int, *, learning_rate: float) -> classifier.Config:
    return classifier.Config(
        model="resnet_small",
        optimiser=OptimiserConfig(name="adam", learning_rate=learning_rate, weight_decay=1e-3),
        num_steps=num_steps,
        batch_size=batch_size,
        evaluate_every=evaluate_every,
        checkpoint_every=evaluate_every,
        log_every=25,
    )


def _robust(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    *,
    learning_rate: float,
    radius: float,
    attack_steps: int,
    step_size: float,
) -> trades.Config:
    return trades.Config(
        **_fields(_plain(num_steps, batch_size, evaluate_every, learning_rate=learning_rate)),
        attack=trades.AttackConfig(radius=radius, num_steps=attack_steps, step_size=step_size),
    )


def _fields(config: classifier.Config) -> dict[str, Any]:
    return {each.name: getattr(config, each.name) for each in dataclasses.fields(config)}


SMOKE = Config(
    preset="smoke",
    image_size=32,
    num_images=240,
    validation=0.2,
    temperature=0.2,
    test=0.2,
    plain=_plain(4, 16, 2, learning_rate=2e-3),
    robust=_robust(3, 16, 2, learning_rate=2e-3, radius=0.25, attack_steps=2, step_size=0.5),
    robust_accuracy=RobustAccuracyConfig(radius=0.25, num_steps=4, num_restarts=2, num_images=16),
    explanations=ExplanationConfig(
        radii=(1.0, 0.5, 0.05), sweep=(0.02, 0.05), num_steps=4, integration_steps=4, num_shown=1, num_localised=6
    ),
    batch_size=16,
)

DEMO = Config(
    preset="demo",
    num_images=4500,
    test=0.1,
    plain=_plain(300, 64, 100, learning_rate=2e-3),
    robust=_robust(170, 64, 85, learning_rate=3e-3, radius=0.25, attack_steps=4, step_size=0.4),
    robust_accuracy=RobustAccuracyConfig(radius=0.25, num_steps=40, num_restarts=2, num_images=128),
    explanations=ExplanationConfig(
        radii=(6.0, 1.7, 0.1), sweep=(0.025, 0.05, 0.075, 0.1), integration_steps=25, num_shown=3, num_localised=36
    ),
    batch_size=48,
)

IMAGES = Config(
    preset="images",
    data="folder:PATH",
    channels=1,
    validation=0.1,
    temperature=0.05,
    test=0.15,
    plain=_plain(800, 128, 100, learning_rate=2e-3),
    robust=_robust(700, 128, 100, learning_rate=3e-3, radius=0.5, attack_steps=4, step_size=0.4),
    robust_accuracy=RobustAccuracyConfig(radius=0.5, num_steps=100, num_restarts=3, num_images=500),
    explanations=ExplanationConfig(radii=(7.0, 2.5, 0.2), sweep=(0.05, 0.1, 0.15, 0.2)),
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES}
