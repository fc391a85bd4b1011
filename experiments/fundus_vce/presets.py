"""The presets: a smoke test, a demonstration, a user's folder, and the published setting."""

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
from experiments.shared import SHORT_ADAMW, short_training
from trainers import OptimiserSettings, RunSettings, SupervisedConfig, classifier, trades, with_run


def _plain(
    num_steps: int, batch_size: int, evaluate_every: int, *, learning_rate: float
) -> classifier.Config:
    optimiser = dataclasses.replace(SHORT_ADAMW, learning_rate=learning_rate)
    config = classifier.Config(model="resnet_small", optimiser=optimiser)
    return short_training(
        config, num_steps, batch_size, evaluate_every, checkpoint_every=evaluate_every
    )


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
    """The settings that all trainings of a classifier have, by name."""
    return {
        field.name: getattr(config, field.name) for field in dataclasses.fields(SupervisedConfig)
    }


# Batches of one size compile once: numbers of images are multiples of the batch size, or nearly so.
SMOKE = Config(
    preset="smoke",
    image_size=32,
    synthetic=SyntheticConfig(num_images=240, num_external=24),
    validation=0.2,
    temperature=0.2,
    test=0.2,
    quality=QualityConfig(
        num_members=1, num_images=60, training=_plain(2, 16, 2, learning_rate=2e-3)
    ),
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
    # Small residual networks: EfficientNets take twice as long to compile and to train, and are no
    # better here.
    quality=QualityConfig(num_members=2, training=_plain(90, 64, 30, learning_rate=2e-3)),
    plain=_plain(400, 64, 100, learning_rate=2e-3),
    fine_tuning=_triangle(60, 64, learning_rate=1e-3),
    robust=_robust(400, 64, 100, learning_rate=3e-3, radius=0.25, attack_steps=2, step_size=0.7),
    robust_accuracy=RobustAccuracyConfig(radius=0.25, num_steps=30, num_restarts=1, num_images=150),
    explanations=ExplanationConfig(
        radii=(6.0, 1.7, 0.1),
        sweep=(0.05, 0.1, 0.15, 0.2),
        num_steps=30,
        integration_steps=25,
        num_studied=18,
        num_shown=3,
    ),
    localisation=LocalisationConfig(
        num_tuning=40, num_scored=80, radius_factors=(1 / 16, 1 / 8, 1 / 4)
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

# The published setting. A comment says where the paper gives a value. "code": the authors' code,
# https://github.com/valentyn1boreiko/Fundus_VCEs, or the sibling repositories of the same
# laboratories, gives it. "ours": neither does.
_PAPER_RESNET = classifier.Config(
    model="resnet50",  # section 2.2, second paragraph
    weights="",  # code: no pretrained weights; the paper names none
    num_classes=2,  # section 2.2, first paragraph
    in_channels=3,  # figures: colour photographs
    mean=(0.41859, 0.28518, 0.20822),  # code: model_normalization.py; measured anew in the run
    std=(0.30146, 0.21559, 0.16516),  # code: model_normalization.py; measured anew in the run
    optimiser=OptimiserSettings(
        rule="sgd",  # code: default of the command line
        learning_rate=0.01,  # section 2.2, second paragraph
        momentum=0.9,  # code: default of the command line
        nesterov=True,  # code: default of the command line
        weight_decay=5e-4,  # code: default of the command line
        schedule="cosine",  # section 2.2, second paragraph
    ),
    run=RunSettings(
        epochs=500,  # section 2.2, second paragraph
        num_steps=0,  # ours: counted out from the epochs
        batch_size=128,  # section 2.2, second paragraph
        evaluate_every=0,  # code: each epoch
        checkpoint_every=0,  # ours: each epoch; does not change the result
        log_every=50,  # ours: does not change the result
        eval_batch_size=128,  # ours: does not change the result
        seed=0,  # ours: none is given
    ),
    balanced=True,  # section 2.2, second paragraph: oversampling of the DR cases
    weighted=False,  # section 2.2, second paragraph: cross-entropy, oversampling instead
    select="balanced_accuracy",  # section 2.2, second paragraph
)

PAPER = Config(
    preset="paper",
    data="fundus:PATH",  # section 2.1: Kaggle, Messidor, IDRiD, ISBI 2020
    classes=(),  # section 2.2, first paragraph: no DR, moderate to advanced DR
    image_size=224,  # section 2.1
    channels=3,  # figures: colour photographs
    validation=0.15,  # section 2.2, first paragraph
    temperature=0.04,  # section 2.2, first paragraph
    calibration="ece",  # section 2.2, last paragraph
    test=0.06,  # section 2.2, first paragraph
    quality=QualityConfig(
        num_members=5,  # ours: section 2.1 has an ensemble of no given number
        training=dataclasses.replace(
            with_run(_PAPER_RESNET, epochs=100),  # ours: not given; else as the plain model's
            model="efficientnet_b0",  # ours: section 2.1 has EfficientNets of no given size
        ),
    ),
    augmentation="murat",  # code: the augmentation of that name; the paper has none
    plain=_PAPER_RESNET,
    fine_tune=True,  # section 2.2, second paragraph
    plain_weights="best",  # section 2.2, second paragraph; the released code takes the last
    fine_tuning=dataclasses.replace(
        with_run(_PAPER_RESNET, epochs=3),  # section 2.2, second paragraph; batches: ours
        optimiser=dataclasses.replace(
            _PAPER_RESNET.optimiser,
            learning_rate=1e-3,  # code: name of the run, lr=0.00100
            nesterov=False,  # code: robust_finetuning/train.py
            schedule="triangle",  # section 2.2, second paragraph: cyclic triangle, one cycle
            turn=1 / 3,  # code: robust_finetuning, epoch 1 of 3
        ),
    ),
    robust=trades.Config(
        # section 2.2, third paragraph: the architecture; else ours. With remat, since a step would
        # need 20 GiB; it changes results by rounding only.
        **_fields(with_run(_PAPER_RESNET, remat=True)),
        select="balanced_accuracy",  # ours: as the plain model's; the code: adversarial accuracy
        beta=6.0,  # section 2.2, below equation 1
        attack=trades.AttackConfig(
            p=2.0,  # section 2.2, below equation 1
            radius=0.25,  # section 2.2, below equation 1
            num_steps=20,  # code: name of the run, 20 steps
            step_size=0.2,  # code: sibling repositories, a fifth of the radius
            momentum=0.9,  # code: argmin_pgd.py
            start=(0.1, 0.5),  # ours: the released start, the image itself, has no gradient
        ),
        divergence_order="clean_first",  # code: TRADES_training.py; equation 1 has the other order
    ),
    robust_accuracy=RobustAccuracyConfig(
        radius=0.1,  # section 2.5, first paragraph
        num_steps=100,  # section 2.5, first paragraph
        num_restarts=9,  # section 2.5, first paragraph
        num_images=1000,  # code: the first 1000; section 2.5: the fraction of test inputs
    ),
    explanations=ExplanationConfig(
        norms=(1.5, 2.0, 4.0),  # section 2.4
        radii=(30.0, 6.0, 0.2),  # Table 2
        sweep=(0.1, 0.2, 0.3, 0.4),  # Figure 3
        num_steps=75,  # code: scripts of the counterfactuals
        mask_after_oracle=False,  # equation 3; the released code masks afterwards
        integration_steps=100,  # ours: as in an example of the public repository, reference 25
        num_studied=50,  # ours: the paper shows single images
        num_shown=4,  # ours: the paper shows single images
    ),
    localisation=LocalisationConfig(
        num_tuning=40,  # section 2.4
        num_scored=41,  # section 2.5, second paragraph
        quantiles=(0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99),  # ours: the grid is not given
        radius_factors=(0.5, 1.0, 2.0),  # ours: section 2.4, "different epsilon per norm"
        quantile_guided=0.98,  # section 2.4
        quantile_integrated=0.96,  # section 2.4
        quantile_vce=0.96,  # section 2.4
    ),
    batch_size=32,  # ours: changes results by rounding only
    seed=0,  # ours: none is given
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER}
