"""The report: every table and figure with its caption, then the claims and the settings."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.fundus_vce import figures, published, tables
from experiments.fundus_vce.classifiers import best_training
from experiments.fundus_vce.localisation import Localised, vce_method
from experiments.fundus_vce.study import Study
from experiments.shared import LEVEL_CAPTION, Claim, PaperReport, users_images

_TITLE = "Visual counterfactuals from a plain + robust ensemble"
_AFTER_THE_PAPER = (
    "After Boreiko et al., Visual explanations for the detection of diabetic retinopathy from"
    " retinal fundus images, MICCAI 2022. Rows that begin with 'paper' are the figures printed"
    " there, on its data."
)
_USERS_IMAGES = (
    "How a plain and a robust classifier of your images, and their ensemble, tell {names} apart,"
    " and how an image would have to change for another answer. l1.5, l2 and l4 are ways to measure"
    " a change, from few strong to many faint pixels; ε is the largest change that is allowed. The"
    " method is that of Boreiko et al., MICCAI 2022."
)


def write_report(folder: Path, study: Study, claims: Sequence[Claim]) -> None:
    """Draws every table and figure, and writes the page that holds them all."""
    names, is_published = " and ".join(study.data.class_names), study.data.published
    report = PaperReport(
        folder,
        _TITLE,
        introduction=_AFTER_THE_PAPER if is_published else _USERS_IMAGES.format(names=names),
        note=study.note,
        users=users_images(study.data.test),
    )
    _images(report, study)
    _quality(report, study)
    _classifiers(report, study)
    if study.localised is not None:
        _localisation(report, study, study.localised)
    _counterfactuals(report, study)
    report.finish(claims, _settings(study))


def _settings(study: Study) -> Mapping[str, Any]:
    """The settings as they were run; sentences about images that are not there are left out."""
    settings = dataclasses.asdict(dataclasses.replace(study.config, **study.classifiers.settings))
    if users_images(study.data.test) is not None:
        for name in ("synthetic", "quality", *([] if study.config.fine_tune else ["fine_tuning"])):
            del settings[name]
    return settings


def _images(report: PaperReport, study: Study) -> None:
    """The images that were trained and tested on."""
    report.section("Images")
    unit = tables.group_unit(study)
    shown = "" if unit is None else f", and how many {unit} they show"
    caption = f"Images of each class in every part{shown}."
    report.table("table_images", tables.images_table(study), caption)


def _quality(report: PaperReport, study: Study) -> None:
    """The quality filter, where there was one."""
    quality = study.quality
    if quality is None:
        return
    report.section("Quality filter")
    applied = "" if quality.useful else "It is no better than chance and was not applied: "
    kept = f"{applied}{len(quality.kept)} images of the main set were kept."
    caption = f"On {len(quality.label)} held-out images. {kept}"
    report.table("table_quality", tables.quality_table(quality), caption)


def _classifiers(report: PaperReport, study: Study) -> None:
    """Table 1, the choice of the plain network, and the temperatures."""
    settings, data = study.config.robust_accuracy, study.data
    report.section("Classifiers")
    as_papers = "As the paper's Table 1, " if data.published else "The "
    for place, images in data.tests.items():
        attacked = len(study.evaluations[place, "plain"].robust)
        unit = "images" if images.groups is None else images.group_unit
        caption = (
            f"{as_papers}{place} set: accuracy on {len(images)} images; robust accuracy on"
            f" {attacked} of them: l2 radius {settings.radius:g}, APGD with {settings.num_restarts}"
            f" restarts of {settings.num_steps} steps. Brackets: 95 % intervals over {unit}."
        )
        report.table(f"table_1_accuracy_{place}", tables.accuracy_table(study, place), caption)
    validation = study.classifiers.validation
    if validation:
        scores = ", ".join(f"{name} {value:.4f}" for name, value in validation.items())
        report.text(
            f"Balanced accuracy of the plain network on the validation images: {scores}; taken:"
            f" {best_training(validation)}."
        )
    fitted = _listed(study.classifiers.temperatures, ".3f")
    released = f" (released code: {_listed(published.TEMPERATURES, 'g')})"
    report.text(
        f"Temperatures fitted on {len(data.temperature)} images of their own:"
        f" {fitted}{released if data.published else ''}."
    )


def _listed(values: Mapping[str, float], form: str) -> str:
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def _localisation(report: PaperReport, study: Study, localised: Localised) -> None:
    """Table 2 and Figure 1."""
    report.section("Where the maps point")
    norm = f"Best norm: l{localised.norm:g}. " if localised.tuned else ""
    quantiles = {method: localised.quantiles[method] for method in localised.methods}
    report.table(
        "table_2_overlap",
        tables.overlap_table(localised),
        "As the paper's Table 2: intersection over union of thresholded maps with the lesion"
        f" masks, mean ± standard deviation over {len(localised.images)} images. {norm}Radii:"
        f" {_radii(localised.radii)}. Thresholds (quantiles): {_listed(quantiles, 'g')}."
        f" {LEVEL_CAPTION}",
    )
    if localised.edges:
        report.text(
            "Warning: at the edge of what was offered on the tuning images, so that a better"
            f" choice may lie beyond: {'; '.join(localised.edges)}."
        )
    figures.draw_figure_1(report, study, localised)
    figures.draw_maps(report, study, localised)
    report.table(
        "table_ablation",
        tables.ablation_table(localised),
        "What the released scripts compute instead: guided backprop with the stem's ReLU alone"
        " guided, integrated gradients without the multiplication by the image. Same thresholds.",
    )
    if localised.tuned:
        report.table(
            "table_tuning",
            tables.tuning_table(localised),
            "Choice of the maps' radii and of the norm: IoU of the ensemble on"
            f" {study.config.localisation.num_tuning} images that are not scored, each at its best"
            " threshold.",
        )
        figures.draw_tuning(report, study, localised)


def _radii(radii: Mapping[float, float]) -> str:
    return ", ".join(f"l{p:g} {radius:g}" for p, radius in radii.items())


def _counterfactuals(report: PaperReport, study: Study) -> None:
    """Figures 2 to 7, the animation, and an overview of all classifiers."""
    localised, quantile = study.localised, study.config.localisation.quantile_vce
    if localised is not None:
        quantile = localised.quantiles[vce_method(localised.norm)]
    gallery = figures.Gallery(report, study, quantile)
    report.section(
        "Counterfactuals",
        "The most confident image of a class within a small distance of the original. Blue and"
        f" red: what was taken away and added. Radii: {_radii(study.explained.radii)}.",
    )
    missing = gallery.draw_numbered()
    if missing:
        report.text(" ".join(missing))
    gallery.animate_radius()
    gallery.draw_confidence()
    report.section("Counterfactuals of all classifiers")
    gallery.draw_overview()
