"""The published setting: every value of the preset with its place, and the published figures."""

import dataclasses
import math

import pytest
from published_settings import check_published, settings_of

from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters.ablation import BASE, NO_RECONSTRUCTION
from experiments.progressive_exaggeration.presets import PRESETS
from trainers.progressive import CODE_HEAD

# Places: a section of the paper, or "released", the authors' code.
PUBLISHED = {
    "image_size": (128, "section 4: all images are re-sized to 128 x 128"),
    "channels": (3, "section 4: CelebA's faces"),
    "one_label": (True, "section 4: binary classifiers"),
    "normalisation": ("unit", "released: / 255, - 0.5, x 2"),
    "mirrored": (False, "released: no augmentation"),
    "noise": (0.0, "released: no augmentation"),
    "classifier.model": ("densenet121", "released: classifier/DenseNet.py"),
    "classifier.attack_radius": (0.0, "released: no augmentation"),
    "classifier.mean": ((0.5, 0.5, 0.5), "released: / 255, - 0.5, x 2"),
    "classifier.std": ((0.5, 0.5, 0.5), "released: / 255, - 0.5, x 2"),
    "classifier.optimiser.rule": ("adamw", "released: Adam"),
    "classifier.optimiser.learning_rate": (1e-4, "released"),
    "classifier.optimiser.momentum": (0.9, "released: default betas"),
    "classifier.optimiser.weight_decay": (0.0, "released"),
    "classifier.optimiser.schedule": ("constant", "released"),
    "classifier.run.batch_size": (32, "released"),
    "classifier.balanced": (False, "released: no class weights"),
    "classifier.run.epochs": (5, "released: 5 epochs"),
    "classifier.select": ("none", "released: the last weights"),
    "explainer.num_bins": (10, "section 2.1 and Table 1: steps of a tenth"),
    "explainer.networks": ("released", "appendix A.1"),
    "explainer.filters": (
        (64, 128, 256, 512, 1024, 1024),
        "appendix A.1: five blocks; widths released",
    ),
    "explainer.conditional_encoder": (False, "section 2.1, equation 2: E(x)"),
    "explainer.stem_activation": (True, "released"),
    "explainer.discriminator_filters": (
        (64, 128, 256, 512, 1024),
        "appendix A.1: five blocks; widths released",
    ),
    "explainer.last_block": (False, "appendix A.1: five blocks"),
    "explainer.projection": ("ordinal", "section 2.2, equation 4"),
    "explainer.classifier_gradient": (
        True,
        "section 2.2: the second term influences only the generator",
    ),
    "explainer.target": (
        "centre",
        "section 2.2: f(x) + delta; the centre of a bin is ours, as in the released plots",
    ),
    "explainer.reconstruction": ("pixels", "section 2.3, equation 5"),
    "explainer.weights.adversarial": (1.0, "appendix A.4: lambda_cGAN"),
    "explainer.weights.compatibility": (1.0, "appendix A.4: lambda_f"),
    "explainer.weights.reconstruction": (100.0, "appendix A.4: lambda_rec"),
    "explainer.weights.cycle": (100.0, "appendix A.4 and equation 9: lambda_rec"),
    "explainer.weights.returned_class": (0.0, "section 2.4, equation 9: no such term"),
    "explainer.critic_steps": (5, "released: D : G of 5 : 1"),
    "explainer.learning_rate": (2e-4, "released"),
    "explainer.anneal": (False, "released"),
    "explainer.first_moment": (0.0, "released"),
    "explainer.second_moment": (0.9, "released"),
    "explainer.sampling": ("equal", "released: bins of equal size"),
    "explainer.run.num_steps": (20_000, "released: 100,000 updates of the discriminator"),
    "explainer.run.batch_size": (32, "released"),
    "explainer.select": ("none", "released: the last weights"),
    "calibrated": (5000, "released: 5,000 of each bin for Young"),
    "vae.filters": (
        (64, 128, 256, 512, 512),
        "appendix A.2: LynnHo's defaults, extended to 128 pixels; the fifth is ours",
    ),
    "vae.latent": (32, "appendix A.2: LynnHo's default"),
    "vae.beta": (0.1, "appendix A.2: LynnHo's default"),
    "vae.learning_rate": (2e-4, "appendix A.2: LynnHo's default"),
    "vae.first_moment": (0.5, "appendix A.2: LynnHo's default"),
    "vae.run.epochs": (50, "appendix A.2: LynnHo's default"),
    "vae.run.batch_size": (64, "appendix A.2: LynnHo's default"),
    "vae.select": ("none", "appendix A.2: LynnHo's default"),
    "label": ("Smiling", "section 4: the first of the two attributes"),
    "confounder": ("Male", "section 4.4: all smiling images are of male faces"),
    "bias_likeness": (1.0, "section 4.4: no other weights"),
    "bias_warm_start": (False, "section 4.4: no such start"),
    "attributes": (
        ("Smiling", "Young", "No_Beard", "Heavy_Makeup", "Black_Hair", "Bangs"),
        "appendix A.3, Table 5: six prediction tasks",
    ),
    "discriminated": (
        ("Young", "Smiling", "Black_Hair", "No_Beard", "Bangs"),
        "section 4.5: young, smiling, black-hair, no-beard and bangs",
    ),
    "ablated": ("Young", "appendix A.4: young vs old"),
    "human_items": (
        (200, 100, 200),
        "section 4.6: 200 query images; 100 from each of four attributes; 200 each",
    ),
    "chapter_steps": (0, "released: as many steps for every explainer"),
}
OURS = {
    "groups",
    "window",
    "validation",
    "test",
    "classifier.weights",
    "num_explained",
    "trainings",
    "bias_explained",
    "xgem.num_steps",
    "xgem.learning_rate",
    "xgem.weight",
    "xgem.until",
    "explainer.momentum",
    "collapsed",
    "num_shown",
}
"""Settings that neither the paper nor its code gives."""
SET_BY_THE_RUN = {  # by the images, by epochs, or of another kind of image alone
    "preset",
    "data",
    "classes",
    "labels",
    "num_images",
    "test_seed",
    "inception",
    "recogniser",
    "results",
    "work",
    "classifier.num_classes",
    "classifier.in_channels",
    "classifier.run.num_steps",
    "classifier.run.evaluate_every",
    "explainer.in_channels",
    "explainer.run.epochs",
    "vae.size",
    "vae.in_channels",
    "vae.run.num_steps",
    "vae.run.evaluate_every",
    "chapters",
}
WITHOUT_EFFECT = {
    "seed",
    "batch_size",
    "eval_batch_size",
    "log_every",
    "checkpoint_every",
    "evaluate_every",
    "steps_per_epoch",
    "nesterov",
}
WITHOUT_EFFECT |= {"turn", "smallest"}  # of schedules and rules that are not used
WITHOUT_EFFECT |= {"attack_steps", "reach", "shade", "symmetric"}  # nor attacks, nor small networks


