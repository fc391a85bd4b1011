"""The paper's tables of one kind of scans, with the counts that they are made from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from cfx_jax.metrics import (
    Interval,
    balanced_accuracy,
    bootstrap_interval,
    decision_counts,
    mean_and_standard_error,
)
from experiments.acat import published
from experiments.acat.data import UNKNOWN
from experiments.acat.maps import (
    LATENT_SHIFT,
    METHODS,
    OURS,
    OVERLAPS,
    REFERENCES,
    TRIVIAL,
    WITH_ACAT,
)
from experiments.acat.networks import BASELINE, IN_TABLE_4, TRIVIAL_NETWORKS, TRUE_PLACES
from experiments.acat.study import Answers, KindStudy, Study
from experiments.acat.variances import Variances
from experiments.shared import (
    LEVEL_COLUMNS,
    Level,
    Table,
    difference_over_runs,
    find_level_of_runs,
    level_cells,
    mean_cell,
)

Rows = list[list[Any]]


def summary_tables(study: Study) -> list[Table | str]:
    """The tables that the console shows, and the note of every kind of scans."""
    tables: list[Table | str] = []
    for kind in study.kinds:
        tables += [kind.scans.note, accuracy_table(kind)]
        tables += [hit_table(kind)] if kind.is_known("hits") else []
        tables.append(reach_table(kind))
    return tables


def accuracy_table(study: KindStudy) -> Table:
    """Table 2, and the rows of the ablations."""
    columns = ["network", "accuracy", "SE", "paper", "right", "scans", "balanced"]
    columns += ["less baseline", "best in runs", *LEVEL_COLUMNS]
    rows: Rows = []
    best = count_best_runs(study)
    for name in study.names:
        correct = study.is_correct(name)
        paper = _share(published.ACCURACY.get(name, {}).get(study.place))
        counts = [int(sum(values.sum() for values in correct)), sum(map(len, correct))]
        accuracies = [
            balanced_accuracy(answers.is_correct(name), answers.labels) for answers in study.answers
        ]
        balanced = float(np.mean(accuracies))
        difference = None if name == BASELINE else compare(study, name, BASELINE)
        cells = [paper, *counts, balanced, difference, best.get(name)]
        cells += level_cells(network_level(study, name))
        rows.append([name, *_over_runs(correct), *cells])
    return columns, rows


def network_level(study: KindStudy, name: str) -> Level | None:
    """The lead of a network in accuracy on the controls that were trained beside it.

    They are the baseline trained as long, and ACAT without maps or with maps that say nothing of
    their scans. The controls themselves have no level, nor has a network that is trained less or
    sees the truth; without trained controls there is none.
    """
    controls = tuple(filter(study.has, TRIVIAL_NETWORKS))
    if name in (BASELINE, TRUE_PLACES, *controls):
        return None
    scores = {
        key: [run.astype(float) for run in study.is_correct(key)] for key in (name, *controls)
    }
    cases = [answers.units for answers in study.answers]
    return find_level_of_runs(name, scores, controls=controls, cases=cases)


def _over_runs(values: Sequence[np.ndarray]) -> list[float]:
    """The mean over runs of the mean over scans, and its standard error as the paper has it."""
    means = np.array([scans.mean() for scans in values])
    return [*mean_and_standard_error(means, ddof=0)]


def count_best_runs(study: KindStudy) -> dict[str, int]:
    """The number of runs in which a network of the paper is the best of them; equals count for
    all."""
    names = [name for name in IN_TABLE_4 if study.has(name)]
    accuracies = np.array(
        [[answers.is_correct(name).mean() for name in names] for answers in study.answers]
    )
    is_best = accuracies == accuracies.max(axis=1, keepdims=True)
    return {name: int(count) for name, count in zip(names, is_best.sum(axis=0), strict=True)}


def compare(study: KindStudy, one: str, other: str) -> Interval:
    """How much more often a network is right than another one, over runs and scans."""
    cases = [answers.units for answers in study.answers]
    return difference_over_runs(study.is_correct(one), study.is_correct(other), cases)


def size_table(study: KindStudy) -> Table:
    """Table 1: accuracy by the size of the infarct."""
    sizes = np.concatenate([answers.sizes for answers in study.answers])
    kinds = [int(size) for size in np.unique(sizes)]
    printed = [size for size in kinds if size != UNKNOWN]
    names = {0: "none", UNKNOWN: "size not known"}
    columns = ["network"]
    for size in kinds:
        number = int((sizes == size).sum())
        columns.append(f"{names.get(size, f'size {size}')} ({number} scans)")
    columns += [f"paper {names.get(size, size)}" for size in printed]
    rows: Rows = []
    for name in study.names:
        correct, paper = np.concatenate(study.is_correct(name)), published.BY_SIZE.get(name)
        ours = [float(correct[sizes == size].mean()) for size in kinds]
        theirs = [None if paper is None else paper[size] / 100 for size in printed]
        rows.append([name, *ours, *theirs])
    return columns, rows


def sensitivity_table(study: KindStudy) -> Table:
    """Tables 6 and 7: sensitivity and specificity of any finding, with counts."""
    columns = ["network", "sensitivity", "SE", "paper", "specificity", "SE of it"]
    columns += ["paper specificity", "TP", "FN", "TN", "FP"]
    is_positive = np.concatenate([answers.labels > 0 for answers in study.answers])
    printed = published.SENSITIVITY if study.place == published.CHESTS else {}
    rows: Rows = []
    for name in study.names:
        cells: list[Any] = []
        for has_finding, paper in zip((True, False), printed.get(name, (None, None)), strict=True):
            correct = [_tells(answers, name, has_finding) for answers in study.answers]
            cells += [*_over_runs(correct), _share(paper)]
        decided = np.concatenate([answers.decided[name] > 0 for answers in study.answers])
        counts = decision_counts(decided, is_positive)
        cells += [counts.true_positives, counts.false_negatives]
        rows.append([name, *cells, counts.true_negatives, counts.false_positives])
    return columns, rows


def _tells(answers: Answers, name: str, has_finding: bool) -> Bool[np.ndarray, " m"]:
    """Whether a network is right about the scans with a finding, or about those without."""
    chosen = (answers.labels > 0) == has_finding
    correct: Bool[np.ndarray, " m"] = (answers.decided[name] > 0)[chosen] == has_finding
    return correct


def compared_maps(study: KindStudy) -> list[str]:
    """The methods, ACAT as classifier, and the references, as the tables of maps list them."""
    known = study.runs[0].detection.scores
    return [name for name in (*METHODS, WITH_ACAT, *REFERENCES) if name in known]


def hit_table(study: KindStudy) -> Table:
    """The hit score of every method, and how much its maps are like latent counterfactuals'."""
    columns = ["method", "hit score", "SE", "paper", "hits", "scans", "flat"]
    columns += ["inside the lesion", "likeness", *LEVEL_COLUMNS]
    rows: Rows = []
    for method in compared_maps(study):
        if not study.has_scores(method, "hits"):
            continue
        hits = study.scores(method, "hits")
        number = float(sum(values.sum() for values in hits))
        cells = [_share(published.HITS.get(method))]
        cells += [int(number) if number.is_integer() else number, sum(map(len, hits))]
        flat = int(sum(values.sum() for values in study.scores(method, "flat")))
        inside = np.concatenate(study.scores(method, "inside"))
        likeness = [run.detection.likeness.get(method, np.zeros(0)) for run in study.runs]
        cells.append(flat if method in (*METHODS, WITH_ACAT) else None)
        cells += [mean_cell(inside), mean_cell(np.concatenate(likeness))]
        cells += level_cells(map_level(study, method, "hits"))
        rows.append([method, *_over_runs(hits), *cells])
    return columns, rows


