"""The tables: ours, with the paper's figures beside them."""

from typing import Any

import numpy as np

from cfx_jax.metrics import accuracy
from experiments.fundus_vce import published
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluation, Evaluations
from experiments.fundus_vce.intervals import balanced_interval, share_interval
from experiments.fundus_vce.localise import ABLATIONS, Localised
from experiments.fundus_vce.quality import Quality
from experiments.fundus_vce.train import NAMES
from experiments.shared.image_set import PATIENTS
from experiments.shared.presenter import Table


def accuracy_table(evaluations: Evaluations, place: str, *, with_paper: bool = True) -> Table:
    """Table 1 on one test set: one row for each classifier, with 95 % intervals over groups of
    images where they are known.

    Args:
        evaluations: of the classifiers.
        place: the test set.
        with_paper: whether the paper's rows follow.
    """
    rows = [[name, *_accuracies(evaluations[place, name])] for name in NAMES]
    labels = evaluations[place, "plain"].label
    attacked = evaluations[place, "plain"].attacked.label
    commonest = np.bincount(labels).argmax()
    always = [accuracy(each == commonest) for each in (labels, attacked)]
    rows.append(["always the commoner class", always[0], 0.5, always[1], 0.5])
    paper = published.TABLE_1[place] if with_paper else {}
    rows += [
        [f"paper: {name}", *(row[kind] / 100 for kind in published.KINDS), None]
        for name, row in paper.items()
    ]
    return ["classifier", *published.KINDS.values(), "balanced robust accuracy"], rows


def _accuracies(evaluation: Evaluation) -> list[Any]:
    attacked = evaluation.attacked
    return [
        tuple(share_interval(evaluation.correct, evaluation.groups)),
        tuple(balanced_interval(evaluation.correct, evaluation.label, evaluation.groups)),
        tuple(share_interval(evaluation.robust, attacked.groups)),
        tuple(balanced_interval(evaluation.robust, attacked.label, attacked.groups)),
    ]


def group_unit(data: Data) -> str | None:
    """What groups of images are in words, patients where any part knows them; None where no part
    has groups.
    """
    parts = (data.train, data.validation, data.temperature, *data.tests.values())
    units = [images.group_unit for images in parts if images.groups is not None]
    return PATIENTS if PATIENTS in units else units[0] if units else None


def images_table(data: Data) -> Table:
    """How many images of each class every part has, and of how many groups where any part has them."""
    sets = {
        "training": data.train,
        "validation": data.validation,
        "calibration": data.temperature,
        **data.tests,
    }
    unit = group_unit(data)
    rows: list[list[Any]] = []
    for name, images in sets.items():
        counts = np.bincount(images.labels, minlength=len(data.class_names))
        number = None if images.groups is None else len(np.unique(images.groups))
        rows.append([name, *map(int, counts), *([] if unit is None else [number])])
    return ["images", *data.class_names, *([] if unit is None else [unit])], rows


def overlap_table(localised: Localised) -> Table:
    """Table 2: mean and standard deviation over images of the IoU with the lesion masks."""
    methods = localised.methods
    rows: list[list[Any]] = [
        [name, *(_spread(localised.iou[name, each]) for each in methods)] for name in NAMES
    ]
    rows.append(["pixels at random", *(float(np.mean(localised.chance[each])) for each in methods)])
    rows += [
        [f"paper: {name}", *(published.TABLE_2[name].get(each) for each in methods)]
        for name in NAMES
    ]
    return ["IoU", *methods], rows


def ablation_table(localised: Localised) -> Table:
    """The released scripts' variants of guided backprop and integrated gradients beside the methods
    as defined.
    """
    methods = [each for variant, method in ABLATIONS.items() for each in (method, variant)]
    rows: list[list[Any]] = [
        [name, *(_spread(localised.iou[name, each]) for each in methods)] for name in NAMES
    ]
    return ["IoU", *methods], rows


def tuning_table(localised: Localised) -> Table:
    """The ensemble's IoU on the tuning images for every norm and radius, at the best threshold, and
    what was chosen.
    """
    rows: list[list[Any]] = [
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
    rows: list[list[Any]] = [
        [f"network {number + 1}", *_gradability(quality, each)]
        for number, each in enumerate(quality.single)
    ]
    rows.append(["ensemble", *_gradability(quality, quality.correct)])
    rows.append(["paper: ensemble", published.GRADABILITY, None])
    return ["quality filter", "gradability accuracy", "balanced"], rows


def _gradability(quality: Quality, correct: np.ndarray) -> list[Any]:
    of = balanced_interval(correct, quality.label, quality.groups)
    return [tuple(share_interval(correct, quality.groups)), tuple(of)]


def _spread(values: np.ndarray) -> tuple[float, float]:
    return float(np.nanmean(values)), float(np.nanstd(values))
