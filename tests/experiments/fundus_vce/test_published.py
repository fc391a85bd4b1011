"""The preset of the published settings against the paper and its code; the published figures."""

import numpy as np
import pytest
from published_settings import check_published

from experiments.fundus_vce import published
from experiments.fundus_vce.presets import PAPER
from trainers import count_steps, images_per_epoch

# Places: of the paper, or "code": https://github.com/valentyn1boreiko/Fundus_VCEs and the sibling
# repositories of the same laboratories.
TRAINING = {
    "num_classes": (2, "section 2.2, first paragraph"),
    "in_channels": (3, "figures: colour photographs"),
    "mean": (
        (0.41859, 0.28518, 0.20822),
        "code: model_normalization.py; measured on the training images instead",
    ),
    "std": (
        (0.30146, 0.21559, 0.16516),
        "code: model_normalization.py; measured on the training images instead",
    ),
    "optimiser.rule": ("sgd", "code: defaults of the command line"),
    "optimiser.momentum": (0.9, "code: defaults of the command line"),
    "optimiser.weight_decay": (5e-4, "code: defaults of the command line"),
    "optimiser.turn": (
        1 / 3,
        "code: robust_finetuning: epoch 1 of 3; of the triangle only",
    ),
    "run.evaluate_every": (0, "code: each epoch"),
    "optimiser.nesterov": (True, "code: defaults of the command line"),
}
RESNET = TRAINING | {
    "model": ("resnet50", "section 2.2, second paragraph"),
    "weights": ("", "code: models are made without pretrained weights; the paper names none"),
    "select": ("balanced_accuracy", "section 2.2, second paragraph"),
    "weighted": (False, "section 2.2, second paragraph: cross-entropy, oversampling instead"),
}
TRAININGS = {
    "quality.training": TRAINING,
    "plain": RESNET
    | {
        "optimiser.learning_rate": (0.01, "section 2.2, second paragraph"),
        "optimiser.schedule": ("cosine", "section 2.2, second paragraph"),
        "run.epochs": (500, "section 2.2, second paragraph"),
        "run.batch_size": (128, "section 2.2, second paragraph"),
        "balanced": (True, "section 2.2, second paragraph: oversampling of the DR cases"),
    },
    "fine_tuning": RESNET
    | {
        "optimiser.learning_rate": (0.001, "code: name of the run: lr=0.00100"),
        "optimiser.nesterov": (False, "code: robust_finetuning/train.py"),
        "optimiser.schedule": (
            "triangle",
            "section 2.2, second paragraph: cyclic triangle, one cycle",
        ),
        "run.epochs": (3, "section 2.2, second paragraph"),
    },
    "robust": TRAINING
    | {
        "model": ("resnet50", "section 2.2, third paragraph: the same architecture"),
        "weights": ("", "code: models are made without pretrained weights; the paper names none"),
        "beta": (6.0, "section 2.2, below equation 1"),
        "attack.p": (2.0, "section 2.2, below equation 1"),
        "attack.radius": (0.25, "section 2.2, below equation 1"),
        "attack.num_steps": (20, "code: name of the run: 20 steps"),
        "attack.step_size": (0.2, "code: sibling repositories: a fifth of the radius"),
        "attack.momentum": (0.9, "code: argmin_pgd.py"),
        "divergence_order": (
            "clean_first",
            "code: TRADES_training.py; equation 1 has the other order",
        ),
    },
}
PUBLISHED = {
    f"{name}.{setting}": value
    for name, settings in TRAININGS.items()
    for setting, value in settings.items()
} | {
    "data": ("fundus:PATH", "section 2.1: Kaggle, Messidor, IDRiD, ISBI 2020"),
    "classes": ((), "section 2.2, first paragraph: no DR, moderate to advanced DR"),
    "image_size": (224, "section 2.1"),
    "channels": (3, "figures: colour photographs"),
    "validation": (0.15, "section 2.2, first paragraph"),
    "temperature": (0.04, "section 2.2, first paragraph"),
    "calibration": ("ece", "section 2.2, last paragraph"),
    "test": (0.06, "section 2.2, first paragraph"),
    "augmentation": ("murat", "code: the augmentation of that name; the paper has none"),
    "fine_tune": (True, "section 2.2, second paragraph"),
    "plain_weights": ("best", "section 2.2, second paragraph; the released code takes the last"),
    "robust_accuracy.radius": (0.1, "section 2.5, first paragraph"),
    "robust_accuracy.num_steps": (100, "section 2.5, first paragraph"),
    "robust_accuracy.num_restarts": (9, "section 2.5, first paragraph"),
    "robust_accuracy.num_images": (
        1000,
        "code: the first 1000; section 2.5: the fraction of test inputs",
    ),
    "explanations.norms": ((1.5, 2.0, 4.0), "section 2.4"),
    "explanations.radii": ((30.0, 6.0, 0.2), "Table 2"),
    "explanations.sweep": ((0.1, 0.2, 0.3, 0.4), "Figure 3"),
    "explanations.num_steps": (75, "code: scripts of the counterfactuals"),
    "explanations.mask_after_oracle": (False, "equation 3; the released code masks afterwards"),
    "localisation.num_tuning": (40, "section 2.4"),
    "localisation.num_scored": (41, "section 2.5, second paragraph"),
    "localisation.quantile_guided": (0.98, "section 2.4"),
    "localisation.quantile_integrated": (0.96, "section 2.4"),
    "localisation.quantile_vce": (0.96, "section 2.4"),
}
# The settings that neither the paper nor its code gives, of the trainings and beside them.
OURS_OF_TRAININGS = {
    "quality.training": "model weights optimiser.learning_rate optimiser.schedule run.epochs"
    " run.batch_size balanced select weighted",
    "plain": "",
    "fine_tuning": "run.batch_size balanced",
    "robust": "optimiser.learning_rate optimiser.schedule run.epochs run.batch_size balanced select"
    " attack.start",
}
OF_EVERY_TRAINING = (
    "run.num_steps run.steps_per_epoch run.checkpoint_every run.log_every run.eval_batch_size"
    " run.seed optimiser.smallest"
)
OURS = {
    f"{name}.{setting}"
    for name, settings in OURS_OF_TRAININGS.items()
    for setting in f"{settings} {OF_EVERY_TRAINING}".split()
} | set(
    [
        "preset",
        "synthetic.num_images",
        "synthetic.severity",
        "synthetic.ungradable",
        "synthetic.num_external",
        "synthetic.external_severity",
        "quality.num_members",
        "quality.num_images",
        "explanations.integration_steps",
        "explanations.num_studied",
        "explanations.num_shown",
        "localisation.quantiles",
        "localisation.radius_factors",
        "batch_size",
        "groups",
        "window",
        "seed",
        "results",
        "work",
    ]
)
GRADES = (33_783, 3_598, 6_765, 1_186, 591)  # section 2.1, after the quality filter
HEALTHY, DISEASED = GRADES[0], sum(GRADES[2:])


