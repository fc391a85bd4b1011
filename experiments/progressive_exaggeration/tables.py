"""The paper's tables, and what it leaves out."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cfx_jax.metrics import (
    Interval,
    bootstrap_interval,
    compatibility_curve,
    psnr_of_mse,
    rank_correlation,
    reliability_curve,
)
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT
from experiments.progressive_exaggeration.study import Measures, Study
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps, spread
from experiments.shared.presenter import Table

_RANGES = 5  # of the queries' own probability, one curve each
_FINEST = 1e-6  # mean square that images of 8 bits tell nothing below
_CORRELATIONS = 200  # draws of queries, each of thousands of pairs
_NOTHING = 1 / 255  # mean difference of extremes that images of 8 bits hardly show


def remarks(found: Sweeps, collapsed: float) -> str:
    """What is wrong with a method, in a few words: images that leave all bins alike turn one of the
    two decisions over.
    """
    share = min(float(found.crossed[found.decided == each].mean()) for each in (False, True))
    if float(spread(found).mean()) < _NOTHING:
        return "collapsed: all bins look alike"
    return f"collapsed: turns over {share:.0%} of one decision" if share < collapsed else "none"


def reach_table(study: Study) -> Table:
    """What each method reaches on the queries."""
    columns = [
        "method",
        "rank correlation",
        "error",
        "turned over",
        "PSNR own bin",
        "spread",
        "findings",
    ]
    rows: list[list[Any]] = []
    groups = study.subject.groups
    for each in study.sweeps:
        desired, achieved = np.asarray(each.found.desired), np.asarray(each.found.probabilities)
        error = np.abs(achieved - desired).mean(axis=1)
        rows.append(
            [
                each.name,
                correlation(desired, achieved, groups),
                bootstrap_interval(error, groups=groups, bounds=(0, 1)),
                bootstrap_interval(each.crossed, groups=groups),
                bootstrap_interval(own_psnr(study, each), groups=groups),
                float(spread(each).mean()),
                remarks(each, study.config.collapsed),
            ]
        )
    return columns, rows


def correlation(
    desired: Float[np.ndarray, "n k"],
    achieved: Float[np.ndarray, "n k"],
    groups: Shaped[np.ndarray, " n"] | None,
) -> Interval:
    """Spearman's correlation of desired and achieved probability over all pairs; queries are drawn
    with all of theirs.
    """
    pairs = np.stack([desired, achieved], axis=-1)
    return bootstrap_interval(
        pairs, statistic=_correlation, num_resamples=_CORRELATIONS, groups=groups
    )


def _correlation(pairs: Float[np.ndarray, "n k 2"]) -> float:
    """0 where all that is achieved is alike."""
    return float(np.nan_to_num(rank_correlation(pairs[..., 0].ravel(), pairs[..., 1].ravel())))


def own_psnr(study: Study, found: Sweeps) -> np.ndarray:
    """PSNR of each query's drawing for its own bin, in decibels, at most 60."""
    squared = [
        np.square(study.subject.queries.read(rows) - drawn, dtype=np.float64).mean((1, 2, 3))
        for rows, drawn in found.drawn(np.asarray(found.found.source_bin))
    ]
    return psnr_of_mse(np.maximum(np.concatenate(squared), _FINEST))


def compatibility_table(study: Study) -> Table:
    """Figure 3 in numbers: the mean probability reached, by that of the query and by the desired
    one.
    """
    found = study.sweeps[0].found
    own, desired = np.asarray(found.probability), np.asarray(found.desired)
    columns = ["query's probability", "queries", *(f"desired {each:.2f}" for each in desired[0])]
    rows: list[list[Any]] = []
    for low, high, chosen in ranges(own):
        if chosen.any():
            curve = compatibility_curve(
                desired[chosen].ravel(), np.asarray(found.probabilities)[chosen].ravel()
            )
            rows.append([f"{low:.1f} to {high:.1f}", int(chosen.sum()), *map(float, curve.mean)])
    seen = study.seen_by_judge.mean(axis=0)
    rows.append(["all, by the second classifier", len(own), *map(float, seen)])
    return columns, rows


