"""How a claim compares two methods or two ways to train, and the interval that settles it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval, interval_over_runs, roc_auc
from cfx_jax.report import Claim
from cfx_jax.report.claims import Kind
from experiments.charachon import RANDOM, Localisation, Quality, least_claim
from experiments.shared import claim, counted, paired_claim, runs_claim
from experiments.similar_adversarial import published
from experiments.similar_adversarial.rows import OURS
from experiments.similar_adversarial.study import Marked, Study

ALIKE = 0.01
"""Difference of two IoUs that are called equal."""

_FASTER = 10.0  # "orders of magnitude"
_FEWEST_TIMINGS = 6  # as ``metrics.bootstrap_interval`` asks of images


class Lead(NamedTuple):
    """How far one method leads another, in the IoU at several percentiles and in both areas.

    Attributes:
        better, worse: the two methods.
        percentiles: at which maps are thresholded.
        areas: whether the areas under precision against recall count too.
    """

    better: str
    worse: str
    percentiles: Sequence[float]
    areas: bool = True

    @property
    def measures(self) -> list[str]:
        """The names of the m measures."""
        areas = ["total AUC", "partial AUC"] if self.areas else []
        return [*(f"IoU {at:g}" for at in self.percentiles), *areas]

    @property
    def printed(self) -> dict[str, float]:
        """The leads that the paper prints, by measure."""
        both = zip(*(self._printed(name) for name in (self.better, self.worse)), strict=True)
        return {
            measure: round(first - second, 3)
            for measure, (first, second) in zip(self.measures, both, strict=True)
            if first is not None and second is not None
        }

    def of(self, localisation: Mapping[str, Localisation]) -> Float[np.ndarray, "n m"]:
        """The lead in each of n images and m measures."""
        better, worse = (self._values(localisation[name]) for name in (self.better, self.worse))
        return better - worse

    def _printed(self, name: str) -> list[float | None]:
        areas = published.AUC.get(name, (None, None)) if self.areas else ()
        return [*map(published.IOU[name].get, self.percentiles), *areas]

    def _values(self, localised: Localisation) -> Float[np.ndarray, "n m"]:
        areas = [localised.auc, localised.partial_auc] if self.areas else []
        return np.stack([*(localised.iou[at] for at in self.percentiles), *areas], axis=1)


def map_claim(
    study: Study, name: str, lead: Lead, text: str, place: str, kind: Kind = "statement"
) -> Claim:
    """A claim that the maps of one method are better in every measure, over images."""
    leads, marked = lead.of(study.first.localisation), _marked(study)
    return least_claim(
        name,
        text,
        lead.printed,
        dict(zip(lead.measures, leads.mean(axis=0).tolist(), strict=True)),
        leads,
        f"least of the mean differences, {lead.better} minus {lead.worse}",
        groups=marked.groups,
        group_unit=marked.images.group_unit,
        unit="annotated test images",
        kind=kind,
        place=place,
        minimum=0.0,
        strict=True,
    )


def overlap_claim(
    study: Study,
    name: str,
    methods: tuple[str, str],
    percentile: float,
    text: str,
    place: str,
    kind: Kind = "statement",
    *,
    to: float | None = None,
) -> Claim:
    """A claim about the IoU of two methods at one percentile, over images.

    The first method has the higher IoU, or with ``to`` one that differs by no more than that.
    """
    bounds = {"minimum": 0.0, "strict": True} if to is None else {"minimum": -to, "maximum": to}
    return _paired_claim(
        study,
        name,
        text,
        {method: published.IOU[method].get(percentile) for method in methods},
        {method: study.first.localisation[method].iou[percentile] for method in methods},
        f"IoU at percentile {percentile:g}",
        kind=kind,
        place=place,
        **bounds,
    )


def random_claim(study: Study, name: str) -> Claim:
    """The claim, not of the paper, that its best method is better than a random map."""
    areas = {method: study.first.localisation[method].auc for method in (OURS, RANDOM)}
    text = f"{OURS} is better than a random map (ours; the paper does not compare)."
    return _paired_claim(study, name, text, {}, areas, "total AUC", minimum=0.0, strict=True)


def trained_claim(study: Study, name: str, lead: Lead, text: str, place: str) -> Claim:
    """A claim that one way to train gives better maps in every measure, over trainings."""
    leads = [lead.of(run.localisation) for run in study.runs]
    statistic = f"least of the mean differences, {lead.better} minus {lead.worse}"
    return _runs_claim(
        study, name, text, lead, leads, leads, statistic, kind="statement", place=place, strict=True
    )


def alike_claim(study: Study, name: str, lead: Lead, place: str) -> Claim:
    """A claim that the maps of two ways to train overlap alike at every percentile."""
    leads = [lead.of(run.localisation) for run in study.runs]
    left = [np.concatenate([ALIKE + values, ALIKE - values], axis=1) for values in leads]
    statistic = (
        f"what is least left of {ALIKE:g} by the mean differences of IoU, {lead.better} minus"
        f" {lead.worse}"
    )
    text = f"{lead.better} and {lead.worse} overlap alike at every percentile, to {ALIKE:g}."
    return _runs_claim(
        study, name, text, lead, leads, left, statistic, kind="ordering", place=place
    )


def likeness_claim(
    study: Study,
    name: str,
    ways: tuple[str, str],
    measure: str,
    pair: str,
    sentence: str,
    place: str,
) -> Claim:
    """A claim that one way to train makes two images more alike, over trainings and images."""
    better, worse = ways
    printed = published.PSNR if measure == "PSNR" else published.SSIM

    def values(quality: Quality) -> Float[np.ndarray, " n"]:
        return (quality.psnr if measure == "PSNR" else quality.ssim)[pair]

    return runs_claim(
        name,
        f"{sentence}: {better} has a higher {measure} ({pair}) than {worse}.",
        {way: printed[way][pair] for way in ways},
        {way: [values(run.quality[way]) for run in study.runs] for way in ways},
        f"{measure} ({pair})",
        kind="statement",
        place=place,
        cases=_cases(study, study.groups),
        unit="test images" if study.groups is None else study.group_unit,
        minimum=0.0,
        strict=True,
    )


def similar_area_claim(study: Study, name: str, generator: str, place: str) -> Claim:
    """A claim that similar images are decided as the images are, over images."""
    quality = study.first.quality[generator]
    images = counted(len(quality.decided), "test images", study.groups, study.group_unit)
    return claim(
        name,
        f"Similar images of {generator} are decided as the images are: AUC_s of at least 0.997.",
        {"AUC_s": published.TABLE_4[generator][0]},
        {"AUC_s": quality.auc_similar.estimate},
        quality.auc_similar,
        f"AUC_s over {images}",
        kind="statement",
        place=place,
        minimum=0.997,
    )


def adversarial_area_claim(
    study: Study,
    name: str,
    generator: str,
    others: Sequence[str],
    text: str,
    place: str,
    kind: Kind = "statement",
    sign: int = 1,
) -> Claim:
    """A claim that one generator turns more decisions over than every other, over trainings.

    With ``sign`` -1 it turns fewer over.
    """
    names = [generator, *others]
    # (runs, generators)
    areas = np.array([[_adversarial_area(run.quality[way]) for way in names] for run in study.runs])
    margins = sign * (areas[:, :1] - areas[:, 1:])
    images = len(study.first.quality[generator].decided)
    return claim(
        name,
        text,
        {way: published.TABLE_4[way][1] for way in names},
        dict(zip(names, areas.mean(axis=0).tolist(), strict=True)),
        _least_interval([interval_over_runs(margin[:, None]) for margin in margins.T]),
        f"least margin of AUC_a, over {len(areas)} runs, with the {images} test images held fixed",
        kind=kind,
        place=place,
        minimum=0.0,
        strict=True,
    )


def speed_claim(study: Study, name: str, fast: str, slow: str, place: str) -> Claim:
    """A claim that a trained generator explains far faster than a search."""
    maps = study.first.maps
    timings = {method: maps[method].timings for method in (fast, slow)}
    return claim(
        name,
        f"{fast} explains at least {_FASTER:g} times as fast as {slow}.",
        {method: published.SECONDS[method] for method in timings},
        {method: maps[method].seconds for method in timings},
        _ratio_interval(timings[slow], timings[fast]),
        f"ratio of the median seconds for one image, of {len(timings[slow])} and"
        f" {len(timings[fast])} timed batches",
        kind="ordering",
        place=f"{place}; the factor is ours",
        minimum=_FASTER,
    )


def _paired_claim(
    study: Study,
    name: str,
    text: str,
    paper: Mapping[str, float | None],
    ours: Mapping[str, Float[np.ndarray, " n"]],
    statistic: str,
    **options: Any,
) -> Claim:
    """A claim about the mean difference of two methods, paired over the marked images."""
    marked = _marked(study)
    return paired_claim(
        name,
        text,
        paper,
        ours,
        statistic,
        groups=marked.groups,
        group_unit=marked.images.group_unit,
        **options,
    )


def _runs_claim(
    study: Study,
    name: str,
    text: str,
    lead: Lead,
    leads: Sequence[Float[np.ndarray, "n m"]],
    tested: Sequence[Float[np.ndarray, "n k"]],
    statistic: str,
    **options: Any,
) -> Claim:
    """A claim about two ways to train, settled by the least mean of what is tested, over runs."""
    marked, runs = _marked(study), len(study.runs)
    cases = _cases(study, marked.groups)
    columns = range(tested[0].shape[1])
    intervals = [
        interval_over_runs([run[:, column] for run in tested], cases=cases) for column in columns
    ]
    number, unit = (
        (len(marked.images), "annotated test images")
        if marked.groups is None
        else (len(np.unique(marked.groups)), study.group_unit)
    )
    means = np.mean([values.mean(axis=0) for values in leads], axis=0)
    return claim(
        name,
        text,
        lead.printed,
        dict(zip(lead.measures, means.tolist(), strict=True)),
        _least_interval(intervals),
        f"{statistic}, over {runs} runs and {number} {unit}",
        minimum=0.0,
        **options,
    )


def _marked(study: Study) -> Marked:
    assert study.marked is not None
    return study.marked


def _cases(study: Study, groups: np.ndarray | None) -> list[np.ndarray] | None:
    """The names of the cases of each run."""
    return None if groups is None else [groups] * len(study.runs)


def _least_interval(intervals: Sequence[Interval]) -> Interval:
    """The least estimate, and the least of the low and of the high ends.

    The least of several means is as low as that only if one of them is.
    """
    return Interval(*np.array(intervals).min(axis=0).tolist())


def _adversarial_area(quality: Quality) -> float:
    return roc_auc(quality.adversarial_odds, quality.decided == 0)


def _ratio_interval(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]) -> Interval:
    """The ratio of two medians, each over repeated timings."""
    is_first = np.repeat([1.0, 0.0], [len(first), len(second)])

    def ratio(drawn: Float[np.ndarray, "k 2"]) -> float:
        return float(np.median(drawn[drawn[:, 1] == 1, 0]) / np.median(drawn[drawn[:, 1] == 0, 0]))

    values = np.stack([np.concatenate([first, second]), is_first], axis=1)
    if min(len(first), len(second)) < _FEWEST_TIMINGS:
        return Interval(ratio(values), np.nan, np.nan)
    return bootstrap_interval(values, statistic=ratio, strata=is_first)
