"""The report: every table and figure, the claims, and the page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

from experiments.charachon_shared import (
    describe_brackets,
    describe_start,
    report_classifier,
    report_maps,
    report_truth,
)
from experiments.path_attribution import published, tables
from experiments.path_attribution.faithfulness import Faithfulness, NotMeasured
from experiments.path_attribution.figures import (
    draw_all_maps,
    draw_maps,
    draw_pairs,
    draw_perturbation,
)
from experiments.path_attribution.maps import smoothing_sigma
from experiments.path_attribution.study import Study
from experiments.shared import LEVEL_CAPTION, Claim, PaperReport, users_images

_TITLE = "Path-based attribution between generated images"
_AFTER_THE_PAPER = (
    "After Charachon et al., Visual explanation by unifying adversarial generation and feature"
    " importance attributions, 2021. Columns that begin with 'paper' are the figures printed"
    " there, on its data."
)
_OUR_READING = (
    "That is our reading: the paper defines R by reference, and its level depends on the regions"
    " and on the adversary (random maps have 2 c (1 - c), c being the mean probability on the way:"
    " 0.07 to 0.12 in the paper). Compare the order of the maps with the paper's, not the level."
)
_USERS_IMAGES = (
    "A classifier of your images, {names}, is explained by generated images that it decides"
    " otherwise, and by maps that add up its gradients on the way there. The method is that of"
    " Charachon et al., 2021."
)


def write_report(folder: Path, study: Study, claims: Sequence[Claim]) -> None:
    """Draws tables and figures into a folder, and writes ``report.html`` there."""
    config, auc = study.setup.config, study.setup.network.auc
    data, users = study.setup.data, users_images(study.setup.data.test)
    paper = published.CLASSIFIER_AUC.get(study.task or "")
    beside = "" if paper is None else f" (paper, on its data: {paper})"
    names = " and ".join(data.class_names)
    report = PaperReport(
        folder,
        _TITLE,
        introduction=(_AFTER_THE_PAPER if users is None else _USERS_IMAGES.format(names=names))
        + " The classifier's area under the ROC curve (AUC) on the test images is"
        f" {auc.estimate:.3f} [{auc.low:.3f}, {auc.high:.3f}]{beside}; every table is about this"
        f" classifier. {describe_start(config)}",
        note=study.note,
        users=users,
    )
    _generators(report, study)
    _localisation(report, study)
    report_classifier(report, study.setup)
    _outside(report, study)
    if isinstance(study.faithfulness, NotMeasured):
        report.section("What the classifier uses", study.faithfulness.reason)
    else:
        _faithfulness(report, study, study.faithfulness)
    _paths(report, study)
    report.finish(claims, config if users is None else study.setup.settings)


def _generators(report: PaperReport, study: Study) -> None:
    report.section("Generated images")
    report.table(
        "table_generators",
        tables.generator_table(study),
        "On all test images: share of adversarial images with the other decision and of stable"
        " images with the image's own, the areas under the ROC curve of their scores for these"
        " decisions, and PSNR in dB. Findings: what is wrong with the generators on validation"
        " images; maps of generators that do not turn decisions over explain little.",
    )
    report_truth(report, study.quality, study.setup.data)
    draw_pairs(report, study)


def _localisation(report: PaperReport, study: Study) -> None:
    report.section("Where the maps point")
    if study.localisation:
        report.table(
            "table_1_localisation",
            tables.localisation_table(study),
            "Table 1: IoU (higher is better) and FDR (lower is better; the paper calls it FNR) of"
            f" thresholded maps with the annotations of {len(study.explained.localised)} images."
            f" {describe_brackets(study.setup.data)} {LEVEL_CAPTION}",
        )
        report.table(
            "table_coverage",
            tables.coverage_table(study),
            "Recall, and the share of pixels that a threshold keeps, which is larger than it says"
            " where maps have ties; and the area under precision against recall over all"
            " thresholds, and over those from percentile 80 up.",
        )
    draw_maps(report, study)
    draw_all_maps(report, study)


def _outside(report: PaperReport, study: Study) -> None:
    explained = study.explained
    report_maps(
        report,
        study.setup,
        explained.images,
        explained.predicted,
        maps=study.maps,
        adversaries={name: made.adversarial for name, made in study.pairs.items()},
    )


def _faithfulness(report: PaperReport, study: Study, faithfulness: Faithfulness) -> None:
    settings, brackets = study.setup.config.faithfulness, describe_brackets(study.setup.data)
    report.section(
        "What the classifier uses",
        f"Regions of {settings.region} x {settings.region} pixels are overwritten by those of an"
        f" independent adversary, {settings.regions_per_step} at a time, until none is left. It"
        f" turns over the decision on {faithfulness.turned:.1%} of the balanced subset; the other"
        f" images are {'dropped' if settings.unturned == 'drop' else 'kept'}.",
    )
    report.table(
        "table_2_relevance",
        tables.relevance_table(study.task, faithfulness),
        f"Table 2: relevance score R by predicted class, on {len(faithfulness.predicted)} images;"
        f" {settings.num_random} random maps of each. Degradation is one minus the area under the"
        " curve with the most relevant regions first, preservation the area with the least"
        " relevant first; R is the harmonic mean of the two over a group of images."
        f" {_OUR_READING if study.task else 'Compare the order of the maps, not the level.'}"
        f" {brackets} {LEVEL_CAPTION}",
    )
    draw_perturbation(report, faithfulness)
    report.table(
        "table_aopc",
        tables.perturbation_table(faithfulness, settings.aopc),
        f"AOPC less that of random maps. {brackets}",
    )


def _paths(report: PaperReport, study: Study) -> None:
    config = study.setup.config
    report.section("Integrals")
    report.table(
        "table_residuals",
        tables.residual_table(study),
        f"Midpoint rule with {config.num_nodes} nodes. Without error the summed integral of"
        " gradient times velocity is the change of the score along the path. Maps v2,k are"
        f" smoothed with a standard deviation of {smoothing_sigma(config.image_size):.3g} pixels,"
        f" the paper's 2 at 224 scaled to {config.image_size}. The own path of SyCE is that of the"
        " images which its generator makes between the two latents; the paper leaves it aside.",
        digits=5,
    )
