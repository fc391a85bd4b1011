"""The tables of the chapter."""

from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from experiments.progressive_exaggeration.chapters.heart.group_comparisons import (
    GROUPS,
    PUBLISHED,
    comparisons,
    groups,
)
from experiments.progressive_exaggeration.chapters.heart.organ_masks import ORGANS
from experiments.progressive_exaggeration.chapters.heart.size_statistics import (
    AllSeries,
    correlation,
    correlation_per_query,
    errors,
    interval_of,
    spoken,
)
from experiments.shared import Table


def size_table(series: AllSeries, num_queries: int) -> Table:
    """How sizes follow the condition, and how far they are from what they should be."""
    columns = [
        "hearts",
        "size",
        "rank correlation",
        "within queries",
        "error",
        "error of queries",
        "error of the way",
    ]
    rows = []
    for (way, measure), sizes in series.items():
        off = errors(sizes)
        figures = [correlation(sizes), correlation_per_query(sizes), *map(interval_of, off)]
        rows.append([way, spoken(measure), *figures, len(off.query), num_queries - sizes.number])
    return [*columns, "decided rightly", "left out"], rows


def bin_table(series: AllSeries, desired: Float[np.ndarray, " k"]) -> Table:
    """Figure 4a in numbers: the mean size for each desired probability."""
    columns = ["hearts", "size", *(f"desired {value:.2f}" for value in desired)]
    rows = [
        [
            way,
            spoken(measure),
            *(sizes.explanations.mean(axis=0).tolist() if sizes.number else [None] * len(desired)),
        ]
        for (way, measure), sizes in series.items()
    ]
    return columns, rows


def group_table(series: AllSeries) -> Table:
    """Figure 4b in numbers: mean and standard deviation of the sizes in each group."""
    by_column = {
        f"{spoken(measure)}, {way}": groups(sizes) for (way, measure), sizes in series.items()
    }
    rows = []
    for name in GROUPS:
        cells = [
            (float(sizes[name].mean()), float(sizes[name].std())) if len(sizes[name]) else None
            for sizes in by_column.values()
        ]
        rows.append([name, max(len(sizes[name]) for sizes in by_column.values()), *cells])
    return ["group", "images", *by_column], rows


def comparison_table(series: AllSeries, measure: str) -> Table:
    """The paper's t-tests between the groups, by one measure of size."""
    columns = [
        "hearts",
        "first",
        "second",
        "test",
        "t",
        "df",
        "p",
        "Cohen's d",
        "images",
        "paper's p",
    ]
    rows: list[list[Any]] = []
    for (way, name), sizes in series.items():
        if name != measure:
            continue
        for first, second, kind, test in comparisons(sizes):
            numbers = (
                [None] * 5 if test is None else [*test[:4], " and ".join(map(str, test.num_images))]
            )
            rows.append([way, first, second, kind, *numbers, PUBLISHED[first, second]])
    return columns, rows


def dice_table(dice: Float[np.ndarray, "m 2"]) -> Table:
    """How well the segmentation finds the organs of test images."""
    rows = [
        [organ, bootstrap_interval(dice[:, number], bounds=(0, 1)), len(dice)]
        for number, organ in enumerate(ORGANS)
    ]
    return ["organ", "Dice", "test images"], rows
