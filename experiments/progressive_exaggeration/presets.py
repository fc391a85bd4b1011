"""The experiment's presets: a smoke test, a demonstration for two cores, a user's folder, the
published setting, and that of the released code."""

import dataclasses

from cfx_jax.losses import ProgressiveWeights
from experiments.progressive_exaggeration.config import Config, HeartConfig, XGEMConfig
from experiments.shared.times import times
from trainers import OptimiserSettings, multi_label, progressive, segmentation, vae, with_run

# The demonstration's numbers that were chosen by trial, all in one place.
_CLASSIFIER_STEPS = 500
_EXPLAINER_STEPS, _CHAPTER_STEPS = 1000, 300
_IMAGES_STEPS = 1600
_NOISE = 0.2
_VAE_STEPS = 600
_HEART_STEPS, _SEGMENTATION_STEPS = 500, 300
# One halving: with two, mouths of these sizes get lost on the way.
_FILTERS, _DISCRIMINATOR = (24, 48), (8, 16, 32, 64)
_CRITIC_STEPS = 1  # released: 5
_RATE, _FIRST_MOMENT = 2e-3, 0.5  # released: 2e-4, 0
# Prices of the reconstruction and of the cycle. Published: 100, where that of the critic is 1. The
# classifier has more to say, so that its probability is reached within few steps.
_LIKENESS, _LIKENESS_OF_HEARTS, _LIKENESS_OF_IMAGES, _CRITIC = 3.0, 6.0, 2.0, 0.1
# Where a classifier confounds, more of an image than the label's place has to change.
_BIAS_LIKENESS = 1 / 3


def _classifier(num_steps: int, batch_size: int, evaluate_every: int) -> multi_label.Config:
    optimiser = OptimiserSettings("adamw", learning_rate=2e-3, weight_decay=1e-3, schedule="cosine")
    config = multi_label.Config(model="resnet_small", optimiser=optimiser, select="auc")
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


def _explainer(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    filters: tuple[int, ...] = _FILTERS,
    discriminator: tuple[int, ...] = _DISCRIMINATOR,
    likeness: float = _LIKENESS,
) -> progressive.Config:
    config = progressive.Config(
        filters=filters,
        discriminator_filters=discriminator,
        stem_activation=False,  # it takes away what is dark
        last_block=False,
        weights=ProgressiveWeights(adversarial=_CRITIC, reconstruction=likeness, cycle=likeness),
        critic_steps=_CRITIC_STEPS,
        learning_rate=_RATE,
        anneal=True,
        first_moment=_FIRST_MOMENT,
        select="score",
    )
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


def _autoencoder(
    num_steps: int, batch_size: int, evaluate_every: int, filters: tuple[int, ...]
) -> vae.Config:
    config = vae.Config(filters=filters, learning_rate=1e-3)
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


def _segmentation(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    filters: tuple[int, ...],
    learning_rate: float,
) -> segmentation.Config:
    config = segmentation.Config(filters=filters, learning_rate=learning_rate)
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


SMOKE = Config(
    preset="smoke",
    image_size=32,
    noise=0.1,
    num_images=300,
    validation=0.16,
    test=0.3,
    classifier=_classifier(30, 16, 30),
    explainer=_explainer(2, 4, 2, (4, 4, 8), (4, 4)),
    vae=_autoencoder(4, 4, 4, (4, 8)),
    xgem=XGEMConfig(num_steps=3),
    chapters=("saliency", "bias", "heart"),
    heart=HeartConfig(
        image_size=32,
        num_images=300,
        classifier=_classifier(60, 16, 60),
        explainer=_explainer(2, 4, 2, (4, 4, 8), (4, 4)),
        segmentation=_segmentation(60, 8, 60, (4, 8), 1e-2),
    ),
    human_items=(2, 2, 2),
    num_explained=24,
    num_shown=2,
    batch_size=8,
)

DEMO = Config(
    preset="demo",
    image_size=48,
    noise=_NOISE,
    classifier=_classifier(_CLASSIFIER_STEPS, 64, 100),
    explainer=_explainer(_EXPLAINER_STEPS, 16, 250),
    vae=_autoencoder(_VAE_STEPS, 32, 200, (16, 32, 64, 64)),
    chapters=("saliency", "bias", "heart"),
    heart=HeartConfig(
        image_size=32,
        num_images=3000,
        classifier=_classifier(_CLASSIFIER_STEPS, 64, 100),
        explainer=_explainer(_HEART_STEPS, 16, 200, likeness=_LIKENESS_OF_HEARTS),
        segmentation=_segmentation(_SEGMENTATION_STEPS, 16, 100, (16, 32, 64), 3e-3),
    ),
    chapter_steps=_CHAPTER_STEPS,
    bias_likeness=_BIAS_LIKENESS,
    bias_warm_start=True,
    human_items=(10, 10, 10),
)

IMAGES = dataclasses.replace(
    DEMO,
    preset="images",
    data="folder:PATH",
    image_size=64,
    explainer=_explainer(_IMAGES_STEPS, 16, 300, likeness=_LIKENESS_OF_IMAGES),
    chapters=("saliency",),
)

_ATTRIBUTES = ("Smiling", "Young", "No_Beard", "Heavy_Makeup", "Black_Hair", "Bangs")
_OF_ONE_CLASSIFIER = ("Young", "Smiling", "Black_Hair", "No_Beard", "Bangs")

PAPER = Config(
    preset="paper",
    data="celeba:PATH",
    label="Smiling",
    one_label=True,
    normalisation="unit",
    image_size=128,
    validation=0.02,
    test=0.08,
    mirrored=False,
    classifier=multi_label.Config(),
    explainer=progressive.PAPER_FIXED,
    vae=vae.Config(filters=(64, 128, 256, 512, 512)),
    calibrated=5000,
    heart=HeartConfig(classifier=multi_label.Config()),
    chapters=("saliency", "bias", "attributes", "discrimination", "ablation"),
    attributes=_ATTRIBUTES,
    discriminated=_OF_ONE_CLASSIFIER,
    ablated="Young",
    confounder="Male",
    human_items=(200, 100, 200),
    num_explained=5000,
    batch_size=32,
)

CODE = dataclasses.replace(PAPER, preset="code", explainer=progressive.CODE_HEAD)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER, "code": CODE}
