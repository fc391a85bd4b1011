"""The presets: a smoke test, a demonstration, a user's folder, the paper, the released code."""

import dataclasses

from cfx_jax.losses import ProgressiveWeights
from experiments.progressive_exaggeration.config import Config, HeartConfig, XGEMConfig
from experiments.shared import SHORT_ADAMW, short_training
from trainers import OptimiserSettings, RunSettings, multi_label, progressive, segmentation, vae

# The demonstration's numbers that were chosen by trial, all in one place.
_CLASSIFIER_STEPS, _CLASSIFIER_STEPS_OF_IMAGES, _CLASSIFIER_STEPS_OF_HEARTS = 800, 500, 500
# How far training images are moved against the classifiers: with less, the probability follows
# what the eye does not see, and so do explanations.
_RADIUS, _RADIUS_OF_IMAGES = 0.25, 0.5
_EXPLAINER_STEPS, _CHAPTER_STEPS = 600, 200
_IMAGES_STEPS = 600
_TRAININGS = 3
_VAE_STEPS = 600
_HEART_STEPS, _SEGMENTATION_STEPS = 400, 300
_FILTERS, _DISCRIMINATOR = (16, 32, 64), (24, 48, 96)
_CRITIC_STEPS = 1  # released: 5
_RATE, _FIRST_MOMENT, _SECOND_MOMENT = 1.5e-3, 0.5, 0.99  # released: 2e-4, 0, 0.9
# How far small networks move a pixel and shade it. With more shade the corners of synthetic mouths
# stay where they are; teeth of photographs need it.
_REACH, _SHADE, _SHADE_OF_IMAGES = 0.1, 0.6, 1.2
# Price of the reconstruction and of the cycle. Published: 100.
_LIKENESS, _LIKENESS_OF_IMAGES = 1.5, 2.5
# Where a classifier confounds, more of an image than the label's place has to change.
_BIAS_LIKENESS = 1 / 3
_BIAS_EXPLAINED = 600


def _classifier(
    num_steps: int, batch_size: int, evaluate_every: int, radius: float = 0.0
) -> multi_label.Config:
    config = multi_label.Config(
        model="resnet_small", optimiser=SHORT_ADAMW, attack_radius=radius, select="auc"
    )
    return short_training(config, num_steps, batch_size, evaluate_every)


def _explainer(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    filters: tuple[int, ...] = _FILTERS,
    discriminator: tuple[int, ...] = _DISCRIMINATOR,
    *,
    symmetric: bool,
    shade: float = _SHADE,
    likeness: float = _LIKENESS,
) -> progressive.Config:
    config = progressive.Config(
        networks="small",
        reach=_REACH,
        shade=shade,
        symmetric=symmetric,
        filters=filters,
        discriminator_filters=discriminator,
        weights=ProgressiveWeights(reconstruction=likeness, cycle=likeness),
        critic_steps=_CRITIC_STEPS,
        learning_rate=_RATE,
        anneal=True,
        first_moment=_FIRST_MOMENT,
        second_moment=_SECOND_MOMENT,
    )
    return short_training(config, num_steps, batch_size, evaluate_every)


def _autoencoder(
    num_steps: int, batch_size: int, evaluate_every: int, filters: tuple[int, ...]
) -> vae.Config:
    config = vae.Config(filters=filters, learning_rate=1e-3)
    return short_training(config, num_steps, batch_size, evaluate_every)


def _segmentation(
    num_steps: int,
    batch_size: int,
    evaluate_every: int,
    filters: tuple[int, ...],
    learning_rate: float,
) -> segmentation.Config:
    config = segmentation.Config(filters=filters, learning_rate=learning_rate)
    return short_training(config, num_steps, batch_size, evaluate_every)


