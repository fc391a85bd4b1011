"""The experiment's presets: a smoke test, a demonstration for two cores, a user's folder, and the
published setting.
"""

import dataclasses
from typing import Any

from experiments.fundus_vce.config import (
    Config,
    ExplanationConfig,
    LocalisationConfig,
    QualityConfig,
    RobustAccuracyConfig,
    SyntheticConfig,
)
from trainers import OptimiserSettings, SupervisedConfig, classifier, trades, with_run


def _small(
    model: str, num_steps: int, batch_size: int, evaluate_every: int, optimiser: OptimiserSettings
) -> classifier.Config:
    return with_run(
        classifier.Config(model=model, optimiser=optimiser),
        num_steps=num_steps,
        batch_size=batch_size,
        evaluate_every=evaluate_every,
        checkpoint_every=evaluate_every,
        log_every=25,
    )


def _plain(
    num_steps: int, batch_size: int, evaluate_every: int, *, learning_rate: float
) -> classifier.Config:
    optimiser = OptimiserSettings(
        "adamw", learning_rate=learning_rate, weight_decay=1e-3, schedule="cosine"
    )
    return _small("resnet_small", num_steps, batch_size, evaluate_every, optimiser)


def _quality(num_steps: int, batch_size: int, evaluate_every: int) -> classifier.Config:
    optimiser = dataclasses.replace(classifier.Config().optimiser, learning_rate=0.05)
    return _small("efficientnet_small", num_steps, batch_size, evaluate_every, optimiser)


def _triangle(num_steps: int, batch_size: int, *, learning_rate: float) -> classifier.Config:
    config = _plain(num_steps, batch_size, max(1, num_steps // 3), learning_rate=learning_rate)
    optimiser = dataclasses.replace(config.optimiser, schedule="triangle")
    return dataclasses.replace(config, optimiser=optimiser)


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


def _fields(config: SupervisedConfig) -> dict[str, Any]:
    return {each.name: getattr(config, each.name) for each in dataclasses.fields(SupervisedConfig)}


# Batches of one size compile once: the numbers of images are multiples of the batch size, or nearly
# so.
SMOKE = Config(
    preset="smoke",
    image_size=32,
    synthetic=SyntheticConfig(num_images=240, num_external=24),
    validation=0.2,
    temperature=0.2,
    test=0.2,
    quality=QualityConfig(num_members=1, num_images=60, training=_quality(2, 16, 2)),
    plain=_plain(4, 16, 2, learning_rate=2e-3),
    fine_tuning=_triangle(2, 16, learning_rate=1e-3),
    robust=_robust(3, 16, 2, learning_rate=2e-3, radius=0.25, attack_steps=2, step_size=0.5),
    robust_accuracy=RobustAccuracyConfig(radius=0.25, num_steps=4, num_restarts=1, num_images=16),
    explanations=ExplanationConfig(
        radii=(1.0, 0.5, 0.05),
        sweep=(0.02, 0.05),
        num_steps=4,
        integration_steps=4,
        num_studied=2,
        num_shown=1,
    ),
    localisation=LocalisationConfig(num_tuning=4, num_scored=6, radius_factors=(1.0, 2.0)),
    batch_size=4,
)

DEMO = Config(
    preset="demo",
    synthetic=SyntheticConfig(num_images=6000, num_external=500),
    test=0.12,
    quality=QualityConfig(num_members=2, training=_quality(150, 64, 50)),
    plain=_plain(500, 64, 100, learning_rate=2e-3),
    fine_tuning=_triangle(60, 64, learning_rate=1e-3),
    robust=_robust(500, 64, 100, learning_rate=3e-3, radius=0.25, attack_steps=4, step_size=0.4),
    robust_accuracy=RobustAccuracyConfig(radius=0.25, num_steps=50, num_restarts=2, num_images=150),
    explanations=ExplanationConfig(
        radii=(6.0, 1.7, 0.1),
        sweep=(0.05, 0.1, 0.15, 0.2),
        integration_steps=25,
        num_studied=18,
        num_shown=3,
    ),
    localisation=LocalisationConfig(
        num_tuning=40, num_scored=80, radius_factors=(1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
    ),
    batch_size=40,
)

IMAGES = Config(
    preset="images",
    data="folder:PATH",
    channels=1,
    validation=0.1,
    temperature=0.05,
    calibration="likelihood",  # a user's images may be easy
    test=0.15,
    plain=_plain(800, 128, 100, learning_rate=2e-3),
    fine_tune=False,
    robust=_robust(700, 128, 100, learning_rate=3e-3, radius=0.5, attack_steps=4, step_size=0.4),
    robust_accuracy=RobustAccuracyConfig(radius=0.5, num_steps=100, num_restarts=3, num_images=500),
    explanations=ExplanationConfig(
        radii=(7.0, 2.5, 0.2), sweep=(0.05, 0.1, 0.15, 0.2), num_studied=12
    ),
)

PAPER = Config(
    preset="paper",
    data="fundus:PATH",
    image_size=224,
    augmentation="murat",
    quality=QualityConfig(
        training=with_run(classifier.Config(model="efficientnet_b0"), epochs=100)
    ),
    batch_size=32,
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER}
