"""The tables: ours, with the paper's figures beside them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from cfx_jax.metrics import bootstrap_interval, paired_difference_interval
from experiments.charachon_shared import PAIRS, RANDOM, Localisation
from experiments.path_attribution import published
from experiments.path_attribution.faithfulness import Faithfulness, NotMeasured
from experiments.path_attribution.study import Study
from experiments.shared import (
    LEVEL_COLUMNS,
    Level,
    Table,
    controls,
    find_level,
    level_cells,
    mean_cell,
)

_CHANGED = PAIRS[1]  # x, x_a


def summary_tables(study: Study) -> Iterator[Table]:
    """The tables that are printed at the end of a run."""
    yield generator_table(study)
    if study.localisation:
        yield localisation_table(study)
    if not isinstance(study.faithfulness, NotMeasured):
        yield relevance_table(study.task, study.faithfulness)


def localisation_table(study: Study) -> Table:
    """Table 1: IoU and FDR of every map at every percentile, with intervals over images.

    Beside them is the level of a map by its IoU, at every percentile.
    """
    groups = study.explained.groups.of(study.explained.localised).names
    kinds = [
        (measure, at) for measure in (published.IOU, published.FDR) for at in study.percentiles
    ]
    columns = ["map"]
    for measure, at in kinds:
        columns += [f"{measure} {at:g}", f"paper {measure} {at:g}"]
    for at in study.percentiles:
        columns += [f"{name}, {published.IOU} {at:g}" for name in LEVEL_COLUMNS]
    overlaps = {
        at: {name: values_of(of, published.IOU, at) for name, of in study.localisation.items()}
        for at in study.percentiles
    }
    rows = []
    for method, localised in study.localisation.items():
        row: list[Any] = [method]
        for measure, at in kinds:
            interval = bootstrap_interval(values_of(localised, measure, at), groups=groups)
            row += [tuple(interval), published.localisation(study.task, measure, at).get(method)]
        for at in study.percentiles:
            row += level_cells(find_level(method, overlaps[at], groups=groups))
        rows.append(row)
    return columns, rows


def values_of(localised: Localisation, measure: str, percentile: float) -> np.ndarray:
    """IoU or FDR of each image (n,)."""
    return (localised.iou if measure == published.IOU else localised.fdr)[percentile]


def coverage_table(study: Study) -> Table:
    """The measures beside IoU and FDR: recall, share of pixels kept, areas over all thresholds."""
    columns = ["map", "AUC_Loc", "partial AUC_Loc"]
    columns += [f"{name} {at:g}" for name in ("recall", "kept") for at in study.percentiles]
    rows: list[list[Any]] = []
    for method, localised in study.localisation.items():
        measures = (localised.recall, localised.kept)
        values = [localised.auc, localised.partial_auc]
        values += [measure[at] for measure in measures for at in study.percentiles]
        rows.append([method, *(float(value.mean()) for value in values)])
    return columns, rows


def relevance_table(task: str | None, faithfulness: Faithfulness) -> Table:
    """Table 2: R of every method and group, with 95 % bootstrap intervals over images."""
    columns = ["map"]
    for group in published.GROUPS:
        columns += [f"R {group}", f"paper R {group}"]
    columns += [
        "degradation ALL",
        "preservation ALL",
        *(f"{name}, R ALL" for name in LEVEL_COLUMNS),
    ]
    rows = []
    for method, swept in faithfulness.sweeps.items():
        row: list[Any] = [method]
        for group in published.GROUPS:
            interval = faithfulness.relevance(method, group)
            paper = published.relevance(task, group).get(method)
            row += [None if interval is None else tuple(interval), paper]
        cells = level_cells(relevance_level(faithfulness, method, published.GROUPS[0]))
        rows.append([*row, *map(float, swept.areas.mean(axis=0)), *cells])
    return columns, rows


def relevance_level(faithfulness: Faithfulness, method: str, group: str) -> Level | None:
    """The level of a map by R, on one group; None for a control, and where there are none."""
    measured = [name for name in controls.TRIVIAL if name in faithfulness.sweeps]
    if method in measured or not measured:
        return None
    lead = faithfulness.relevance_margin(method, measured, group)
    scores = {name: faithfulness.relevance(name, group) for name in (method, *measured)}
    known = {name: score.estimate for name, score in scores.items() if score is not None}
    if lead is None:
        return None
    best = max(measured, key=lambda name: known[name])
    return Level(method, best, known[method], known[best], lead)


def perturbation_level(faithfulness: Faithfulness, method: str) -> Level | None:
    """The level of a map by the AOPC over the full sweep; None for a control."""
    scores = {name: faithfulness.above_random(name)[:, -1] for name in faithfulness.sweeps}
    return find_level(method, scores, groups=faithfulness.groups.names)


def perturbation_table(faithfulness: Faithfulness, regions: Iterable[int]) -> Table:
    """The AOPC less the AOPC of random maps, up to several numbers of regions."""
    steps = dict.fromkeys(faithfulness.step_of(number) for number in regions)
    columns = [f"AOPC less random, {faithfulness.regions[step]} regions" for step in steps]
    chance, groups, rows = faithfulness.aopc(RANDOM), faithfulness.groups.names, []
    for method in faithfulness.sweeps:
        aopc = faithfulness.aopc(method)
        cells = [
            tuple(paired_difference_interval(aopc[:, step], chance[:, step], groups=groups))
            for step in steps
        ]
        level = None if method == RANDOM else perturbation_level(faithfulness, method)
        rows.append(
            [method, *([None] * len(cells) if method == RANDOM else cells), *level_cells(level)]
        )
    return ["map", *columns, *(f"{name}, all regions" for name in LEVEL_COLUMNS)], rows


def generator_table(study: Study) -> Table:
    """The quality of every generator on the test images, and what is wrong with it."""
    images = study.explained.images.arrays["image"]
    columns = ["generator", "turned", "kept", "AUC_a", "AUC_s"]
    columns += [*(f"PSNR {pair}" for pair in PAIRS), "findings"]
    rows: list[list[Any]] = []
    for generator in study.generators:
        quality = study.quality[generator.name]
        # A method without a similar image x_s has the image x itself in its place.
        has_similar = not np.array_equal(study.pairs[generator.name].similar, images)
        rows.append(
            [
                generator.name,
                float(quality.turned.mean()),
                float(quality.kept.mean()) if has_similar else None,
                tuple(quality.auc_adversarial),
                tuple(quality.auc_similar) if has_similar else None,
                *(
                    mean_cell(quality.psnr[pair]) if has_similar or pair == _CHANGED else None
                    for pair in PAIRS
                ),
                generator.remarks,
            ]
        )
    return columns, rows


def residual_table(study: Study) -> Table:
    """The exactness of integrals: residuals beside the changes of the score, their sums."""
    rows: list[list[Any]] = []
    for name, path in study.paths.items():
        residual = np.abs(path.residual)
        change = float(np.abs(path.change).mean())
        rows.append([name, change, float(residual.mean()), float(residual.max())])
    return ["path of", "mean |change of the score|", "mean |residual|", "largest |residual|"], rows
