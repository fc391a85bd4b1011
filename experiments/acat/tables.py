"""The paper's tables of one kind of scans, each with the counts that it is made from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    decision_counts,
    interval_over_runs,
    mean_and_standard_error,
)
from experiments.acat import published
from experiments.acat.published import REACHED
from experiments.acat.rows import BASELINE, GROUPS, IN_TABLE_4
from experiments.acat.scans import UNKNOWN
from experiments.acat.sources import DETECTORS, OURS, REFERENCES, WITH_ACAT
from experiments.acat.study import Answers, Study
from experiments.acat.variances import Variances
from experiments.shared.presenter import Table


def accuracy_table(study: Study) -> Table:
    """Table 2, and the rows of the ablations."""
    place = place_of(study)
    columns = [
        "network",
        "accuracy",
        "SE",
        "paper",
        "right",
        "scans",
        "balanced",
        "less baseline",
        "best in runs",
    ]
    rows: list[list[Any]] = []
    best = best_of_runs(study)
    for row in study.rows:
        right = right_of(study, row.name)
        runs = mean_and_standard_error(np.array([each.mean() for each in right]), ddof=0)
        paper = _share(published.ACCURACY.get(row.name, {}).get(place))
        against = None if row.name == BASELINE else less_than(study, row.name, BASELINE)
        balanced = float(np.mean([_balanced(answers, row.name) for answers in answers_of(study)]))
        counts = [int(sum(each.sum() for each in right)), sum(map(len, right))]
        rows.append(
            [
                row.name,
                runs.mean,
                runs.standard_error,
                paper,
                *counts,
                balanced,
                against,
                best.get(row.name),
            ]
        )
    return columns, rows


def best_of_runs(study: Study) -> dict[str, int]:
    """In how many runs each of the paper's networks is the best of them; equals count for each."""
    names = [name for name in IN_TABLE_4 if name in {row.name for row in study.rows}]
    accuracies = np.array(
        [[answers.right(name).mean() for name in names] for answers in answers_of(study)]
    )
    is_best = accuracies == accuracies.max(axis=1, keepdims=True)
    return {name: int(count) for name, count in zip(names, is_best.sum(axis=0), strict=True)}


def less_than(study: Study, one: str, other: str) -> Interval:
    """How much more often a network is right than another one, over runs and scans."""
    differences = [
        a.astype(float) - b
        for a, b in zip(right_of(study, one), right_of(study, other), strict=True)
    ]
    return interval_over_runs(differences, cases=units_of(study))


def size_table(study: Study) -> Table:
    """Table 1: accuracy by the size of the infarct."""
    sizes = np.concatenate([answers.sizes for answers in answers_of(study)])
    kinds = [int(each) for each in np.unique(sizes)]
    names = {0: "none", UNKNOWN: "size not known"}
    columns = [
        "network",
        *(
            f"{names.get(each, f'size {each}')} ({int((sizes == each).sum())} scans)"
            for each in kinds
        ),
    ]
    columns += [f"paper {names.get(each, each)}" for each in kinds if each != UNKNOWN]
    rows: list[list[Any]] = []
    for row in study.rows:
        right, paper = np.concatenate(right_of(study, row.name)), published.BY_SIZE.get(row.name)
        own = [float(right[sizes == each].mean()) for each in kinds]
        printed = [
            None if paper is None else paper[each] / 100 for each in kinds if each != UNKNOWN
        ]
        rows.append([row.name, *own, *printed])
    return columns, rows


def sensitivity_table(study: Study) -> Table:
    """Tables 6 and 7: of a finding, whichever; means and standard errors over runs as the paper has
    them, and counts.
    """
    columns = [
        "network",
        "sensitivity",
        "SE",
        "paper",
        "specificity",
        "SE of it",
        "paper specificity",
    ]
    columns += ["TP", "FN", "TN", "FP"]
    rows: list[list[Any]] = []
    for row in study.rows:
        paper = (
            published.SENSITIVITY.get(row.name, (None, None))
            if _is_of_chests(study)
            else (None, None)
        )
        cells: list[Any] = []
        for has_finding, printed in zip((True, False), paper, strict=True):
            found = [_found(answers, row.name, has_finding) for answers in answers_of(study)]
            cells += [
                *mean_and_standard_error(np.array([each.mean() for each in found]), ddof=0),
                _share(printed),
            ]
        decided, positive = (
            np.concatenate([answers.decided[row.name] > 0 for answers in answers_of(study)]),
            np.concatenate([answers.labels > 0 for answers in answers_of(study)]),
        )
        counts = decision_counts(decided, positive)
        rows.append(
            [
                row.name,
                *cells,
                counts.true_positives,
                counts.false_negatives,
                counts.true_negatives,
                counts.false_positives,
            ]
        )
    return columns, rows