def overlap_table(study: KindStudy) -> Table:
    """Table 5, and what its means over lesion and background hide."""
    columns = ["method", "IoU", "SE", "paper IoU", "Dice", "SE of it", "paper Dice"]
    columns += ["lesion Dice", "kappa", "scans", *(f"{name}, Dice" for name in LEVEL_COLUMNS)]
    printed = published.OVERLAP if study.place == published.CHESTS else {}
    rows: Rows = []
    for method in compared_maps(study):
        if not study.has_scores(method, "kappa"):
            continue
        iou, dice, _, kappa = (study.scores(method, field) for field in OVERLAPS)
        paper_iou, paper_dice = printed.get(method, (None, None))
        cells = [*_over_runs(iou), paper_iou, *_over_runs(dice), paper_dice]
        intervals = [mean_over_scans(study, method, field) for field in ("dice", "kappa")]
        level = level_cells(map_level(study, method, "macro_dice"))
        rows.append([method, *cells, *intervals, int(sum(map(len, kappa))), *level])
    return columns, rows


def map_level(study: KindStudy, method: str, field: str) -> Level | None:
    """The level of a method's maps by a score, over runs and scans.

    None is returned for a control, and where no control has this score of the same scans.
    """
    cases = study.units(method, field)
    scores = {method: study.scores(method, field)}
    for name in TRIVIAL:
        known = zip(study.units(name, field), cases, strict=True)
        if all(len(units) and np.array_equal(units, case) for units, case in known):
            scores[name] = study.scores(name, field)
    if method in REFERENCES or len(scores) == 1:
        return None
    return find_level_of_runs(method, scores, controls=TRIVIAL, cases=cases)


