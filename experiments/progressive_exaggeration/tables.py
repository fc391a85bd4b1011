"""The paper's tables, and further ones that it leaves out."""

from typing import Any

import numpy as np

from cfx_jax.metrics import bootstrap_interval, compatibility_curve, reliability_curve
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.label_study import (
    LabelStudy,
    correlation,
    own_psnr,
    ranges,
    remarks,
    share_of,
    spread,
)
from experiments.progressive_exaggeration.study import Study
from experiments.shared import Table


def summary_tables(study: Study) -> list[Table]:
    """The tables that a run prints: what is reached, Table 1 and Table 2."""
    label = study.label
    return [reach_table(label), distance_table(label), identity_table(label)]


def reach_table(study: LabelStudy) -> Table:
    """The probabilities and decisions that each method reaches on the queries."""
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
    for sweeps in study.sweeps:
        series = sweeps.series
        desired, achieved = np.asarray(series.desired), np.asarray(series.probabilities)
        error = np.abs(achieved - desired).mean(axis=1)
        rows.append(
            [
                sweeps.name,
                correlation(desired, achieved, groups),
                bootstrap_interval(error, groups=groups, bounds=(0, 1)),
                bootstrap_interval(sweeps.crossed, groups=groups),
                bootstrap_interval(own_psnr(study.subject.queries, sweeps), groups=groups),
                float(spread(sweeps).mean()),
                remarks(sweeps, study.setup.config.collapsed),
            ]
        )
    return columns, rows


def compatibility_table(study: LabelStudy) -> Table:
    """Figure 3 in numbers: the mean probability reached, by the query's and by the desired one."""
    series = study.sweeps[0].series
    probability, desired = np.asarray(series.probability), np.asarray(series.desired)
    columns = ["query's probability", "queries", *(f"desired {value:.2f}" for value in desired[0])]
    rows: list[list[Any]] = []
    for low, high, chosen in ranges(probability):
        if chosen.any():
            curve = compatibility_curve(
                desired[chosen].ravel(), np.asarray(series.probabilities)[chosen].ravel()
            )
            rows.append([f"{low:.1f} to {high:.1f}", int(chosen.sum()), *map(float, curve.mean)])
    seen = study.seen_by_judge.mean(axis=0)
    rows.append(["all, by the second classifier", len(probability), *map(float, seen)])
    return columns, rows


def distance_table(study: LabelStudy) -> Table:
    """Table 1: Fréchet distances by group and method."""
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
    for group in published.GROUPS:
        paper = published.distances(study.data.label, group)
        for number, sweeps in enumerate(study.sweeps):
            distance = study.measures.distances.cells[group, sweeps.name]
            printed = None if paper is None else paper[1 - number]
            rows.append(
                [
                    group,
                    sweeps.name,
                    distance.interval,
                    printed,
                    distance.num_images,
                    distance.num_units,
                    distance.reached,
                    study.measures.distances.real[group],
                ]
            )
    return columns, rows


def identity_table(study: LabelStudy) -> Table:
    """Table 2: closeness and verification by method."""
    columns = ["method", "closeness", "paper closeness", "verified", "paper verified", "queries"]
    papers = published.closeness(study.data.label), published.verification(study.data.label)
    rows = []
    for number, sweeps in enumerate(study.sweeps):
        identity = study.measures.identity[sweeps.name]
        printed = [None if paper is None else paper[1 - number] for paper in papers]
        rows.append(
            [
                sweeps.name,
                share_of(identity.closeness, study.subject.groups),
                printed[0],
                None
                if identity.verified is None
                else share_of(identity.verified, study.subject.groups),
                printed[1],
                len(identity.closeness),
            ]
        )
    return columns, rows


def label_table(study: LabelStudy) -> Table:
    """The accuracy of both classifiers on their labels."""
    columns = ["label", "AUC", "AUC of the second classifier", "share of test images"]
    shares = study.data.test.labels.mean(axis=0)
    rows = [
        list(row)
        for row in zip(
            study.data.names, study.subject.network.auc, study.judge.auc, shares, strict=True
        )
    ]
    return columns, [[name, *map(float, numbers)] for name, *numbers in rows]


def reliability_table(study: LabelStudy) -> Table:
    """The share of test images with the explained label, by the classifier's probability of it."""
    subject = study.subject
    truth = study.data.test.labels[:, subject.label]
    reliability = reliability_curve(
        subject.probability, truth == 1, num_bins=study.setup.config.explainer.num_bins
    )
    edges = np.linspace(0, 1, len(reliability.num_images) + 1)
    rows: list[list[Any]] = [
        [
            f"{low:.2f} to {high:.2f}",
            int(number),
            *(float(share) if number else None for share in (stated, observed)),
        ]
        for low, high, number, stated, observed in zip(
            edges,
            edges[1:],
            reliability.num_images,
            reliability.stated,
            reliability.observed,
            strict=False,
        )
    ]
    return ["probability", "test images", "mean probability", "share with the label"], rows
