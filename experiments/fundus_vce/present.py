"""Tables, figures, animation, claims and the page that holds them all."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from cfx_jax.attributions import vce_saliency
from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.metrics.statistics import bootstrap_interval
from cfx_jax.report import (
    AnimationPanel,
    Claim,
    CounterfactualPanel,
    CounterfactualRow,
    MapColumn,
    Report,
    SaliencyMap,
    SaliencyRow,
    animate,
    counterfactual_grid,
    saliency_grid,
    write_claims,
    write_table,
)
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.explain import Localised, Shown, threshold
from experiments.fundus_vce.train import NAMES
from experiments.stages import Arrays

Table = tuple[list[str], list[list[Any]]]
_DIGITS = 3


def accuracy_table(evaluation: Arrays) -> Table:
    """Table 1: one row for each classifier, with 95 % bootstrap intervals over images."""
    label = evaluation["label"]
    rows = []
    for name in NAMES:
        correct, robust = evaluation[f"correct_{name}"], evaluation[f"robust_{name}"]
        rows.append(
            [
                name,
                tuple(bootstrap_interval(correct.astype(float))),
                balanced_accuracy(correct, label),
                tuple(bootstrap_interval(robust.astype(float))),
                balanced_accuracy(robust, label[: len(robust)]),
            ]
        )
    always = accuracy(label == np.bincount(label).argmax())
    rows.append(["always the commoner class", always, 0.5, always, 0.5])
    return ["classifier", "accuracy", "balanced accuracy", "robust accuracy", "balanced robust accuracy"], rows


def overlap_table(localised: Localised) -> Table:
    """Table 2: mean and standard deviation over images of the IoU with the lesion masks."""
    rows = []
    for name in NAMES:
        values = [localised.iou[name, method] for method in localised.methods]
        rows.append([name, *((float(np.nanmean(each)), float(np.nanstd(each))) for each in values)])
    return ["IoU", *localised.methods], rows


def counterfactual_rows(config: Config, data: Data, shown: Shown, name: str, target: int) -> list[CounterfactualRow]:
    """One row for each image: the counterfactuals of every norm towards one class."""
    settings, test = config.explanations, data.part("test")
    rows = []
    for row, position in enumerate(shown.test):
        image = test["image"][position]
        panels = []
        for p, radius in zip(settings.norms, settings.radii, strict=True):
            found = shown.vce[name, p, target]
            changed = np.asarray(found.image[row])
            saliency = np.asarray(vce_saliency(image, changed))[None]
            eye = test["eye_mask"][position] if "eye_mask" in test else np.ones(image.shape[:2], bool)
            panels.append(
                CounterfactualPanel(
                    image=changed,
                    target=data.class_names[target],
                    probability=float(found.probability[row]),
                    name=f"l{p:g}, ε = {radius:g}",
                    saliency=threshold(saliency, eye[None], settings.quantile_vce)[0],
                )
            )
        predicted = int(shown.probability[name][row].argmax())
        rows.append(
            CounterfactualRow(
                original=image,
                label=data.class_names[int(test["label"][position])],
                predicted=data.class_names[predicted],
                probability=float(shown.probability[name][row, predicted]),
                counterfactuals=panels,
                mask=test["lesion_mask"][position] if "lesion_mask" in test else None,
            )
        )
    return rows


def saliency_rows(config: Config, data: Data, localised: Localised) -> tuple[list[SaliencyRow], list[MapColumn]]:
    """One row for each of a few images with lesions: the thresholded maps of every classifier and method."""
    test = data.part("test")
    keys = [(name, method) for name in NAMES for method in localised.methods]
    rows = []
    for row, position in enumerate(localised.test[: 2 * config.explanations.num_shown]):
        maps = [
            SaliencyMap(values=localised.kept[key][row].astype(float), iou=_share(localised.iou[key][row]))
            for key in keys
        ]
        rows.append(SaliencyRow(original=test["image"][position], maps=maps, mask=test["lesion_mask"][position]))
    return rows, [MapColumn(model=name, method=method) for name, method in keys]


def morph(path: Path, config: Config, data: Data, shown: Shown) -> Path:
    """The ensemble's counterfactuals of one image of each class, morphing along the radius, as a GIF."""
    settings, test = config.explanations, data.part("test")
    labels = test["label"][shown.test]
    panels = []
    for label, name in enumerate(data.class_names):
        row = int(np.flatnonzero(labels == label)[0])
        target = 1 - label
        states = [shown.sweep[radius, target] for radius in settings.sweep]
        frames = np.stack([test["image"][shown.test[row]], *(state.image[row] for state in states)])
        start = float(states[0].initial_probability[row])
        probabilities = [start, *(float(state.probability[row]) for state in states)]
        captions = [f"p({data.class_names[target]}) = {each:.2f}" for each in probabilities]
        panels.append(AnimationPanel(frames=frames, title=f"{name} → {data.class_names[target]}", captions=captions))
    captions = [f"l{settings.norms[-1]:g}, ε = {radius:g}" for radius in (0, *settings.sweep)]
    return animate(path, panels, captions=captions, frame_ms=500, smooth=True, note=data.note)