def test_every_value_of_the_paper_preset_is_the_published_one_or_named_as_ours():
    check_published(PAPER, PUBLISHED, OURS)


@pytest.mark.parametrize(
    ("training", "epochs"),
    [(PAPER.plain, 500), (PAPER.fine_tuning, 3), (PAPER.robust, 500)],
    ids=["1", "2", "robust"],
)
def test_the_published_epochs_are_those_of_the_published_images(training, epochs):
    assert sum(GRADES) == 45_923
    labels = np.repeat([0, 1], [round(0.75 * HEALTHY), round(0.75 * DISEASED)])
    steps = 2 * round(0.75 * HEALTHY) // 128  # a balanced pass shows every healthy image once
    num_images = images_per_epoch(labels, balanced=training.balanced)
    counted = count_steps(training, num_images=num_images)
    assert counted.run.num_steps == epochs * steps == epochs * 395


@pytest.mark.parametrize(
    ("place", "rows"),
    [
        (
            "test",
            {
                "plain": (89.5, 85.8, 15.2),
                "robust": (78.4, 71.6, 66.6),
                "ensemble": (89.7, 85.2, 19.4),
            },
        ),
        (
            "external",
            {
                "plain": (89.5, 89.5, 20.6),
                "robust": (66.1, 66.5, 60.9),
                "ensemble": (87.9, 87.9, 24.4),
            },
        ),
    ],
)
def test_table_1_is_copied_right(place, rows):
    assert {name: tuple(row.values()) for name, row in published.TABLE_1[place].items()} == rows
    assert tuple(published.KINDS) == ("accuracy", "balanced", "robust")


def test_table_2_is_copied_right():
    means = {
        name: [published.overlap(name, each) for each in row]
        for name, row in published.TABLE_2.items()
    }
    assert means["plain"] == [0.09, 0.08, 0.07, 0.07, 0.07]
    assert means["robust"] == means["ensemble"] == [0.15, 0.14, 0.13, 0.12, 0.12]
    assert (
        published.overlap("plain", "GBP, stem only") == 0.09
        and published.overlap("plain", "VCE l3") is None
    )
