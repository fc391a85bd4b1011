"""The paper's tables, and what it leaves out."""

from typing import Any

import numpy as np

from cfx_jax.metrics import bootstrap_interval, compatibility_curve, rank_correlation
from experiments.presenter import Table
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT
from experiments.progressive_exaggeration.study import Measures, Study
from experiments.progressive_exaggeration.sweeps import OURS, Sweeps, spread

_RANGES = 5  # of the queries' own probability, one curve each
_FINEST = 1e-6  # mean square that images of 8 bits tell nothing below
_NOTHING = 1 / 255  # mean difference of extremes that images of 8 bits hardly show


def remarks(found: Sweeps, collapsed: float) -> str:
    """What is wrong with a method, in a few words: images that leave all bins alike turn one of the two decisions over."""
    share = min(float(found.crossed[found.decided == each].mean()) for each in (False, True))
    if float(spread(found).mean()) < _NOTHING:
        return "collapsed: all bins look alike"
    return f"collapsed: turns over {share:.0%} of one decision" if share < collapsed else "none"


def reach_table(study: Study) -> Table:
    """What each method reaches on the queries."""
    columns = ["method", "rank correlation", "error", "turned over", "PSNR own bin", "spread", "findings"]
    rows = []
    for each in study.sweeps:
        desired, achieved = np.asarray(each.found.desired), np.asarray(each.found.probabilities)
        error = np.abs(achieved - desired).mean(axis=1)
        rows.append(
            [
                each.name,
                float(rank_correlation(desired.ravel(), achieved.ravel())),
                bootstrap_interval(error),
                bootstrap_interval(each.crossed),
                bootstrap_interval(own_psnr(study, each)),
                float(spread(each).mean()),
                remarks(each, study.config.collapsed),
            ]
        )
    return columns, rows


def own_psnr(study: Study, found: Sweeps) -> np.ndarray:
    """PSNR of each query's drawing for its own bin, in decibels, at most 60."""
    squared = np.square(study.subject.queries.arrays["image"] - found.reconstructions, dtype=np.float64).mean((1, 2, 3))
    return -10 * np.log10(np.maximum(squared, _FINEST))


def compatibility_table(study: Study) -> Table:
    """Figure 3 in numbers: the mean probability reached, by that of the query and by the desired one."""
    found = study.sweeps[0].found
    own, desired = np.asarray(found.probability), np.asarray(found.desired)
    columns = ["query's probability", "queries", *(f"desired {each:.2f}" for each in desired[0])]
    rows: list[list[Any]] = []
    for low, high, chosen in ranges(own):
        if chosen.any():
            curve = compatibility_curve(desired[chosen].ravel(), np.asarray(found.probabilities)[chosen].ravel())
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
    columns = ["group", "method", "distance", "paper", "images", "reached", "halves of real"]
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
        verified = None if found.verified is None else bootstrap_interval(found.verified.mean(axis=1))
        rows.append(
            [
                each.name,
                bootstrap_interval(found.closeness.mean(axis=1)),
                printed[0],
                verified,
                printed[1],
                len(found.closeness),
            ]
        )
    return columns, rows


def measure_columns() -> list[str]:
    """Names of the cells of ``measure_cells``."""
    names = (PRESENT, ABSENT, OVERALL, "closeness", "verified")
    return [column for name in names for column in (name, f"paper {name}")]


def measure_cells(measures: Measures, paper: published.Row | None) -> list[Any]:
    """Tables 1 and 2 of the paper's method in one row, each beside the paper's, as Tables 5 and 6 print them."""
    identity, distances = measures.identity[OURS], measures.distances.found
    own: list[Any] = [distances[group, OURS].interval for group in (PRESENT, ABSENT, OVERALL)]
    own.append(bootstrap_interval(identity.closeness.mean(axis=1)))
    own.append(None if identity.verified is None else bootstrap_interval(identity.verified.mean(axis=1)))
    return [cell for pair in zip(own, paper or (None,) * len(own), strict=True) for cell in pair]


def label_table(study: Study) -> Table:
    """How well both classifiers know the labels."""
    columns = ["label", "AUC", "AUC of the second classifier", "share of test images"]
    shares = study.data.test.labels.mean(axis=0)
    rows = [list(row) for row in zip(study.data.names, study.subject.network.auc, study.judge.auc, shares, strict=True)]
    return columns, [[name, *map(float, numbers)] for name, *numbers in rows]
