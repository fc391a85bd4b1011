"""The orderings of the paper that this data can test (method card, section 8), with intervals over images."""

import math

import numpy as np

from cfx_jax.metrics.statistics import paired_difference_interval
from cfx_jax.report import Claim, verdict
from experiments.fundus_vce.explain import Localised
from experiments.stages import Arrays

_PAPER = {
    "accuracy": {"plain": 89.5, "robust": 78.4, "ensemble": 89.7},
    "robust": {"plain": 15.2, "robust": 66.6, "ensemble": 19.4},
}
_PAPER_IOU = {
    "GBP": (0.09, 0.15),
    "IG": (0.08, 0.14),
    "VCE l1.5": (0.07, 0.13),
    "VCE l2": (0.07, 0.12),
    "VCE l4": (0.07, 0.12),
}


def claims(evaluation: Arrays, localised: Localised | None, note: str) -> list[Claim]:
    """The claims of Tables 1 and 2.

    Args:
        evaluation: from ``evaluate``.
        localised: from ``localise``; None where the data have no lesion masks.
        note: about the data, kept with every claim.
    """
    found = [
        _claim("1", "The ensemble is as accurate as the plain model, within 2 points.", evaluation, "correct",
               ("ensemble", "plain"), note, minimum=-0.02),
        _claim("2a", "The robust model is far more robust than the ensemble.", evaluation, "robust",
               ("robust", "ensemble"), note, minimum=0.2),
        _claim("2b", "The ensemble is more robust than the plain model.", evaluation, "robust",
               ("ensemble", "plain"), note, minimum=0.0),
        _claim("3", "The robust model is less accurate than the plain model.", evaluation, "correct",
               ("plain", "robust"), note, minimum=0.0),
    ]  # fmt: skip
    if localised is not None:
        found += [
            _overlap(localised, method, better, note)
            for better in ("robust", "ensemble")
            for method in localised.methods
        ]
    return found


def _claim(
    name: str, text: str, evaluation: Arrays, kind: str, pair: tuple[str, str], note: str, *, minimum: float
) -> Claim:
    first, second = (evaluation[f"{kind}_{each}"].astype(float) for each in pair)
    interval = paired_difference_interval(first, second)
    paper = _PAPER["accuracy" if kind == "correct" else "robust"]
    measured = "accuracy" if kind == "correct" else "robust accuracy"
    return Claim(
        id=name,
        text=text,
        paper={each: paper[each] / 100 for each in pair},
        ours={each: float(np.mean(values)) for each, values in zip(pair, (first, second), strict=True)},
        interval=interval,
        verdict=verdict(interval, minimum=minimum, strict=minimum >= 0),
        statistic=f"{measured}, {pair[0]} minus {pair[1]}, paired over {len(first)} images; claimed: above {minimum:g}",
        note=note,
    )


def _overlap(localised: Localised, method: str, better: str, note: str) -> Claim:
    first, second = localised.iou[better, method], localised.iou["plain", method]
    both = ~(np.isnan(first) | np.isnan(second))
    interval = paired_difference_interval(first[both], second[both])
    plain, robust = _PAPER_IOU.get(method, (math.nan, math.nan))
    return Claim(
        id=f"4 {method} {better}",
        text=f"{method} maps of the {better} model overlap the lesions more than those of the plain model.",
        paper={"plain": plain, better: robust},
        ours={"plain": float(second[both].mean()), better: float(first[both].mean())},
        interval=interval,
        verdict=verdict(interval, minimum=0.0, strict=True),
        statistic=f"IoU, {better} minus plain, paired over {int(both.sum())} images",
        note=note,
    )
