"""The tables: ours, with the paper's figures beside them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from cfx_jax.metrics import bootstrap_interval, paired_difference_interval
from experiments.charachon.localisation import Localisation
from experiments.charachon.quality import PAIRS, Quality
from experiments.path_attribution import published
from experiments.path_attribution.faithfulness import Faithfulness
from experiments.path_attribution.published import FDR, GROUPS, IOU, RANDOM
from experiments.path_attribution.study import Study
from experiments.shared.presenter import Table

_CHANGED = PAIRS[1]  # x, x_a


def localisation_table(task: str | None, study: Study) -> Table:
    """Table 1: IoU and FDR of every map at every percentile, with 95 % bootstrap intervals over
    images.
    """
    columns, groups = ["map"], study.explained.groups_of(study.explained.localised)
    kinds = [(measure, each) for measure in (IOU, FDR) for each in study.percentiles]
    for measure, percentile in kinds:
        columns += [f"{measure} {percentile:g}", f"paper {measure} {percentile:g}"]
    rows = []
    for method, found in study.localisation.items():
        row: list[Any] = [method]
        for measure, percentile in kinds:
            interval = bootstrap_interval(values_of(found, measure, percentile), groups=groups)
            row += [tuple(interval), published.localisation(task, measure, percentile).get(method)]
        rows.append(row)
    return columns, rows


def coverage_table(study: Study) -> Table:
    """What IoU and FDR leave out: recall, the share of pixels kept, and the area over all
    thresholds.
    """
    columns = ["map", "AUC_Loc", "partial AUC_Loc"]
    columns += [f"{name} {each:g}" for name in ("recall", "kept") for each in study.percentiles]
    rows: list[list[Any]] = []
    for method, found in study.localisation.items():
        values = [found.auc, found.partial_auc]
        values += [by[each] for by in (found.recall, found.kept) for each in study.percentiles]
        rows.append([method, *(float(each.mean()) for each in values)])
    return columns, rows


def values_of(found: Localisation, measure: str, percentile: float) -> np.ndarray:
    """IoU or FDR of each image (n,)."""
    return (found.iou if measure == IOU else found.fdr)[percentile]


def relevance_table(task: str | None, found: Faithfulness) -> Table:
    """Table 2: R of every method and group, with 95 % bootstrap intervals over images."""
    columns = ["map"]
    for group in GROUPS:
        columns += [f"R {group}", f"paper R {group}"]
    columns += ["degradation ALL", "preservation ALL"]
    rows = []
    for method, swept in found.sweeps.items():
        row: list[Any] = [method]
        for group in GROUPS:
            interval = found.relevance(method, group)
            row += [
                None if interval is None else tuple(interval),
                published.relevance(task, group).get(method),
            ]
        rows.append([*row, *map(float, swept.areas.mean(axis=0))])
    return columns, rows


def perturbation_table(found: Faithfulness, regions: Iterable[int]) -> Table:
    """The AOPC less that of random maps, up to several numbers of regions."""
    steps = dict.fromkeys(found.step_of(each) for each in regions)
    columns = ["map", *(f"AOPC less random, {found.regions[step]} regions" for step in steps)]
    rows = []
    for method in found.sweeps:
        own, chance = found.aopc(method), found.aopc(RANDOM)
        cells = [
            tuple(paired_difference_interval(own[:, step], chance[:, step], groups=found.groups))
            for step in steps
        ]
        rows.append([method, *([None] * len(cells) if method == RANDOM else cells)])
    return columns, rows


def generator_table(study: Study) -> Table:
    """What every generator reaches on all test images, and what is wrong with it on the validation
    images.
    """
    images = study.explained.images.arrays["image"]
    columns = [
        "generator",
        "turned",
        "kept",
        "AUC_a",
        "AUC_s",
        *(f"PSNR {each}" for each in PAIRS),
        "findings",
    ]
    rows: list[list[Any]] = []
    for each in study.generators:
        quality = study.quality[each.name]
        # Without an image x_s of its own x_s is x.
        own = not np.array_equal(study.pairs[each.name].similar, images)
        rows.append(
            [
                each.name,
                float(quality.turned.mean()),
                float(quality.kept.mean()) if own else None,
                tuple(quality.auc_adversarial),
                tuple(quality.auc_similar) if own else None,
                *(_mean(quality.psnr[pair]) if own or pair == _CHANGED else None for pair in PAIRS),
                each.remarks,
            ]
        )
    return columns, rows


def truth_table(study: Study, groups: np.ndarray | None = None) -> Table:
    """How near adversaries are to the true counterfactual: PSNR where either has a lesion, and
    elsewhere.

    Args:
        study: what was found.
        groups: the test images that are drawn together, or None.
    """
    columns = ["x_a of", "PSNR inside the lesion", "PSNR outside"]
    first = next(iter(study.quality.values()))
    rows: list[list[Any]] = [
        ["the image itself", _mean_interval(first.image_to_truth["inside"], groups), None]
    ]
    for name, quality in study.quality.items():
        rows.append(
            [
                name,
                *(_mean_interval(quality.to_truth[each], groups) for each in ("inside", "outside")),
            ]
        )
    return columns, rows


def has_truth(found: Quality) -> bool:
    """Whether true counterfactuals are known."""
    return bool(found.to_truth)


def residual_table(study: Study) -> Table:
    """How exact the integrals are: completeness residuals beside the changes of the score that they
    should sum up to.
    """
    rows: list[list[Any]] = []
    for name, found in study.paths.items():
        residual = np.abs(found.residual)
        rows.append(
            [
                name,
                float(np.abs(found.change).mean()),
                float(residual.mean()),
                float(residual.max()),
            ]
        )
    return ["path of", "mean |change of the score|", "mean |residual|", "largest |residual|"], rows


def _mean(values: np.ndarray) -> float | None:
    """Over the images where it is finite: without a lesion there is no PSNR inside of it."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _mean_interval(
    values: np.ndarray, groups: np.ndarray | None
) -> tuple[float, ...] | float | None:
    """Over the images where it is finite, drawn by group."""
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return _mean(values)
    return tuple(
        bootstrap_interval(values[finite], groups=None if groups is None else groups[finite])
    )
