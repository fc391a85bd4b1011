"""The paper's tables of one kind of scans, each with the counts that it is made from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.arrays import AnyArray
from cfx_jax.metrics import (
    bootstrap_interval,
    decision_counts,
    mcnemar,
    mean_and_standard_error,
    paired_difference_interval,
)
from experiments.acat import published
from experiments.acat.published import REACHED
from experiments.acat.rows import BASELINE
from experiments.acat.sources import DETECTORS
from experiments.acat.study import Run, Study
from experiments.acat.variances import Variances
from experiments.presenter import Table


def accuracy_table(study: Study) -> Table:
    """Table 2, and the rows of the ablations."""
    place = place_of(study)
    columns = ["network", "accuracy", "SE", "paper", "right", "scans", "balanced", "less baseline", "McNemar p"]
    rows: list[list[Any]] = []
    first = right_of(study, BASELINE)
    for row in study.rows:
        right = right_of(study, row.name)
        runs = mean_and_standard_error(np.array([run.right(row.name).mean() for run in study.runs]), ddof=0)
        paper = published.ACCURACY.get(row.name, {}).get(place)
        against: list[Any] = [None, None]
        if row.name != BASELINE:
            difference = paired_difference_interval(right.astype(float), first.astype(float))
            against = [difference, mcnemar(right, first).p_value]
        balanced = float(np.mean([_balanced(run, row.name) for run in study.runs]))
        rows.append(
            [row.name, runs.mean, runs.standard_error, _share(paper), int(right.sum()), len(right), balanced, *against]
        )
    return columns, rows


def size_table(study: Study) -> Table:
    """Table 1: accuracy by the size of the infarct, 0 for none."""
    sizes = np.concatenate([run.sizes for run in study.runs])
    kinds = np.unique(sizes)
    columns = ["network", *(f"size {each} ({int((sizes == each).sum())} scans)" for each in kinds)]
    columns += [f"paper {each}" for each in kinds]
    rows: list[list[Any]] = []
    for row in study.rows:
        right, paper = right_of(study, row.name), published.BY_SIZE.get(row.name)
        own = [float(right[sizes == each].mean()) for each in kinds]
        rows.append([row.name, *own, *(None if paper is None else paper[each] / 100 for each in kinds)])
    return columns, rows


def sensitivity_table(study: Study) -> Table:
    """Tables 6 and 7: of a finding, whichever."""
    columns = ["network", "sensitivity", "paper", "specificity", "paper specificity", "TP", "FN", "TN", "FP"]
    rows: list[list[Any]] = []
    positive = np.concatenate([run.labels for run in study.runs]) > 0
    for row in study.rows:
        decided = np.concatenate([run.fitted[row.name].decided for run in study.runs])
        counts = decision_counts(decided > 0, positive)
        paper = (
            published.SENSITIVITY.get(row.name, (None, None)) if place_of(study) == published.CHESTS else (None,) * 2
        )
        rates = counts.true_positives, counts.false_negatives, counts.true_negatives, counts.false_positives
        sensitivity, specificity = rates[0] / max(sum(rates[:2]), 1), rates[2] / max(sum(rates[2:]), 1)
        rows.append([row.name, sensitivity, _share(paper[0]), specificity, _share(paper[1]), *rates])
    return columns, rows


def hit_table(study: Study) -> Table:
    """The hit score of every method, and how much its maps are like those of latent counterfactuals."""
    columns = ["method", "hit score", "SE", "paper", "hits", "scans", "flat", "likeness"]
    rows: list[list[Any]] = []
    for method in DETECTORS:
        found = [run.detection.hits[method] for run in study.runs]
        runs = mean_and_standard_error(np.array([each.score for each in found]), ddof=0)
        hits, misses = (sum(getattr(each, name) for each in found) for name in ("num_hits", "num_misses"))
        flat, paper = sum(each.num_flat for each in found), _share(published.HITS.get(method))
        likeness = np.concatenate([run.detection.likeness[method] for run in study.runs])
        alike = float(likeness[known].mean()) if (known := np.isfinite(likeness)).any() else None
        rows.append([method, runs.mean, runs.standard_error, paper, hits, hits + misses, flat, alike])
    return columns, rows


def overlap_table(study: Study) -> Table:
    """Table 5, and what its means over lesion and background hide."""
    columns = ["method", "IoU", "paper IoU", "Dice", "paper Dice", "lesion Dice", "kappa", "scans"]
    rows: list[list[Any]] = []
    for method in DETECTORS:
        found = [run.detection.overlaps[method] for run in study.runs]
        values = {
            name: by_scan(study, [getattr(each, name) for each in found])
            for name in ("macro_iou", "macro_dice", "dice", "kappa")
        }
        known = np.isfinite(values["kappa"])
        paper = published.OVERLAP.get(method, (None, None)) if place_of(study) == published.CHESTS else (None, None)
        iou, dice, lesion, kappa = (bootstrap_interval(each[known]) for each in values.values())
        rows.append([method, iou, paper[0], dice, paper[1], lesion, kappa, int(known.sum())])
    return columns, rows


def reach_table(study: Study) -> Table:
    """Figure 5 in numbers: the probability of the finding that each search reaches."""
    columns = ["search", "scans", "at the reconstruction", "reached", f"below {REACHED}"]
    trace = np.concatenate([run.detection.trace for run in study.runs])
    shifted = np.concatenate([run.detection.shifted for run in study.runs])
    start = float(trace[:, 0].mean())
    return columns, [
        [name, len(values), start, bootstrap_interval(values), bootstrap_interval((values < REACHED).astype(float))]
        for name, values in (("latent counterfactuals", trace[:, -1]), ("latent shift", shifted))
    ]


def variance_table(study: Study) -> Table:
    """Table 3: the mean over runs; the paper's layers are those of its network for heads."""
    runs = [run.variances for run in study.runs]
    columns = ["convolution"]
    rows: list[list[Any]] = [[str(number + 1)] for number in range(len(runs[0][BASELINE].plain))]
    for kind in Variances._fields:
        for name in runs[0]:
            columns.append(f"{name}, {kind}")
            values = np.mean([getattr(run[name], kind) for run in runs], axis=0)
            paper = published.VARIANCE.get((name, kind)) if place_of(study) == published.HEADS else None
            columns += [] if paper is None else [f"paper {name}, {kind}"]
            for row, value, printed in zip(rows, values, paper or [None] * len(rows), strict=True):
                row += [float(value)] if paper is None else [float(value), printed]
    return columns, rows