SMOKE = Config(
    preset="smoke",
    image_size=32,
    noise=0.1,
    num_images=300,
    validation=0.16,
    test=0.3,
    classifier=_classifier(30, 16, 30),
    explainer=_explainer(2, 4, 2, (4, 4, 8), (4, 4), symmetric=True),
    vae=_autoencoder(4, 4, 4, (4, 8)),
    xgem=XGEMConfig(num_steps=3),
    chapters=("saliency", "bias", "heart"),
    heart=HeartConfig(
        image_size=32,
        num_images=300,
        classifier=_classifier(60, 16, 60),
        explainer=_explainer(2, 4, 2, (4, 4, 8), (4, 4), symmetric=False),
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
    classifier=_classifier(_CLASSIFIER_STEPS, 64, 100, _RADIUS),
    explainer=_explainer(_EXPLAINER_STEPS, 16, _EXPLAINER_STEPS, symmetric=True),
    trainings=_TRAININGS,
    vae=_autoencoder(_VAE_STEPS, 32, 200, (16, 32, 64, 64)),
    chapters=("saliency", "bias", "heart"),
    heart=HeartConfig(
        image_size=32,
        num_images=3000,
        classifier=_classifier(_CLASSIFIER_STEPS_OF_HEARTS, 64, 100, _RADIUS),
        explainer=_explainer(_HEART_STEPS, 16, _HEART_STEPS, symmetric=False),
        segmentation=_segmentation(_SEGMENTATION_STEPS, 16, 100, (16, 32, 64), 3e-3),
    ),
    chapter_steps=_CHAPTER_STEPS,
    bias_likeness=_BIAS_LIKENESS,
    bias_explained=_BIAS_EXPLAINED,
    bias_warm_start=True,
    human_items=(10, 10, 10),
)

IMAGES = dataclasses.replace(
    DEMO,
    preset="images",
    data="folder:PATH",
    image_size=64,
    classifier=_classifier(_CLASSIFIER_STEPS_OF_IMAGES, 64, 100, _RADIUS_OF_IMAGES),
    explainer=_explainer(_IMAGES_STEPS, 16, _IMAGES_STEPS, symmetric=True, shade=_SHADE_OF_IMAGES),
    trainings=1,
    chapters=("saliency",),
)

# The published setting. A comment says where the paper gives a value. "released": the authors' code
# gives it. "ours": neither does.
_PAPER_CLASSIFIER = multi_label.Config(
    model="densenet121",  # released: classifier/DenseNet.py
    weights="",  # ours: none are given
    num_classes=5,  # set by the images
    in_channels=3,  # section 4: CelebA's faces
    attack_radius=0.0,  # released: no augmentation
    attack_steps=2,  # ours: without effect where nothing is attacked
    mean=(0.5, 0.5, 0.5),  # released: / 255, - 0.5, x 2
    std=(0.5, 0.5, 0.5),  # released: / 255, - 0.5, x 2
    optimiser=OptimiserSettings(
        rule="adamw",  # released: Adam, which is the same without a decay
        learning_rate=1e-4,  # released
        momentum=0.9,  # released: default betas
        weight_decay=0.0,  # released
        schedule="constant",  # released
    ),
    balanced=False,  # released: no class weights
    select="none",  # released: the last weights
    run=RunSettings(
        epochs=5,  # released: 5 epochs
        batch_size=32,  # released
        eval_batch_size=128,  # ours: does not change the result
        evaluate_every=0,  # ours: without effect where no weights are selected
        checkpoint_every=1000,  # ours: does not change the result
        seed=0,  # ours: none is given
    ),
)

_PAPER_EXPLAINER = progressive.Config(
    in_channels=3,  # section 4: CelebA's faces
    num_bins=10,  # section 2.1 and Table 1: steps of a tenth
    networks="released",  # appendix A.1
    reach=0.1,  # ours: without effect on these networks
    shade=0.6,  # ours: without effect on these networks
    symmetric=False,  # ours: without effect on these networks
    filters=(64, 128, 256, 512, 1024, 1024),  # appendix A.1: five blocks; widths released
    conditional_encoder=False,  # section 2.1, equation 2: E(x)
    stem_activation=True,  # released
    momentum=0.9,  # ours: released, but never used
    discriminator_filters=(64, 128, 256, 512, 1024),  # appendix A.1: five blocks; widths released
    last_block=False,  # appendix A.1: five blocks
    projection="ordinal",  # section 2.2, equation 4
    classifier_gradient=True,  # section 2.2: the second term influences only the generator
    target="centre",  # section 2.2: f(x) + delta; the centre is ours, as in the released plots
    reconstruction="pixels",  # section 2.3, equation 5
    weights=ProgressiveWeights(
        adversarial=1.0,  # appendix A.4: lambda_cGAN
        compatibility=1.0,  # appendix A.4: lambda_f
        reconstruction=100.0,  # appendix A.4: lambda_rec
        cycle=100.0,  # appendix A.4 and equation 9: lambda_rec
        returned_class=0.0,  # section 2.4, equation 9: no such term
    ),
    critic_steps=5,  # released: D : G of 5 : 1
    learning_rate=2e-4,  # released
    anneal=False,  # released
    first_moment=0.0,  # released
    second_moment=0.9,  # released
    sampling="equal",  # released: bins of equal size
    select="none",  # released: the last weights
    run=RunSettings(
        num_steps=20_000,  # released: 100,000 updates of the discriminator
        batch_size=32,  # released
        eval_batch_size=8,  # ours: does not change the result
        evaluate_every=1000,  # ours: without effect where no weights are selected
        checkpoint_every=100,  # released: 500 updates of the discriminator
        seed=0,  # ours: none is given
    ),
)

_PAPER_VAE = vae.Config(
    size=(64, 64),  # set by the images
    in_channels=3,  # section 4: CelebA's faces
    filters=(64, 128, 256, 512, 512),  # appendix A.2: LynnHo's defaults; the fifth is ours
    latent=32,  # appendix A.2: LynnHo's default
    beta=0.1,  # appendix A.2: LynnHo's default
    learning_rate=2e-4,  # appendix A.2: LynnHo's default
    first_moment=0.5,  # appendix A.2: LynnHo's default
    select="none",  # appendix A.2: LynnHo's default
    run=RunSettings(
        epochs=50,  # appendix A.2: LynnHo's default
        batch_size=64,  # appendix A.2: LynnHo's default
        eval_batch_size=64,  # ours: does not change the result
        evaluate_every=0,  # ours: without effect where no weights are selected
        checkpoint_every=1000,  # ours: does not change the result
        seed=0,  # ours: none is given
    ),
)

_PAPER_HEART = HeartConfig(
    image_size=128,  # section 4: all images are re-sized to 128 x 128
    num_images=5000,  # ours: synthetic radiographs in place of CheXpert
    classifier=_PAPER_CLASSIFIER,  # released: as of faces
    explainer=_PAPER_EXPLAINER,  # section 4: as of faces
    segmentation=segmentation.Config(
        num_classes=3,  # section 4.2: lungs and heart; set by the masks
        in_channels=1,  # section 4: radiographs; set by the images
        filters=(16, 32, 64),  # ours: section 4.2 has a UNet of no given size
        norm="affine",  # ours: not given
        learning_rate=1e-3,  # ours: not given
        select="dice",  # ours: not given
        run=RunSettings(
            num_steps=2000,  # ours: not given
            batch_size=16,  # ours: not given
            eval_batch_size=32,  # ours: does not change the result
            evaluate_every=100,  # ours: not given
            checkpoint_every=500,  # ours: does not change the result
            seed=0,  # ours: none is given
        ),
    ),
)

PAPER = Config(
    preset="paper",
    data="celeba:PATH",  # section 4: CelebA
    label="Smiling",  # section 4: the first of the two attributes
    labels=(),  # ours: all labels are read
    one_label=True,  # section 4: binary classifiers
    normalisation="unit",  # released: / 255, - 0.5, x 2
    image_size=128,  # section 4: all images are re-sized to 128 x 128
    channels=3,  # section 4: CelebA's faces
    validation=0.02,  # ours: not given
    test=0.08,  # ours: not given; the released records leave a tenth out of the training
    mirrored=False,  # released: no augmentation
    noise=0.0,  # released: no augmentation
    classifier=_PAPER_CLASSIFIER,
    explainer=_PAPER_EXPLAINER,
    trainings=1,  # ours: no seed is reported
    vae=_PAPER_VAE,
    xgem=XGEMConfig(
        num_steps=150,  # ours: not given
        learning_rate=0.05,  # ours: not given
        weight=0.1,  # ours: not given
        until=0.95,  # ours: not given
    ),
    calibrated=5000,  # released: 5,000 of each bin for Young
    chapters=(
        "saliency",
        "bias",
        "attributes",
        "discrimination",
        "ablation",
    ),  # sections 4.3 ff.
    attributes=(  # appendix A.3, Table 5: six prediction tasks
        "Smiling",
        "Young",
        "No_Beard",
        "Heavy_Makeup",
        "Black_Hair",
        "Bangs",
    ),
    discriminated=(  # section 4.5: young, smiling, black-hair, no-beard and bangs
        "Young",
        "Smiling",
        "Black_Hair",
        "No_Beard",
        "Bangs",
    ),
    ablated="Young",  # appendix A.4: young vs old
    heart=_PAPER_HEART,
    chapter_steps=0,  # released: as many steps for every explainer
    confounder="Male",  # section 4.4: all smiling images are of male faces
    bias_likeness=1.0,  # section 4.4: no other weights
    bias_explained=0,  # ours: the same queries
    bias_warm_start=False,  # section 4.4: no such start
    human_items=(200, 100, 200),  # section 4.6: 200 queries; 100 of four attributes; 200 each
    num_explained=5000,  # ours: not given
    collapsed=0.2,  # ours: a bound of the report
    num_shown=4,  # ours: images in figures
    batch_size=32,  # ours: changes results by rounding only
    seed=0,  # ours: none is given
    test_seed=1_000,  # ours: of synthetic worlds alone
)

# released: the code, which is another method than the paper's
CODE = dataclasses.replace(PAPER, preset="code", explainer=progressive.CODE_HEAD)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER, "code": CODE}