def _found(answers: Answers, name: str, has_finding: bool) -> Bool[np.ndarray, " m"]:
    """Of the scans with a finding, or of those without, whether a network says so."""
    chosen = (answers.labels > 0) == has_finding
    found: Bool[np.ndarray, " m"] = (answers.decided[name] > 0)[chosen] == has_finding
    return found


def detection_rows(study: Study) -> list[str]:
    """What is compared with the truth, as the tables of maps list it: methods, ACAT's own maps, and
    references.
    """
    known = study.runs[0].detection.scores
    return [name for name in (*DETECTORS, WITH_ACAT, *REFERENCES) if name in known]


def hit_table(study: Study) -> Table:
    """The hit score of every method, and how much its maps are like those of latent
    counterfactuals.
    """
    columns = [
        "method",
        "hit score",
        "SE",
        "paper",
        "hits",
        "scans",
        "flat",
        "inside the lesion",
        "likeness",
    ]
    rows: list[list[Any]] = []
    for method in detection_rows(study):
        hits = known_scores(study, method, "hits")
        if not all(map(len, hits)):
            continue
        runs = mean_and_standard_error(np.array([each.mean() for each in hits]), ddof=0)
        number = float(sum(each.sum() for each in hits))
        counts = [int(number) if number.is_integer() else number, sum(map(len, hits))]
        flat = int(sum(each.sum() for each in known_scores(study, method, "flat")))
        inside = np.concatenate(known_scores(study, method, "inside"))
        likeness = [run.detection.likeness.get(method, np.zeros(0)) for run in study.runs]
        rows.append(
            [
                method,
                runs.mean,
                runs.standard_error,
                _share(published.HITS.get(method)),
                *counts,
                flat if method in (*DETECTORS, WITH_ACAT) else None,
                float(inside.mean()) if len(inside) else None,
                _mean_of_known(np.concatenate(likeness)),
            ]
        )
    return columns, rows


def overlap_table(study: Study) -> Table:
    """Table 5, and what its means over lesion and background hide."""
    columns = [
        "method",
        "IoU",
        "SE",
        "paper IoU",
        "Dice",
        "SE of it",
        "paper Dice",
        "lesion Dice",
        "kappa",
        "scans",
    ]
    rows: list[list[Any]] = []
    for method in detection_rows(study):
        paper = (
            published.OVERLAP.get(method, (None, None)) if _is_of_chests(study) else (None, None)
        )
        values = {
            name: known_scores(study, method, name)
            for name in ("macro_iou", "macro_dice", "dice", "kappa")
        }
        if not all(map(len, values["kappa"])):
            continue
        cells: list[Any] = []
        for name, printed in zip(("macro_iou", "macro_dice"), paper, strict=True):
            cells += [
                *mean_and_standard_error(np.array([each.mean() for each in values[name]]), ddof=0),
                printed,
            ]
        lesion, kappa = (by_unit(study, method, name) for name in ("dice", "kappa"))
        rows.append([method, *cells, lesion, kappa, int(sum(map(len, values["kappa"])))])
    return columns, rows


def by_unit(study: Study, method: str, field: str) -> Interval:
    """The mean of a score over all explained scans of all runs; those that show the same are drawn
    together.
    """
    values = np.concatenate(known_scores(study, method, field))
    return bootstrap_interval(values, groups=np.concatenate(known_units(study, method, field)))


def reach_table(study: Study) -> Table:
    """Figure 5 in numbers: the probability of the finding that each search reaches."""
    columns = [
        "search",
        "scans",
        "at the reconstruction",
        "after one step",
        "reached",
        f"below {REACHED}",
    ]
    trace, shifted, units = reached_by(study)
    start = float(trace[:, 0].mean())
    rows: list[list[Any]] = []
    for name, values, first in (
        (OURS, trace[:, -1], float(trace[:, 1].mean())),
        ("latent shift", shifted, None),
    ):
        below = bootstrap_interval((values < REACHED).astype(float), groups=units)
        rows.append(
            [name, len(values), start, first, bootstrap_interval(values, groups=units), below]
        )
    return columns, rows


