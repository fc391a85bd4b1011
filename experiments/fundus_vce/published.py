"""What Boreiko et al., MICCAI 2022, print: figures, shown beside ours, and settings, which the
preset ``paper`` has.

``SETTINGS`` has every setting of that preset by its name on the command line, with who gives its
value: the paper, and where in it; the authors' code,
https://github.com/valentyn1boreiko/Fundus_VCEs, or the sibling repositories of the same
laboratories; or we ourselves, since neither does.
"""

from typing import Any, Literal, NamedTuple

KINDS = {
    "accuracy": "accuracy",
    "balanced": "balanced accuracy",
    "robust": "robust accuracy",
}
"""The columns of Table 1."""

TABLE_1 = {
    "test": {
        "plain": {"accuracy": 89.5, "balanced": 85.8, "robust": 15.2},
        "robust": {"accuracy": 78.4, "balanced": 71.6, "robust": 66.6},
        "ensemble": {"accuracy": 89.7, "balanced": 85.2, "robust": 19.4},
    },
    "external": {
        "plain": {"accuracy": 89.5, "balanced": 89.5, "robust": 20.6},
        "robust": {"accuracy": 66.1, "balanced": 66.5, "robust": 60.9},
        "ensemble": {"accuracy": 87.9, "balanced": 87.9, "robust": 24.4},
    },
}
"""Table 1 in per cent: Kaggle's test split, and Messidor."""

_METHODS = ("GBP", "IG", "VCE l1.5", "VCE l2", "VCE l4")

TABLE_2 = {
    name: dict(zip(_METHODS, zip(means, deviations, strict=True), strict=True))
    for name, means, deviations in (
        ("plain", (0.09, 0.08, 0.07, 0.07, 0.07), (0.03, 0.03, 0.03, 0.03, 0.03)),
        ("robust", (0.15, 0.14, 0.13, 0.12, 0.12), (0.06, 0.06, 0.06, 0.06, 0.05)),
        ("ensemble", (0.15, 0.14, 0.13, 0.12, 0.12), (0.06, 0.06, 0.06, 0.06, 0.05)),
    )
}
"""Table 2: mean and standard deviation of the IoU over 41 images of IDRiD."""

GRADABILITY = 0.875
"""Accuracy of the quality filter on the ISBI 2020 challenge."""


TEMPERATURES = {"plain": 1.112, "robust": 0.453}
"""Of the two networks, in the released code."""


class Setting(NamedTuple):
    """A value of the preset ``paper``."""

    value: Any
    by: Literal["paper", "code", "us"]
    """Who gives it."""
    place: str
    """Where in the paper's text or in the code; what we chose it by."""


def _of_training(name: str, changed: dict[str, Setting]) -> dict[str, Setting]:
    """A training of ResNet-50: the first one's settings but for some."""
    code = "defaults of the command line"
    common = {
        "model": Setting("resnet50", "paper", "section 2.2, second paragraph"),
        "weights": Setting(
            "", "code", "models are made without pretrained weights; the paper names none"
        ),
        "num_classes": Setting(2, "paper", "section 2.2, first paragraph"),
        "in_channels": Setting(3, "paper", "figures: colour photographs"),
        "mean": Setting(
            (0.41859, 0.28518, 0.20822),
            "code",
            "model_normalization.py; measured on the training images instead",
        ),
        "std": Setting(
            (0.30146, 0.21559, 0.16516),
            "code",
            "model_normalization.py; measured on the training images instead",
        ),
        "optimiser.rule": Setting("sgd", "code", code),
        "optimiser.learning_rate": Setting(0.01, "paper", "section 2.2, second paragraph"),
        "optimiser.momentum": Setting(0.9, "code", code),
        "optimiser.nesterov": Setting(True, "code", code),
        "optimiser.weight_decay": Setting(5e-4, "code", code),
        "optimiser.schedule": Setting("cosine", "paper", "section 2.2, second paragraph"),
        "optimiser.smallest": Setting(0.0, "us", "of a schedule that is not used"),
        "optimiser.turn": Setting(
            1 / 3, "code", "robust_finetuning: epoch 1 of 3; of the triangle only"
        ),
        "run.epochs": Setting(500, "paper", "section 2.2, second paragraph"),
        "run.num_steps": Setting(0, "us", "counted out from the epochs"),
        "run.steps_per_epoch": Setting(0, "us", "counted out from the images"),
        "run.batch_size": Setting(128, "paper", "section 2.2, second paragraph"),
        "balanced": Setting(
            True, "paper", "section 2.2, second paragraph: oversampling of the DR cases"
        ),
        "run.evaluate_every": Setting(0, "code", "each epoch"),
        "run.checkpoint_every": Setting(0, "us", "five epochs; does not change the result"),
        "run.log_every": Setting(50, "us", "does not change the result"),
        "run.eval_batch_size": Setting(128, "us", "does not change the result"),
        "run.seed": Setting(0, "us", "none is given"),
        "select": Setting("balanced_accuracy", "paper", "section 2.2, second paragraph"),
    }
    return {f"{name}.{key}": value for key, value in (common | changed).items()}