def write_all(
    folder: Path, config: Config, data: Data, evaluation: Arrays, shown: Shown, localised: Localised | None,
    claims: list[Claim], temperatures: dict[str, float],
) -> Path:  # fmt: skip
    """Writes every table and figure and the report.

    Returns:
        The path of ``report.html``.
    """
    report = Report(
        "Visual counterfactuals from a plain + robust ensemble",
        introduction="After Boreiko et al., Visual explanations for the detection of diabetic retinopathy from retinal"
        " fundus images, MICCAI 2022.",
        note=data.note,
    )
    columns, rows = accuracy_table(evaluation)
    write_table(folder / "table_1_accuracy", columns, rows, digits=_DIGITS, note=data.note)
    settings = config.robust_accuracy
    attacked = len(evaluation["robust_plain"])
    report.section("Classifiers").table(
        columns, rows, digits=_DIGITS,
        caption=f"Accuracy on {len(evaluation['label'])} test images; robust accuracy on {attacked} of them: l2 radius"
        f" {settings.radius:g}, APGD with {settings.num_restarts} restarts of {settings.num_steps} steps. Brackets: 95 %"
        " bootstrap intervals over images.",
    )  # fmt: skip
    temperatures_text = ", ".join(f"{name} {value:.3f}" for name, value in temperatures.items())
    report.text(f"Temperatures fitted on the calibration split: {temperatures_text}.")
    _counterfactual_section(report, folder, config, data, shown)
    if localised is not None:
        _localisation_section(report, folder, config, data, localised)
    write_claims(folder / "claims.json", claims, note=data.note)
    report.section("Claims of the paper").claims(claims)
    report.section("Settings").config(config)
    return report.write(folder / "report.html")


def _counterfactual_section(report: Report, folder: Path, config: Config, data: Data, shown: Shown) -> None:
    report.section(
        "Counterfactuals",
        "The most confident image of a class within a small distance of the original. Blue and red: what was taken away and"
        " added.",
    )
    for name, (target, goal) in itertools.product(NAMES, enumerate(data.class_names)):
        rows = counterfactual_rows(config, data, shown, name, target)
        place = folder / f"figure_counterfactuals_{name}_{target}.png"
        path = counterfactual_grid(place, rows, title=f"{name} classifier, towards {goal}", note=data.note)
        report.figure(
            path,
            caption=f"Counterfactuals of the {name} classifier towards {goal}.",
            alt=f"Grid: test images, their counterfactuals in norms {config.explanations.norms}, and the differences.",
        )
    path = morph(folder / "animation_radius.gif", config, data, shown)
    report.animation(
        path,
        caption="Counterfactuals of the ensemble along the radius.",
        alt="Two images that morph into the other class.",
    )


def _localisation_section(report: Report, folder: Path, config: Config, data: Data, localised: Localised) -> None:
    columns, rows = overlap_table(localised)
    write_table(folder / "table_2_overlap", columns, rows, digits=_DIGITS, note=data.note)
    report.section("Where the maps point").table(
        columns, rows, digits=_DIGITS,
        caption=f"Intersection over union of thresholded maps with the lesion masks: mean ± standard deviation over"
        f" {len(localised.test)} images.",
    )  # fmt: skip
    grid_rows, grid_columns = saliency_rows(config, data, localised)
    path = saliency_grid(folder / "figure_maps.png", grid_rows, grid_columns, note=data.note)
    report.figure(
        path,
        caption="Thresholded maps towards the finding, with the outline of the lesions.",
        alt="Grid: images with lesions, and the pixels that each method keeps for each classifier.",
    )


def _share(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
