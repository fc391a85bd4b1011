"""The report: every table and figure with its caption, then the claims and the settings."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cfx_jax.metrics import brier_score
from experiments.progressive_exaggeration import figures, tables
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.data import WORLDS
from experiments.progressive_exaggeration.human_study import write_human_study
from experiments.progressive_exaggeration.label_study import LabelStudy, normalised
from experiments.progressive_exaggeration.study import Study
from experiments.shared import Claim, PaperReport, users_images, with_image_shape

_TITLE = "Explanation by progressive exaggeration"
_USERS_IMAGES = (
    "A classifier of your images, {names}, is explained by drawings of each image for which its"
    " probability of {label!r} rises step by step from 0 to 1, on test images that neither the"
    " classifier nor an explainer was trained on. {chosen} Every network was trained once, so"
    " intervals say nothing of another training. The method is that of Singla et al., 2020."
)
_INTRODUCTION = (
    "After Singla et al., Explanation by Progressive Exaggeration, 2020. Columns that begin with"
    " 'paper' are the figures printed there, on its data. Explained is the label {label!r}, on test"
    " images that neither the classifier nor an explainer was trained on. {chosen} Every network"
    " was trained once, so intervals say nothing of another training."
)


def write_report(folder: Path, study: Study, claims: Sequence[Claim]) -> None:
    """Draws every table and figure, the page that holds them all, and the questionnaire."""
    label, config = study.label, study.label.setup.config
    users, names = users_images(label.data.test.images), " and ".join(label.data.class_names)
    told = {"label": label.data.label, "names": names, "chosen": chosen_on(config)}
    report = PaperReport(
        folder,
        _TITLE,
        introduction=(_INTRODUCTION if users is None else _USERS_IMAGES).format(**told),
        note=study.note,
        users=users,
    )
    _sweeps(report, label)
    _distances(report, label)
    _identity(report, label)
    for chapter in study.chapters.values():
        chapter.write(report)
    _classifiers(report, label)
    if users is None:
        report.finish(claims, config)
    else:
        classifier = normalised(label.subject.setup)
        settings = dataclasses.replace(config, classifier=classifier)
        settings = with_image_shape(settings, label.data.test.images.shape)
        report.finish(claims, settings)
    if any(config.human_items):
        write_human_study(folder / "human_study", label, study.chapters)


def _sweeps(report: PaperReport, study: LabelStudy) -> None:
    """The series of some images, and the probabilities that they reach."""
    figures.write_series_knob(report, study)
    report.section(
        "What would have to change",
        f"The page {figures.KNOB} beside this one turns through the series of some images.",
    )
    figures.draw_sweeps(report, study)
    report.table(
        "table_reach",
        tables.reach_table(study),
        "On all queries: Spearman's correlation of desired and achieved probability and their mean"
        " difference, the share of decisions turned over at the opposite extreme, PSNR in dB of"
        " the drawing for the query's own bin, and the mean difference of the two extremes."
        " Findings: an explainer that turns over few decisions has collapsed. Brackets: 95 %"
        f" intervals over {_unit(study)}.",
    )
    figures.draw_compatibility(report, study)
    report.table(
        "figure_3_compatibility",
        tables.compatibility_table(study),
        "Figure 3 in numbers: mean probability of the explanations. The last row is a second"
        " classifier's opinion, which noise that only the first one sees would not move.",
    )


def _distances(report: PaperReport, study: LabelStudy) -> None:
    """Table 1: the distances of explanations from real images."""
    report.section("Do they look like data")
    report.table(
        "table_1_distances",
        tables.distance_table(study),
        f"Table 1: Fréchet distance to test images of features of {study.features.name}, by what"
        " the classifier makes of the explanations: present is a probability of at least 0.9,"
        " absent below 0.1. 'images' are compared, of each kind, which are 'of queries'; 'reached'"
        " are all that a method has in the group. The last column is the distance of two halves of"
        f" the real images. Brackets: 95 % bootstrap intervals; drawn again are {_unit(study)},"
        " each with all of its explanations, and real images.",
    )


def _identity(report: PaperReport, study: LabelStudy) -> None:
    """Table 2: whether explanations still show their queries."""
    verified = "" if study.verifier is None else f" {study.verifier.description}"
    report.section("Do they show the same person")
    report.table(
        "table_2_identity",
        tables.identity_table(study),
        "Table 2: latent space closeness, the share of explanations that are nearer to their query"
        " than to any other query's explanation, by each method's own encoder; it falls as queries"
        f" get more.{verified} Brackets: 95 % intervals over {_unit(study)}.",
    )


def _classifiers(report: PaperReport, study: LabelStudy) -> None:
    """The accuracy of both classifiers, and the reliability of the explained one."""
    report.section("The classifiers")
    report.table(
        "table_labels",
        tables.label_table(study),
        "Area under the ROC curve of each label on the test images.",
    )
    subject = study.subject
    truth = subject.data.test.labels[:, subject.label] == 1
    brier = float(brier_score(subject.probability, truth).mean())
    report.table(
        "table_reliability",
        tables.reliability_table(study),
        f"How often test images for which the classifier says a probability of {study.data.label!r}"
        f" have it; Brier score {brier:.3f}.",
    )


def _unit(study: LabelStudy) -> str:
    """The units that intervals are over, in words."""
    unit = study.subject.unit
    several = f"{unit}, each of which several queries may show"
    return unit if study.subject.groups is None else several


def chosen_on(config: Config) -> str:
    """The images that settings, weights and thresholds were chosen on, in words."""
    if config.data not in WORLDS:
        return "Weights and thresholds were chosen on validation images."
    if config.test_seed == config.seed:
        return (
            "Test images are of the same world as all others: these figures are for choosing"
            " settings; for a report take another --test-seed."
        )
    return (
        "Weights and thresholds were chosen on validation images, and the presets' settings on the"
        f" world of seed 0; test images are of the world of seed {config.test_seed}."
    )
