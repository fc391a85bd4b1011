"""The tables: ours, with the paper's figures beside them."""

from typing import Any

import numpy as np

from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.metrics.statistics import bootstrap_interval
from experiments.fundus_vce import published
from experiments.fundus_vce.evaluate import Evaluation, Evaluations
from experiments.fundus_vce.localise import ABLATIONS, Localised
from experiments.fundus_vce.quality import Quality
from experiments.fundus_vce.train import NAMES
from experiments.presenter import Table


def accuracy_table(evaluations: Evaluations, place: str) -> Table:
    """Table 1 on one test set: one row for each classifier, with 95 % bootstrap intervals over images."""
    rows = [[name, *_accuracies(evaluations[place, name])] for name in NAMES]
    labels = evaluations[place, "plain"].label
    attacked = labels[: len(evaluations[place, "plain"].robust)]
    commonest = np.bincount(labels).argmax()
    always = [accuracy(each == commonest) for each in (labels, attacked)]
    rows.append(["always the commoner class", always[0], 0.5, always[1], 0.5])
    paper = published.TABLE_1[place]
    rows += [[f"paper: {name}", *(paper[name][kind] / 100 for kind in published.KINDS), None] for name in NAMES]
    return ["classifier", *published.KINDS.values(), "balanced robust accuracy"], rows


def _accuracies(evaluation: Evaluation) -> list[Any]:
    label, robust = evaluation.label, evaluation.robust
    return [
        tuple(bootstrap_interval(evaluation.correct.astype(float))),
        balanced_accuracy(evaluation.correct, label),
        tuple(bootstrap_interval(robust.astype(float))),
        balanced_accuracy(robust, label[: len(robust)]),
    ]


def overlap_table(localised: Localised) -> Table:
    """Table 2: mean and standard deviation over images of the IoU with the lesion masks."""
    methods = localised.methods
    rows: list[list[Any]] = [[name, *(_spread(localised.iou[name, each]) for each in methods)] for name in NAMES]
    rows.append(["pixels at random", *(float(np.mean(localised.chance[each])) for each in methods)])
    rows += [[f"paper: {name}", *(published.TABLE_2[name].get(each) for each in methods)] for name in NAMES]
    return ["IoU", *methods], rows


def ablation_table(localised: Localised) -> Table:
    """The released scripts' variants of guided backprop and integrated gradients beside the methods as defined."""
    methods = [each for variant, method in ABLATIONS.items() for each in (method, variant)]
    rows: list[list[Any]] = [[name, *(_spread(localised.iou[name, each]) for each in methods)] for name in NAMES]
    return ["IoU", *methods], rows


def tuning_table(localised: Localised) -> Table:
    """The ensemble's IoU on the tuning images for every norm and radius, at the best threshold."""
    rows = [
        [f"l{p:g}, ε = {radius:g}", value, "chosen" if localised.radii[p] == radius else ""]
        for (p, radius), value in localised.tuned.items()
    ]
    return ["counterfactuals", "mean IoU", ""], rows


def quality_table(quality: Quality) -> Table:
    """How often the quality filter is right on held-out labelled images."""
    rows: list[list[Any]] = [
        [f"network {number + 1}", tuple(bootstrap_interval(each.astype(float))), balanced_accuracy(each, quality.label)]
        for number, each in enumerate(quality.single)
    ]
    correct = quality.correct
    rows.append(
        ["ensemble", tuple(bootstrap_interval(correct.astype(float))), balanced_accuracy(correct, quality.label)]
    )
    rows.append(["paper: ensemble", published.GRADABILITY, None])
    return ["quality filter", "gradability accuracy", "balanced"], rows


def _spread(values: np.ndarray) -> tuple[float, float]:
    return float(np.nanmean(values)), float(np.nanstd(values))
