"""The tables: ours, with the paper's figures below them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from experiments.charachon_shared import PAIRS, RANDOM, Quality, interval_cell
from experiments.shared import (
    LEVEL_COLUMNS,
    Level,
    Table,
    controls,
    find_level,
    level_cells,
    mean_cell,
)
from experiments.similar_adversarial import published
from experiments.similar_adversarial.boxes import Boxes
from experiments.similar_adversarial.compared_generators import NAIVE, OURS
from experiments.similar_adversarial.study import Study, nearest, with_averages

TABULATED = 90.0
"""The percentile of what is tabulated at one threshold alone."""
COMPARED = [*published.STATE_OF_THE_ART, OURS, RANDOM]
"""The methods of Tables VIII and IX, and the random map."""
AVERAGED = with_averages(published.AVERAGED_TOO)
"""The methods of Tables X and XI."""


def summary_tables(study: Study) -> Iterator[Table | str]:
    """The tables that are printed at the end of a run."""
    yield decisions_table(study)
    yield similarity_table(study)
    if study.marked is not None:
        yield overlap_table(study, COMPARED)
    yield f"AUC of the classifier: {study.setup.network.auc.estimate:.3f}."


def boxes_table(boxes: Boxes) -> Table:
    """Table III: how large the annotated boxes of the test images are."""
    rows: list[list[Any]] = [
        [prefix + name, *sizes]
        for prefix, statistics in (("", boxes.statistics()), ("paper: ", published.TABLE_3))
        for name, sizes in statistics.items()
    ]
    return ["boxes", "height (pixels)", "width (pixels)", "area (%)"], rows


def decisions_table(study: Study) -> Table:
    """Table IV: what the classifier says of generated images, and what is wrong with generators."""
    rows: list[list[Any]] = [
        [
            name,
            None if name == NAIVE else tuple(quality.auc_similar),
            tuple(quality.auc_adversarial),
            quality.kept.mean(),
            quality.turned.mean(),
            study.first.generators[name].remarks,
        ]
        for name, quality in study.first.quality.items()
    ]
    names = study.first.quality
    rows += [[f"paper: {name}", *published.TABLE_4[name], None, None, ""] for name in names]
    return ["generator", "AUC_s", "AUC_a", "kept", "turned", "remarks"], rows


def similarity_table(study: Study) -> Table:
    """Table V: how alike image, similar and adversarial image are."""
    columns = [f"{measure} {pair}" for pair in PAIRS for measure in ("SSIM", "PSNR")]

    def ours(name: str, quality: Quality) -> list[Any]:
        # The naive generator's similar image is the image itself.
        pairs = [pair for pair in PAIRS if name != NAIVE or pair == "x, x_a"]
        return [
            mean_cell(values[pair]) if pair in pairs else None
            for pair in PAIRS
            for values in (quality.ssim, quality.psnr)
        ]

    def paper(name: str) -> list[Any]:
        tables = (published.SSIM[name], published.PSNR[name])
        return [values[pair] for pair in PAIRS for values in tables]

    rows = [[name, *ours(name, quality)] for name, quality in study.first.quality.items()]
    rows += [[f"paper: {name}", *paper(name)] for name in study.first.quality]
    return ["generator", *columns], rows


def overlap_table(study: Study, names: Sequence[str]) -> Table:
    """Tables VI, VIII and X: IoU of some methods and the controls at every percentile.

    The level of a map is the level of its IoU at the percentile next to 90.
    """
    percentiles = study.setup.config.percentiles
    middle = nearest(percentiles, TABULATED)

    def ours(name: str) -> list[Any]:
        iou = study.first.localisation[name].iou
        cells = [interval_cell(iou[at], study.marked_groups) for at in percentiles]
        return [*cells, *level_cells(overlap_level(study, name, middle))]

    def paper(name: str) -> list[Any]:
        return [*(published.IOU[name].get(at) for at in percentiles), None, ""]

    columns = ["method", *(f"IoU {at:g}" for at in percentiles)]
    columns += [f"{name}, IoU {middle:g}" for name in LEVEL_COLUMNS]
    return columns, _rows(with_controls(study, names), ours, paper, published.IOU)


def with_controls(study: Study, names: Sequence[str]) -> list[str]:
    """Names of methods, then the names of the controls that were measured."""
    return [
        *names,
        *(
            name
            for name in (*controls.TRIVIAL, controls.CHANGE)
            if name in study.first.localisation
        ),
    ]


def overlap_level(study: Study, method: str, percentile: float) -> Level | None:
    """The level of a method's maps by their IoU at a percentile; None for a control."""
    scores = {name: made.iou[percentile] for name, made in study.first.localisation.items()}
    return find_level(method, scores, groups=study.marked_groups.names)


def area_level(study: Study, method: str) -> Level | None:
    """The level of a method's maps by the total area; None for a control."""
    scores = {name: made.auc for name, made in study.first.localisation.items()}
    return find_level(method, scores, groups=study.marked_groups.names)


def area_table(study: Study, names: Sequence[str], *, timed: bool) -> Table:
    """Tables VII, IX and XI: the areas under precision against recall.

    Where ``timed``, the seconds for one image follow.
    """

    def ours(name: str) -> list[Any]:
        localised, groups = study.first.localisation[name], study.marked_groups
        areas = (localised.auc, localised.partial_auc)
        cells: list[Any] = [interval_cell(area, groups) for area in areas]
        if timed:
            maps = study.first.maps
            cells.append(maps[name].seconds if name in maps else None)
        return [*cells, *level_cells(area_level(study, name))]

    def paper(name: str) -> list[Any]:
        areas = published.AUC.get(name, (None, None))
        return [*areas, *([published.SECONDS.get(name)] if timed else []), None, ""]

    known = {*published.AUC, *(published.SECONDS if timed else ())}
    columns = ["method", "total AUC", "partial AUC", *(["seconds"] if timed else [])]
    columns += [f"{name}, total AUC" for name in LEVEL_COLUMNS]
    return columns, _rows(with_controls(study, names), ours, paper, known)


def thresholded_table(study: Study, names: Sequence[str], percentile: float) -> Table:
    """Further measures of thresholded maps, and the IoU where the finding is detected."""
    assert study.marked is not None
    rows: list[list[Any]] = []
    for name in with_controls(study, names):
        localised = study.first.localisation[name]
        means = [localised.fdr, localised.recall, localised.kept]
        detected = localised.iou[percentile][study.marked.detected]
        values = [*(by_percentile[percentile] for by_percentile in means), detected]
        rows.append([name, *map(mean_cell, values)])
    return ["method", "FDR", "recall", "share kept", "IoU where right"], rows


def _rows(
    names: Sequence[str],
    ours: Callable[[str], list[Any]],
    paper: Callable[[str], list[Any]],
    known: Collection[str],
) -> list[list[Any]]:
    rows = [[name, *ours(name)] for name in names]
    return rows + [[f"paper: {name}", *paper(name)] for name in names if name in known]