def ranges(probability: np.ndarray) -> list[tuple[float, float, np.ndarray]]:
    """The paper's ranges of the queries' own probability, with whom is in each."""
    which = np.minimum((probability * _RANGES).astype(int), _RANGES - 1)
    return [(each / _RANGES, (each + 1) / _RANGES, which == each) for each in range(_RANGES)]


def distance_table(study: Study) -> Table:
    """Table 1."""
    columns = [
        "group",
        "method",
        "distance",
        "paper",
        "images",
        "of queries",
        "reached",
        "halves of real",
    ]
    rows = []
    for group in GROUPS:
        paper = published.distances(study.data.label, group)
        for number, each in enumerate(study.sweeps):
            found = study.measures.distances.found[group, each.name]
            printed = None if paper is None else paper[1 - number]
            rows.append(
                [
                    group,
                    each.name,
                    found.interval,
                    printed,
                    found.num_images,
                    found.num_units,
                    found.reached,
                    study.measures.distances.real[group],
                ]
            )
    return columns, rows


def identity_table(study: Study) -> Table:
    """Table 2."""
    columns = ["method", "closeness", "paper closeness", "verified", "paper verified", "queries"]
    papers = published.closeness(study.data.label), published.verification(study.data.label)
    rows = []
    for number, each in enumerate(study.sweeps):
        found = study.measures.identity[each.name]
        printed = [None if paper is None else paper[1 - number] for paper in papers]
        rows.append(
            [
                each.name,
                share_of(found.closeness, study.subject.groups),
                printed[0],
                None if found.verified is None else share_of(found.verified, study.subject.groups),
                printed[1],
                len(found.closeness),
            ]
        )
    return columns, rows


def share_of(answers: Bool[np.ndarray, "n k"], groups: Shaped[np.ndarray, " n"] | None) -> Interval:
    """The share of yes over all bins, with its interval over queries, or over groups of queries
    that are drawn together.
    """
    return bootstrap_interval(answers.mean(axis=1), groups=groups, bounds=(0, 1))


def measure_columns() -> list[str]:
    """Names of the cells of ``measure_cells``."""
    names = (PRESENT, ABSENT, OVERALL, "closeness", "verified")
    return [column for name in names for column in (name, f"paper {name}")]


def measure_cells(measures: Measures, paper: published.Row | None) -> list[Any]:
    """Tables 1 and 2 of the paper's method in one row, each beside the paper's, as Tables 5 and 6
    print them.
    """
    identity, distances = measures.identity[OURS], measures.distances.found
    own: list[Any] = [distances[group, OURS].interval for group in (PRESENT, ABSENT, OVERALL)]
    own.append(share_of(identity.closeness, measures.groups))
    own.append(None if identity.verified is None else share_of(identity.verified, measures.groups))
    return [cell for pair in zip(own, paper or (None,) * len(own), strict=True) for cell in pair]


def label_table(study: Study) -> Table:
    """How well both classifiers know their labels."""
    columns = ["label", "AUC", "AUC of the second classifier", "share of test images"]
    shares = study.data.test.labels.mean(axis=0)
    rows = [
        list(row)
        for row in zip(
            study.data.names, study.subject.network.auc, study.judge.auc, shares, strict=True
        )
    ]
    return columns, [[name, *map(float, numbers)] for name, *numbers in rows]


def reliability_table(study: Study) -> Table:
    """How often the explained label is there where the classifier says so with a probability, on
    the test images.
    """
    subject = study.subject
    truth = study.data.test.labels[:, subject.label]
    found = reliability_curve(
        subject.probability, truth == 1, num_bins=study.config.explainer.num_bins
    )
    edges = np.linspace(0, 1, len(found.num_images) + 1)
    rows: list[list[Any]] = [
        [
            f"{low:.2f} to {high:.2f}",
            int(number),
            *(float(each) if number else None for each in (stated, observed)),
        ]
        for low, high, number, stated, observed in zip(
            edges, edges[1:], found.num_images, found.stated, found.observed, strict=False
        )
    ]
    return ["probability", "test images", "mean probability", "share with the label"], rows
