"""The tables: our figures, with the paper's beside them."""

from typing import Any

import numpy as np

from cfx_jax.metrics import accuracy
from experiments.fundus_vce import published
from experiments.fundus_vce.accuracy import Evaluation
from experiments.fundus_vce.classifiers import NAMES
from experiments.fundus_vce.localisation import ABLATIONS, Localised
from experiments.fundus_vce.quality_filter import Quality
from experiments.fundus_vce.study import Study
from experiments.shared import (
    LEVEL_COLUMNS,
    PATIENTS,
    Table,
    balanced_interval,
    level_cells,
    share_interval,
)

Rows = list[list[Any]]


def summary_tables(study: Study) -> list[Table]:
    """The tables that the console shows."""
    tables = [accuracy_table(study, place) for place in study.data.tests]
    tables += [] if study.localised is None else [overlap_table(study.localised)]
    return tables + ([] if study.quality is None else [quality_table(study.quality)])


def accuracy_table(study: Study, place: str) -> Table:
    """Table 1 on one test set: a row for each classifier, with 95 % intervals.

    Intervals are over groups of images where they are known. The paper's rows follow where the
    images are the paper's or drawn after them.
    """
    plain = study.evaluations[place, "plain"]
    rows: Rows = [[name, *_accuracies(study.evaluations[place, name])] for name in NAMES]
    commonest = np.bincount(plain.labels).argmax()
    always = [accuracy(labels == commonest) for labels in (plain.labels, plain.attacked.labels)]
    rows.append(["always the commoner class", always[0], 0.5, always[1], 0.5])
    paper = published.TABLE_1[place] if study.data.published else {}
    for name, figures in paper.items():
        rows.append([f"paper: {name}", *(figures[kind] / 100 for kind in published.KINDS), None])
    return ["classifier", *published.KINDS.values(), "balanced robust accuracy"], rows


def _accuracies(evaluation: Evaluation) -> list[Any]:
    """Accuracy and balanced accuracy, clean and under attack, each with its interval."""
    attacked = evaluation.attacked
    return [
        *_shares(evaluation.correct, evaluation.labels, evaluation.groups),
        *_shares(evaluation.robust, attacked.labels, attacked.groups),
    ]


def _shares(answers: np.ndarray, labels: np.ndarray, groups: np.ndarray | None) -> list[Any]:
    """The share of right answers and the mean share over the classes, each with its interval."""
    balanced = balanced_interval(answers, labels, groups)
    return [tuple(share_interval(answers, groups)), tuple(balanced)]


def group_unit(study: Study) -> str | None:
    """The groups of images in words, patients where any part has them; None without groups."""
    data = study.data
    parts = (data.train, data.validation, data.temperature, *data.tests.values())
    units = [images.group_unit for images in parts if images.groups is not None]
    return PATIENTS if PATIENTS in units else units[0] if units else None


def images_table(study: Study) -> Table:
    """Images of each class in every part, and groups of images where any part has groups."""
    data, unit = study.data, group_unit(study)
    parts = {
        "training": data.train,
        "validation": data.validation,
        "calibration": data.temperature,
        **data.tests,
    }
    rows: Rows = []
    for name, images in parts.items():
        counts = np.bincount(images.labels, minlength=len(data.class_names))
        number = None if images.groups is None else len(np.unique(images.groups))
        rows.append([name, *map(int, counts), *([] if unit is None else [number])])
    return ["images", *data.class_names, *([] if unit is None else [unit])], rows


def overlap_table(localised: Localised) -> Table:
    """Table 2: mean and standard deviation over images of the IoU with the lesion masks."""
    methods = localised.methods
    rows = _overlaps(localised, methods)
    rows += _levels(localised, methods)
    chances = (float(np.mean(localised.chance[method])) for method in methods)
    rows.append(["pixels at random", *chances])
    for name in NAMES:
        paper = published.TABLE_2[name]
        rows.append([f"paper: {name}", *(paper.get(method) for method in methods)])
    return ["IoU", *methods], rows


def ablation_table(localised: Localised) -> Table:
    """Guided backprop and integrated gradients as defined, and as in the released scripts."""
    methods = tuple(name for variant, method in ABLATIONS.items() for name in (method, variant))
    return ["IoU", *methods], [*_overlaps(localised, methods), *_levels(localised, methods)]


def _overlaps(localised: Localised, methods: tuple[str, ...]) -> Rows:
    """A row for each classifier, with mean and standard deviation of the IoU of each method."""
    return [[name, *(_spread(localised.iou[name, method]) for method in methods)] for name in NAMES]


def _levels(localised: Localised, methods: tuple[str, ...]) -> Rows:
    """Rows of the controls, and of how far each classifier's maps lead on them.

    A control has a threshold of its own, so its overlap is the same in every column.
    """
    rows: Rows = [
        [name, *[_spread(values)] * len(methods)] for name, values in localised.controls.items()
    ]
    for name in NAMES if rows else ():
        levels = [level_cells(localised.level(name, method)) for method in methods]
        for column, cells in zip(LEVEL_COLUMNS, zip(*levels, strict=True), strict=True):
            rows.append([f"{name}: {column}", *cells])
    return rows


def _spread(values: np.ndarray) -> tuple[float, float]:
    return float(np.nanmean(values)), float(np.nanstd(values))


def tuning_table(localised: Localised) -> Table:
    """The ensemble's IoU on the tuning images for every norm and radius, and the chosen ones."""
    rows: Rows = [
        [f"l{p:g}, ε = {radius:g}", value, _choice(localised, p, radius)]
        for (p, radius), value in localised.tuned.items()
    ]
    return ["counterfactuals", "mean IoU", "choice"], rows


def _choice(localised: Localised, p: float, radius: float) -> str:
    if localised.radii[p] != radius:
        return ""
    words = "chosen, and the best norm" if localised.norm == p else "chosen"
    return f"{words}; at the edge of what was offered" if localised.is_edge(p, radius) else words


def quality_table(quality: Quality) -> Table:
    """How often the quality filter is right on held-out labelled images."""
    answers = {f"network {number + 1}": correct for number, correct in enumerate(quality.single)}
    rows: Rows = [
        [name, *_shares(correct, quality.label, quality.groups)]
        for name, correct in {**answers, "ensemble": quality.correct}.items()
    ]
    rows.append(["paper: ensemble", published.GRADABILITY, None])
    return ["quality filter", "gradability accuracy", "balanced"], rows