def mean_over_scans(study: KindStudy, method: str, field: str) -> Interval:
    """The mean of a score over all explained scans of all runs.

    Scans of one patient, or one scan in several runs, are drawn together.
    """
    values = np.concatenate(study.scores(method, field))
    return bootstrap_interval(values, groups=np.concatenate(study.units(method, field)))


def reach_table(study: KindStudy) -> Table:
    """Figure 5 in numbers: the probability of the finding that a search reaches."""
    columns = ["search", "scans", "at the reconstruction", "after one step", "reached"]
    trace, units = study.join_searches("trace"), study.search_units
    start, first = (float(values.mean()) for values in trace.T[:2])
    rows: Rows = []
    for name, values, after_one in (
        (OURS, trace[:, -1], first),
        (LATENT_SHIFT, study.join_searches("shifted"), None),
    ):
        is_below = (values < published.REACHED).astype(float)
        intervals = [bootstrap_interval(shares, groups=units) for shares in (values, is_below)]
        rows.append([name, len(values), start, after_one, *intervals])
    return [*columns, f"below {published.REACHED}"], rows


def variance_table(study: KindStudy) -> Table:
    """Table 3: the mean over runs; the paper's layers are the layers of its network for heads."""
    runs = [run.variances for run in study.runs]
    columns = ["convolution"]
    rows: Rows = [[str(number + 1)] for number in range(len(runs[0][BASELINE].plain))]
    for kind in Variances._fields:
        for name in runs[0]:
            columns.append(f"{name}, {kind}")
            values = np.mean([getattr(run[name], kind) for run in runs], axis=0)
            paper = published.VARIANCE.get((name, kind)) if study.scans.sides else None
            columns += [] if paper is None else [f"paper {name}, {kind}"]
            for row, value, printed in zip(rows, values, paper or [None] * len(rows), strict=True):
                row += [float(value)] if paper is None else [float(value), printed]
    return columns, rows


def training_size_table(study: KindStudy) -> Table:
    """Table 4: accuracy by the number of training scans, with standard errors over runs."""
    columns = ["network"]
    for size in study.smaller:
        columns += [f"{measure} of {size} scans" for measure in ("accuracy", "SE")]
    columns += [f"paper {size}" for size in study.smaller]
    rows: Rows = []
    for name in next(iter(study.smaller.values()))[0].decided:
        cells: list[Any] = []
        for runs in study.smaller.values():
            cells += _over_runs([answers.is_correct(name) for answers in runs])
        paper = published.BY_TRAINING.get(name, {}) if study.scans.sides else {}
        rows.append([name, *cells, *(_share(paper.get(size)) for size in study.smaller)])
    return columns, rows


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