def is_ours(name):
    """Whether neither the paper nor its code gives a setting; hearts are of another world."""
    if name in PUBLISHED:
        return False
    leaf = name.rpartition(".")[2]
    return name in OURS | SET_BY_THE_RUN or leaf in WITHOUT_EFFECT or name.startswith("heart.")


def test_every_value_of_the_paper_preset_is_the_published_one_or_said_to_be_ours():
    preset = PRESETS["paper"]
    settings = dict(settings_of(preset))
    assert settings.keys() >= OURS
    check_published(preset, PUBLISHED, ours=set(filter(is_ours, settings)))
    assert all(
        place.startswith(("section", "appendix", "released")) for _, place in PUBLISHED.values()
    )


def test_nine_tenths_of_the_faces_are_trained_on_as_on_record():
    paper = PRESETS["paper"]
    assert 1 - paper.validation - paper.test == pytest.approx(182_592 / 202_599, abs=2e-3)


def test_the_preset_of_the_code_differs_in_the_explainer_alone():
    assert (
        dataclasses.replace(PRESETS["paper"], preset="code", explainer=CODE_HEAD) == PRESETS["code"]
    )
    assert PRESETS["code"].explainer.last_block and PRESETS["code"].explainer.projection == "tied"


def test_images_that_the_paper_preset_holds_at_once_take_less_than_four_gibibytes():
    """The validation images, and those of the oracle with as many drawings; all others are read in
    parts.
    """
    paper = PRESETS["paper"]
    image = 4 * 3 * paper.image_size**2
    validation = math.ceil(202_599 * paper.validation) * image
    assert 3 * validation < 3 * 2**30


def test_the_published_figures_are_as_the_paper_prints_them():
    assert published.distances("smiling", published.OVERALL) == (106.3, 35.8)
    assert published.distances("Young", published.PRESENT) == (115.2, 67.6)
    assert published.closeness("Young") == pytest.approx((0.895, 0.816))
    assert published.verification("Smiling") == pytest.approx((0.0, 0.853))
    assert (
        published.distances("bangs", published.PRESENT) is None
        and published.verification("bangs") is None
    )
    assert published.ablation("Young", NO_RECONSTRUCTION) == pytest.approx(
        (116.2, 118.9, 72.2, 0.166, 0.0)
    )
    assert published.attribute("No_Beard") == pytest.approx((79.2, 72.3, 45.4, 0.896, 0.833))
    assert published.attribute("old") is None
    assert published.votes("task 1 young easy") == pytest.approx((0.94, 0.51))
    assert published.votes("task 2 no beard") == (0.87, None) and published.votes(
        "task 1 bangs easy"
    ) == (None, None)


def test_figures_of_one_label_are_not_printed_beside_another():
    assert published.ablation("Smiling", BASE) is None
    assert published.confounding("Smiling", "Male", "biased", 0) == (0.18, 0.35)
    assert published.confounding("smiling", "male", "biased", 1) == (0.52, 0.12)
    assert published.confounding("Young", "Male", "biased", 0) is None
    assert published.confounding("Smiling", "Young", "biased", 0) is None


@pytest.mark.parametrize("label", ["No_Beard", "no_beard", "No Beard", " no  beard "])
def test_labels_are_compared_by_one_name(label):
    assert published.plain(label) == "no beard" and published.attribute(label) is not None