def reached_by(
    study: Study,
) -> tuple[Float[np.ndarray, "n steps"], Float[np.ndarray, " n"], np.ndarray]:
    """The traces of all runs, what latent shift reaches, and whom the scans show."""
    found = [run.detection for run in study.runs]
    parts = (
        [each.trace for each in found],
        [each.shifted for each in found],
        [each.trace_units for each in found],
    )
    trace, shifted, units = map(np.concatenate, parts)
    return trace, shifted, units


def variance_table(study: Study) -> Table:
    """Table 3: the mean over runs; the paper's layers are those of its network for heads."""
    runs = [run.variances for run in study.runs]
    columns = ["convolution"]
    rows: list[list[Any]] = [[str(number + 1)] for number in range(len(runs[0][BASELINE].plain))]
    for kind in Variances._fields:
        for name in runs[0]:
            columns.append(f"{name}, {kind}")
            values = np.mean([getattr(run[name], kind) for run in runs], axis=0)
            paper = published.VARIANCE.get((name, kind)) if study.scans.sides else None
            columns += [] if paper is None else [f"paper {name}, {kind}"]
            for row, value, printed in zip(rows, values, paper or [None] * len(rows), strict=True):
                row += [float(value)] if paper is None else [float(value), printed]
    return columns, rows


def training_size_table(study: Study) -> Table:
    """Table 4: accuracy by the number of training scans, with standard errors over runs."""
    sizes = list(study.smaller)
    columns = [
        "network",
        *(f"{each} of {size} scans" for size in sizes for each in ("accuracy", "SE")),
    ]
    columns += [f"paper {size}" for size in sizes]
    rows: list[list[Any]] = []
    for name in next(iter(study.smaller.values()))[0].decided:
        own: list[float] = []
        for runs in study.smaller.values():
            own += mean_and_standard_error(
                np.array([answers.right(name).mean() for answers in runs]), ddof=0
            )
        paper = published.BY_TRAINING.get(name, {}) if study.scans.sides else {}
        rows.append([name, *own, *(_share(paper.get(size)) for size in sizes)])
    return columns, rows


def answers_of(study: Study) -> list[Answers]:
    """Of every run."""
    return [run.answers for run in study.runs]


def right_of(study: Study, name: str) -> list[Bool[np.ndarray, " n"]]:
    """Whether a network is right about each test scan, for each run."""
    return [answers.right(name) for answers in answers_of(study)]


def units_of(study: Study) -> list[np.ndarray]:
    """Whom each test scan shows, for each run."""
    return [answers.units for answers in answers_of(study)]


def known_scores(study: Study, method: str, field: str) -> list[Float[np.ndarray, " n"]]:
    """A score of each explained scan whose truth is known, for each run."""
    return _of_known(study, method, field, lambda run: run.scores[method][field])


def known_units(study: Study, method: str, field: str) -> list[np.ndarray]:
    """Whom these scans show, for each run."""
    return _of_known(study, method, field, lambda run: run.units)


def _of_known(
    study: Study, method: str, field: str, values: Callable[[Any], np.ndarray]
) -> list[np.ndarray]:
    found = [run.detection for run in study.runs]
    return [values(each)[np.isfinite(each.scores[method][field])] for each in found]


def place_of(study: Study) -> str:
    """Which of the paper's sets the scans stand for."""
    return published.HEADS if study.scans.sides else published.CHESTS


def names_of(study: Study) -> set[str]:
    """The networks that were trained."""
    return {row.name for row in study.rows}


def controls_of(study: Study) -> Sequence[str]:
    """What the paper lacks among them."""
    return [row.name for row in GROUPS["controls"] if row.name in names_of(study)]


def _is_of_chests(study: Study) -> bool:
    return place_of(study) == published.CHESTS


def _balanced(answers: Answers, name: str) -> float:
    right = answers.right(name)
    return float(
        np.mean([right[answers.labels == each].mean() for each in np.unique(answers.labels)])
    )


def _mean_of_known(values: Float[np.ndarray, " n"]) -> float | None:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else None


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
