"""The tables of the chapter."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import HeartSize, bootstrap_interval
from experiments.progressive_exaggeration.heart.groups import GROUPS, PUBLISHED, comparisons, groups
from experiments.progressive_exaggeration.heart.masks import ORGANS
from experiments.progressive_exaggeration.heart.series import (
    Series,
    correlation,
    correlation_per_query,
    errors,
    interval_of,
)
from experiments.shared.presenter import Table

AllSeries = Mapping[tuple[str, str], Series]
"""By way of finding the heart and measure of its size, without gaps."""

MEASURES = HeartSize._fields


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
    for (way, measure), each in series.items():
        off = errors(each)
        figures = [correlation(each), correlation_per_query(each), *map(interval_of, off)]
        rows.append([way, spoken(measure), *figures, len(off.query), num_queries - each.number])
    return [*columns, "decided rightly", "left out"], rows


def bin_table(series: AllSeries, desired: Float[np.ndarray, " k"]) -> Table:
    """Figure 4a in numbers: the mean size for each desired probability."""
    columns = ["hearts", "size", *(f"desired {each:.2f}" for each in desired)]
    rows = [
        [
            way,
            spoken(measure),
            *(each.explanations.mean(axis=0).tolist() if each.number else [None] * len(desired)),
        ]
        for (way, measure), each in series.items()
    ]
    return columns, rows


def group_table(series: AllSeries) -> Table:
    """Figure 4b in numbers: mean and standard deviation of the sizes in each group."""
    found = {f"{spoken(measure)}, {way}": groups(each) for (way, measure), each in series.items()}
    rows = []
    for name in GROUPS:
        cells = [
            (float(each[name].mean()), float(each[name].std())) if len(each[name]) else None
            for each in found.values()
        ]
        rows.append([name, max(len(each[name]) for each in found.values()), *cells])
    return ["group", "images", *found], rows


def comparison_table(series: AllSeries, measure: str) -> Table:
    """The paper's t-tests."""
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
    for (way, each_measure), each in series.items():
        if each_measure != measure:
            continue
        for first, second, kind, found in comparisons(each):
            numbers = (
                [None] * 5
                if found is None
                else [*found[:4], " and ".join(map(str, found.num_images))]
            )
            rows.append([way, first, second, kind, *numbers, PUBLISHED[first, second]])
    return columns, rows


def dice_table(dice: Float[np.ndarray, "m 2"]) -> Table:
    """How well the segmentation finds the organs of test images."""
    rows = [
        [organ, bootstrap_interval(dice[:, each], bounds=(0, 1)), len(dice)]
        for each, organ in enumerate(ORGANS)
    ]
    return ["organ", "Dice", "test images"], rows


def spoken(measure: str) -> str:
    """The name of a measure in words."""
    return measure.replace("_", " ")