_LIKE_PLAIN = "not given: as the plain model's"
_UNWEIGHTED = {
    "weighted": Setting(
        False, "paper", "section 2.2, second paragraph: cross-entropy, oversampling instead"
    )
}

SETTINGS: dict[str, Setting] = {
    "preset": Setting("paper", "us", "its name"),
    "data": Setting("fundus:PATH", "paper", "section 2.1: Kaggle, Messidor, IDRiD, ISBI 2020"),
    "classes": Setting((), "paper", "section 2.2, first paragraph: no DR, moderate to advanced DR"),
    "image_size": Setting(224, "paper", "section 2.1"),
    "channels": Setting(3, "paper", "figures: colour photographs"),
    "synthetic.num_images": Setting(8000, "us", "unused: photographs"),
    "synthetic.severity": Setting(1.0, "us", "unused: photographs"),
    "synthetic.ungradable": Setting(0.1, "us", "unused: photographs"),
    "synthetic.num_external": Setting(400, "us", "unused: photographs"),
    "synthetic.external_severity": Setting(0.8, "us", "unused: photographs"),
    "validation": Setting(0.15, "paper", "section 2.2, first paragraph"),
    "temperature": Setting(0.04, "paper", "section 2.2, first paragraph"),
    "calibration": Setting("ece", "paper", "section 2.2, last paragraph"),
    "test": Setting(0.06, "paper", "section 2.2, first paragraph"),
    "quality.num_members": Setting(
        5, "us", "section 2.1: an ensemble of EfficientNets, of no given number"
    ),
    "quality.num_images": Setting(1600, "us", "unused: photographs"),
    **_of_training(
        "quality.training",
        {
            "model": Setting(
                "efficientnet_b0", "us", "section 2.1: EfficientNets, of no given size"
            ),
            "weights": Setting("", "us", "not given"),
            "optimiser.learning_rate": Setting(0.01, "us", _LIKE_PLAIN),
            "optimiser.schedule": Setting("cosine", "us", _LIKE_PLAIN),
            "run.epochs": Setting(100, "us", "not given"),
            "run.batch_size": Setting(128, "us", _LIKE_PLAIN),
            "balanced": Setting(True, "us", _LIKE_PLAIN),
            "select": Setting("balanced_accuracy", "us", _LIKE_PLAIN),
            "weighted": Setting(False, "us", _LIKE_PLAIN),
        },
    ),
    "augmentation": Setting("murat", "code", "the augmentation of that name; the paper has none"),
    **_of_training("plain", _UNWEIGHTED),
    "fine_tune": Setting(True, "paper", "section 2.2, second paragraph"),
    "plain_weights": Setting(
        "best", "paper", "section 2.2, second paragraph; the released code takes the last"
    ),
    **_of_training(
        "fine_tuning",
        {
            "optimiser.learning_rate": Setting(1e-3, "code", "name of the run: lr=0.00100"),
            "optimiser.nesterov": Setting(False, "code", "robust_finetuning/train.py"),
            "optimiser.schedule": Setting(
                "triangle", "paper", "section 2.2, second paragraph: cyclic triangle, one cycle"
            ),
            "run.epochs": Setting(3, "paper", "section 2.2, second paragraph"),
            "run.batch_size": Setting(128, "us", "not given: as in the first training"),
            "balanced": Setting(True, "us", "not given: as in the first training"),
            **_UNWEIGHTED,
        },
    ),
    **_of_training(
        "robust",
        {
            "model": Setting(
                "resnet50", "paper", "section 2.2, third paragraph: the same architecture"
            ),
            "optimiser.learning_rate": Setting(0.01, "us", _LIKE_PLAIN),
            "optimiser.schedule": Setting("cosine", "us", _LIKE_PLAIN),
            "run.epochs": Setting(500, "us", _LIKE_PLAIN),
            "run.batch_size": Setting(128, "us", _LIKE_PLAIN),
            "balanced": Setting(True, "us", _LIKE_PLAIN),
            "select": Setting(
                "balanced_accuracy",
                "us",
                f"{_LIKE_PLAIN}; the released code takes adversarial accuracy",
            ),
        },
    ),
    "robust.beta": Setting(6.0, "paper", "section 2.2, below equation 1"),
    "robust.attack.p": Setting(2.0, "paper", "section 2.2, below equation 1"),
    "robust.attack.radius": Setting(0.25, "paper", "section 2.2, below equation 1"),
    "robust.attack.num_steps": Setting(20, "code", "name of the run: 20 steps"),
    "robust.attack.step_size": Setting(0.2, "code", "sibling repositories: a fifth of the radius"),
    "robust.attack.momentum": Setting(0.9, "code", "argmin_pgd.py"),
    "robust.attack.start": Setting(
        (0.1, 0.5), "us", "the released start, the image itself, has no gradient"
    ),
    "robust.divergence_order": Setting(
        "clean_first", "code", "TRADES_training.py; equation 1 has the other order"
    ),
    "robust_accuracy.radius": Setting(0.1, "paper", "section 2.5, first paragraph"),
    "robust_accuracy.num_steps": Setting(100, "paper", "section 2.5, first paragraph"),
    "robust_accuracy.num_restarts": Setting(9, "paper", "section 2.5, first paragraph"),
    "robust_accuracy.num_images": Setting(
        1000, "code", "the first 1000; section 2.5: the fraction of test inputs"
    ),
    "explanations.norms": Setting((1.5, 2.0, 4.0), "paper", "section 2.4"),
    "explanations.radii": Setting((30.0, 6.0, 0.2), "paper", "Table 2"),
    "explanations.sweep": Setting((0.1, 0.2, 0.3, 0.4), "paper", "Figure 3"),
    "explanations.num_steps": Setting(75, "code", "scripts of the counterfactuals"),
    "explanations.mask_after_oracle": Setting(
        False, "paper", "equation 3; the released code masks afterwards"
    ),
    "explanations.integration_steps": Setting(
        100, "us", "not given; as in an example of the public repository, reference 25"
    ),
    "explanations.num_studied": Setting(50, "us", "the paper shows single images"),
    "explanations.num_shown": Setting(4, "us", "the paper shows single images"),
    "localisation.num_tuning": Setting(40, "paper", "section 2.4"),
    "localisation.num_scored": Setting(41, "paper", "section 2.5, second paragraph"),
    "localisation.quantiles": Setting(
        (0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99), "us", "the grid is not given"
    ),
    "localisation.radius_factors": Setting(
        (0.5, 1.0, 2.0), "us", 'section 2.4: "different epsilon per norm", not given'
    ),
    "localisation.quantile_guided": Setting(0.98, "paper", "section 2.4"),
    "localisation.quantile_integrated": Setting(0.96, "paper", "section 2.4"),
    "localisation.quantile_vce": Setting(0.96, "paper", "section 2.4"),
    "batch_size": Setting(32, "us", "changes results by rounding only"),
    "seed": Setting(0, "us", "none is given"),
    "results": Setting("results", "us", "a folder"),
    "work": Setting("work", "us", "a folder"),
}
"""By name: ``robust.attack.radius`` is ``--robust.attack.radius`` on the command line."""


def overlap(classifier: str, method: str) -> float | None:
    """The mean IoU of Table 2, for a variant (as in "GBP, stem only") that of its method; None
    where there is none.
    """
    found = TABLE_2[classifier].get(method.partition(",")[0])
    return None if found is None else found[0]
