"""The report: every table and figure, the claims, and the page that holds them all."""

from collections.abc import Sequence
from pathlib import Path

from experiments.charachon_shared import (
    describe_brackets,
    describe_start,
    report_classifier,
    report_truth,
)
from experiments.shared import LEVEL_CAPTION, Claim, PaperReport, users_images
from experiments.similar_adversarial import published, tables
from experiments.similar_adversarial.compared_generators import NAIVE, OURS
from experiments.similar_adversarial.figures import draw_maps, draw_pairs
from experiments.similar_adversarial.study import Marked, Study, nearest, with_averages

_TITLE = "Explanations by similar and adversarial images"
_AFTER_THE_PAPER = (
    "After Charachon et al., Combining Similarity and Adversarial Learning to Generate Visual"
    " Explanation: Application to Medical Image Classification, ICPR 2020. Rows that begin with"
    " 'paper' are the figures printed there, on its data."
)
_USERS_IMAGES = (
    "A classifier of your images, {names}, is explained by two generated images: one that it"
    " decides as the original, and one that it decides otherwise; their difference is the map. The"
    " method is that of Charachon et al., ICPR 2020."
)

_LOCALISATION = (
    # overlaps, areas, whether they are timed, and what is compared
    ("6", "VI", "7", "VII", False, "different generators"),
    ("8", "VIII", "9", "IX", True, "other methods"),
    ("10", "X", "11", "XI", True, "averaging over augmentations (+ A)"),
)


def write_report(folder: Path, study: Study, claims: Sequence[Claim]) -> None:
    """Draws tables and figures into a folder, and writes ``report.html`` there."""
    config, data, network, _ = study.setup
    users, auc = users_images(data.test), network.auc
    names, paper = " and ".join(data.class_names), f" (paper: {published.CLASSIFIER_AUC:g})"
    report = PaperReport(
        folder,
        _TITLE,
        introduction=(_AFTER_THE_PAPER if users is None else _USERS_IMAGES.format(names=names))
        + f"\n\nThe classifier has an AUC of {auc.estimate:.3f} [{auc.low:.3f}, {auc.high:.3f}] on"
        f" {len(data.test)} test images{paper}. {describe_start(config)}\n\nEach generator was"
        f" trained {config.num_runs} time{'s' if config.num_runs > 1 else ''}; tables and figures"
        " show the first training, and claims about ways to train need several (--num-runs).",
        note=study.note,
        users=users,
    )
    beside = f"AUC of the classifier {auc.estimate:.3f}{paper}."
    _generators(report, study, beside)
    report_classifier(report, study.setup)
    if study.marked is not None:
        _localisation(report, study, study.marked, beside)
    report.finish(claims, config if users is None else study.setup.settings)


def _generators(report: PaperReport, study: Study, beside: str) -> None:
    """Tables IV and V, Figure 2, and how near the true counterfactuals are."""
    brackets = describe_brackets(study.setup.data)
    report.section("Generated images")
    report.table(
        "table_4_decisions",
        tables.decisions_table(study),
        f"Table IV: the classifier's answers to generated images, on {len(study.setup.data.test)}"
        " test images. kept, turned: shares of similar images decided as the image, of adversarial"
        " images decided otherwise. remarks: what a check on validation images finds; explanations"
        f" by a generator with remarks mean little. {brackets} {beside}",
    )
    report.table(
        "table_5_similarity",
        tables.similarity_table(study),
        "Table V: similarity of original (x), similar (x_s) and adversarial image (x_a), SSIM with"
        f" the Gaussian window. {beside}",
    )
    report_truth(report, study.first.quality, study.setup.data)
    for name in (OURS, NAIVE):
        draw_pairs(report, study, name)


def _localisation(report: PaperReport, study: Study, marked: Marked, beside: str) -> None:
    """Tables III and VI to XI, Figures 3 and 4."""
    config, generators = study.setup.config, study.first.generators
    flawed = [f"{name} ({made.remarks})" for name, made in generators.items() if made.findings]
    report.section(
        "Where the maps point",
        "Generators with remarks in Table IV, whose maps mean little:"
        f" {', '.join(flawed) or 'none'}.",
    )
    if marked.boxes is not None:
        around = "boxes around the connected regions of the marked pixels"
        report.table(
            "table_3_boxes",
            tables.boxes_table(marked.boxes),
            f"Table III: size of the {len(marked.boxes.height)} annotations of the"
            f" {len(study.setup.data.test)} test images,"
            f" {'boxes as drawn' if marked.boxes.drawn else around}, at {config.image_size} pixels"
            " (paper: 224).",
        )
    trained = with_averages([name for name in config.generators if name != NAIVE])
    compared = [trained, tables.COMPARED, tables.AVERAGED]
    every = list(dict.fromkeys([*trained, *tables.COMPARED, *tables.AVERAGED]))
    images = f"mean over {len(marked.images)} annotated test images."
    brackets = f"{images} {describe_brackets(study.setup.data)}"
    for names, row in zip(compared, _LOCALISATION, strict=True):
        overlap, roman_overlap, area, roman_area, timed, what = row
        report.table(
            f"table_{overlap}_overlap",
            tables.overlap_table(study, names),
            f"Table {roman_overlap}: intersection over union of thresholded maps with the"
            f" annotation, {what}; {brackets} {beside} {LEVEL_CAPTION}",
        )
        seconds = " Seconds for one image: ours on this machine, median over batches."
        report.table(
            f"table_{area}_areas",
            tables.area_table(study, names, timed=timed),
            f"Table {roman_area}: area under precision against recall, {what};"
            f" {brackets}{seconds if timed else ''} {beside}",
        )
    percentile = nearest(config.percentiles, tables.TABULATED)
    report.table(
        "table_thresholded",
        tables.thresholded_table(study, every, percentile),
        f"The maps thresholded at percentile {percentile:g}: share of them outside of the"
        " annotation (FDR), share of the annotation that they cover, share of the image that they"
        " keep (more than the percentile says where a map has ties), and the IoU on the"
        f" {int(marked.detected.sum())} images in which the classifier finds the finding. Not in"
        f" the paper. {beside}",
    )
    draw_maps(report, study, marked)
