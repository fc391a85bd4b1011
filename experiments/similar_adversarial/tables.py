"""The tables: ours, with the paper's figures below them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval
from experiments.charachon.attributions import RANDOM
from experiments.charachon.quality import PAIRS, Quality
from experiments.shared.presenter import Table
from experiments.similar_adversarial import published
from experiments.similar_adversarial.boxes import Boxes
from experiments.similar_adversarial.rows import NAIVE, OURS
from experiments.similar_adversarial.study import Localised, Study, with_averages

AREAS = ("total AUC", "partial AUC")


def boxes_table(boxes: Boxes) -> Table:
    """Table III: how large the annotated boxes of the test images are."""
    rows: list[list[Any]] = [
        [prefix + name, *row]
        for prefix, statistics in (("", boxes.statistics()), ("paper: ", published.TABLE_3))
        for name, row in statistics.items()
    ]
    return ["boxes", "height (pixels)", "width (pixels)", "area (%)"], rows


def decisions_table(study: Study) -> Table:
    """Table IV: what the classifier says of the generated images, and what is wrong with the
    generators.
    """
    rows: list[list[Any]] = [
        [
            name,
            None if name == NAIVE else tuple(each.auc_similar),
            tuple(each.auc_adversarial),
            each.kept.mean(),
            each.turned.mean(),
            study.generators[name].remarks,
        ]
        for name, each in study.quality.items()
    ]
    rows += [[f"paper: {name}", *published.TABLE_4[name], None, None, ""] for name in study.quality]
    return ["generator", "AUC_s", "AUC_a", "kept", "turned", "remarks"], rows


def similarity_table(study: Study) -> Table:
    """Table V: how alike image, similar and adversarial image are."""
    columns = [f"{measure} {pair}" for pair in PAIRS for measure in ("SSIM", "PSNR")]

    def ours(name: str, quality: Quality) -> list[Any]:
        # The naive generator's similar image is the image itself.
        pairs = [pair for pair in PAIRS if name != NAIVE or pair == "x, x_a"]
        return [
            _mean(values[pair]) if pair in pairs else None
            for pair in PAIRS
            for values in (quality.ssim, quality.psnr)
        ]

    rows = [[name, *ours(name, each)] for name, each in study.quality.items()]
    rows += [
        [
            f"paper: {name}",
            *(
                values[pair]
                for pair in PAIRS
                for values in (published.SSIM[name], published.PSNR[name])
            ),
        ]
        for name in study.quality
    ]
    return ["generator", *columns], rows


def truth_table(study: Study) -> Table | None:
    """How near adversarial images come to the true counterfactuals; None where none are known."""
    if not study.quality[OURS].to_truth:
        return None
    rows: list[list[Any]] = [
        [name, *(_interval(each.to_truth[part], study.groups) for part in ("inside", "outside"))]
        for name, each in study.quality.items()
    ]
    rows.append(
        [
            "the image itself",
            _interval(study.quality[OURS].image_to_truth["inside"], study.groups),
            None,
        ]
    )
    return ["generator", "PSNR inside", "PSNR outside"], rows


def overlap_table(
    localised: Localised, names: Sequence[str], percentiles: Sequence[float]
) -> Table:
    """Tables VI, VIII and X: IoU of some methods at every percentile."""

    def ours(name: str) -> list[Any]:
        return [
            _interval(localised.found[name].iou[each], localised.groups) for each in percentiles
        ]

    def paper(name: str) -> list[Any]:
        return [published.IOU[name].get(each) for each in percentiles]

    rows = _rows(names, ours, paper, published.IOU)
    return ["method", *(f"IoU {each:g}" for each in percentiles)], rows


def area_table(localised: Localised, names: Sequence[str], *, timed: bool) -> Table:
    """Tables VII, IX and XI: the areas under precision against recall, and where ``timed`` seconds
    for one image.
    """

    def ours(name: str) -> list[Any]:
        found = localised.found[name]
        areas = [_interval(each, localised.groups) for each in (found.auc, found.partial_auc)]
        return [*areas, localised.maps[name].seconds] if timed else areas

    def paper(name: str) -> list[Any]:
        areas = [*published.AUC.get(name, (None, None))]
        return [*areas, published.SECONDS.get(name)] if timed else areas

    known = {*published.AUC, *(published.SECONDS if timed else ())}
    return ["method", *AREAS, *(["seconds"] if timed else [])], _rows(names, ours, paper, known)


def thresholded_table(localised: Localised, names: Sequence[str], percentile: float) -> Table:
    """What else there is to know of the thresholded maps, and the IoU where the classifier is
    right.
    """
    rows: list[list[Any]] = []
    for name in names:
        found = localised.found[name]
        counted = (found.fdr, found.recall, found.kept)
        right = found.iou[percentile][localised.right]
        means = [_mean(each[percentile]) for each in counted]
        rows.append([name, *means, _mean(right) if len(right) else None])
    return ["method", "FDR", "recall", "share kept", "IoU where right"], rows


def compared_names() -> list[str]:
    """The methods of Tables VIII and IX, and the random map."""
    return [*published.STATE_OF_THE_ART, OURS, RANDOM]


def averaged_names() -> list[str]:
    """The methods of Tables X and XI."""
    return with_averages(published.AVERAGED_TOO)


def _rows(
    names: Sequence[str],
    ours: Callable[[str], list[Any]],
    paper: Callable[[str], list[Any]],
    known: Any,
) -> list[list[Any]]:
    rows = [[name, *ours(name)] for name in names]
    return rows + [[f"paper: {name}", *paper(name)] for name in names if name in known]


def _interval(
    values: Float[np.ndarray, " n"], groups: np.ndarray | None = None
) -> tuple[float, ...] | None:
    """The mean over images with its interval; those where it is not defined are left out."""
    defined = np.isfinite(values)
    if defined.sum() < 2:
        return None
    return tuple(
        bootstrap_interval(values[defined], groups=None if groups is None else groups[defined])
    )


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(np.nanmean(values))
