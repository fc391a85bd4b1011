"""The experiment's presets: a smoke test, a demonstration for two cores, a user's folder, and the
published setting.
"""

import dataclasses

from cfx_jax.losses import SimilarAdversarialWeights
from experiments.shared.times import times
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.rows import NAIVE, OURS
from trainers import (
    OptimiserSettings,
    PlateauSettings,
    classifier,
    mask_generator,
    similar_adversarial,
    with_run,
)

# The demonstration's numbers that were chosen by trial, all in one place.
_STEPS = 800  # of each generator, in batches of 8: longer sharpens the adversarial images
_LEARNING_RATE = 7e-4  # 3e-3 never learns at these sizes
_CLASS_WEIGHT = (
    0.05  # of the classifier's answers; the published 1e-3 is too little within so few steps
)
# Photographs vary more than a drawn world: with the numbers above two decisions in three turned
# over.
_IMAGES_STEPS, _IMAGES_CLASS_WEIGHT = 1600, 0.3
_PLATEAU_STEPS = 100  # whose mean losses decide when the learning rate falls
_FILTERS, _HEADS = (8, 16, 32, 64), (16, 8)
_MASK_STEPS = 300
_CLASSIFIER_STEPS = 400


def _classifier(num_steps: int, batch_size: int, evaluate_every: int) -> classifier.Config:
    optimiser = OptimiserSettings("adamw", learning_rate=2e-3, weight_decay=1e-3, schedule="cosine")
    config = classifier.Config(model="resnet_small", optimiser=optimiser)
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


def _pairs(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    *,
    filters: tuple[int, ...] = _FILTERS,
    heads: tuple[int, ...] = _HEADS,
    class_weight: float = _CLASS_WEIGHT,
) -> similar_adversarial.Config:
    config = similar_adversarial.Config(
        filters=filters,
        head_filters=heads,
        weights=SimilarAdversarialWeights(
            similar_class=class_weight, adversarial_class=class_weight
        ),
        proximity="mean_square",
        optimiser=PlateauSettings(
            learning_rate=_LEARNING_RATE,
            factor=1 / 3,  # published
            patience=3,  # published
            smallest=_LEARNING_RATE / 10,
        ),
        balanced=True,
    )
    length = times(num_steps, evaluate_every)
    return with_run(config, batch_size=batch_size, steps_per_epoch=_PLATEAU_STEPS, **length)


def _masks(
    num_steps: int, batch_size: int, evaluate_every: int, *, width: int, size: int
) -> mask_generator.Config:
    config = mask_generator.Config(width=width, blur_sigma=11 * size / 224, balanced=True)
    return with_run(config, batch_size=batch_size, **times(num_steps, evaluate_every))


# Numbers of images are multiples of the batch sizes, or nearly so: batches of one size compile
# once.
SMOKE = Config(
    preset="smoke",
    image_size=32,
    num_images=400,
    validation=0.16,
    test=0.16,
    classifier=_classifier(40, 16, 20),
    similar_adversarial=_pairs(4, 4, 2, filters=(4, 8), heads=(4, 4)),
    generators=(NAIVE, "Duo AE (W,TV)", "Single AE1 (W,TV)", OURS),
    duo_batch_size=4,
    mask_generator=_masks(4, 4, 2, width=4, size=32),
    num_nodes=3,
    num_samples=3,
    num_perturbation_steps=3,
    num_perceptual_steps=3,
    num_averaged=2,
    num_explained=8,
    batch_size=8,
    num_shown=2,
)

DEMO = Config(
    preset="demo",
    test=0.12,
    classifier=_classifier(_CLASSIFIER_STEPS, 64, 100),
    similar_adversarial=_pairs(_STEPS, 8, 200),
    duo_batch_size=8,
    mask_generator=_masks(_MASK_STEPS, 32, 100, width=16, size=64),
    num_nodes=25,
    num_samples=25,
    num_perceptual_steps=100,
    num_explained=96,
    batch_size=16,
)

IMAGES = dataclasses.replace(
    DEMO,
    preset="images",
    data="folder:PATH",
    classifier=_classifier(800, 128, 100),
    similar_adversarial=_pairs(_IMAGES_STEPS, 8, 200, class_weight=_IMAGES_CLASS_WEIGHT),
    generators=(NAIVE, OURS),
)

PAPER = Config(
    preset="paper",
    data="rsna:PATH",
    image_size=224,
    validation=None,
    test=None,
    augmentation="published",
    classifier=with_run(
        classifier.Config(
            model="resnet50",
            balanced=False,
            optimiser=OptimiserSettings("adamw", learning_rate=1e-4, schedule="constant"),
        ),
        batch_size=32,
        epochs=50,
    ),
    num_explained=10_000,
    batch_size=4,  # with 50 nodes or noisy copies each, 200 images: 18 GB for a ResNet-50
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER}