def training_size_table(study: Study) -> Table:
    """Table 4: accuracy by the number of training scans."""
    columns = ["network", *(f"{size} scans" for size in study.smaller), *(f"paper {size}" for size in study.smaller)]
    rows: list[list[Any]] = []
    for row in study.rows:
        own = [float(right[row.name].mean()) for right in study.smaller.values()]
        paper = published.BY_TRAINING.get(row.name, {}) if place_of(study) == published.HEADS else {}
        rows.append([row.name, *own, *(_share(paper.get(size)) for size in study.smaller)])
    return columns, rows


def right_of(study: Study, name: str) -> Bool[np.ndarray, " n"]:
    """Whether a network is right about each test scan of each run."""
    return np.concatenate([run.right(name) for run in study.runs])


def by_scan(study: Study, measured: Sequence[AnyArray]) -> Float[np.ndarray, " m"]:
    """What every run's maps measure on each scan: the mean over runs where these explain the same scans, else all of it."""
    by_run = [np.asarray(each, float) for each in measured]
    return np.concatenate(by_run) if study.scans.located is None else np.mean(by_run, axis=0)


def place_of(study: Study) -> str:
    """Which of the paper's sets the scans stand for."""
    return published.HEADS if study.scans.sides else published.CHESTS


def _balanced(run: Run, name: str) -> float:
    right: Bool[np.ndarray, " n"] = run.right(name)
    return float(np.mean([right[run.labels == each].mean() for each in np.unique(run.labels)]))


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
