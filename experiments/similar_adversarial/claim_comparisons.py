"""The comparisons of two methods, or of two ways to train, that settle the claims."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval, interval_over_runs, roc_auc
from experiments.charachon_shared import RANDOM, Groups, Localisation, Quality
from experiments.shared import AT_LEAST, MORE, Claim, Statement, add_levels, least_interval
from experiments.similar_adversarial import published
from experiments.similar_adversarial.compared_generators import OURS
from experiments.similar_adversarial.study import Study, with_averages
from experiments.similar_adversarial.tables import area_level, overlap_level

ALIKE = 0.01
"""Difference of two IoUs that are called equal."""

FASTER = 10.0
"""Ratio of two times that are called "orders of magnitude" apart."""
_FEWEST_TIMINGS = 6  # as ``metrics.bootstrap_interval`` asks of images


class Lead(NamedTuple):
    """The lead of one method over another, in the IoU at several percentiles and in both areas.

    Attributes:
        better, worse: the two methods.
        percentiles: the percentiles at which maps are thresholded.
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

    def __str__(self) -> str:
        return f"{self.better} minus {self.worse}"

    def of(self, localisation: Mapping[str, Localisation]) -> Float[np.ndarray, "n m"]:
        """The lead in each of n images and m measures."""
        better, worse = (self._values(localisation[name]) for name in (self.better, self.worse))
        return better - worse

    def means(self, leads: Sequence[Float[np.ndarray, "n m"]]) -> dict[str, float]:
        """The mean leads over runs and images, by measure."""
        means = np.mean([of_run.mean(axis=0) for of_run in leads], axis=0)
        return dict(zip(self.measures, means.tolist(), strict=True))

    def _printed(self, name: str) -> list[float | None]:
        areas = published.AUC.get(name, (None, None)) if self.areas else ()
        return [*map(published.IOU[name].get, self.percentiles), *areas]

    def _values(self, localised: Localisation) -> Float[np.ndarray, "n m"]:
        areas = [localised.auc, localised.partial_auc] if self.areas else []
        return np.stack([*(localised.iou[at] for at in self.percentiles), *areas], axis=1)


def map_claim(study: Study, statement: Statement, lead: Lead) -> Claim:
    """A claim that the maps of one method are better in every measure.

    It is over images, and over trainings too where there are several of one of the methods.
    """
    if _are_trained_again(study, (lead.better, lead.worse)):
        return trained_claim(study, statement, lead)
    leads = lead.of(study.first.localisation)
    claim = statement.settle_least(
        lead.printed,
        lead.means([leads]),
        leads,
        f"least of the mean differences, {lead}",
        unit="annotated test images",
        **study.marked_groups.options,
        **MORE,
    )
    return _with_levels(study, claim, (lead.better, lead.worse))


def overlap_claim(
    study: Study, statement: Statement, methods: tuple[str, str], percentile: float, **bounds: float
) -> Claim:
    """A claim about the IoU of two methods at one percentile; over what as ``map_claim``.

    Without bounds, the first is to be better.
    """
    paper = {method: published.IOU[method].get(percentile) for method in methods}
    statistic = f"IoU at percentile {percentile:g}"
    overlaps = {
        method: [localisation[method].iou[percentile] for localisation in _localisations(study)]
        for method in methods
    }
    claim = _settle_maps(study, statement, paper, overlaps, statistic, bounds or MORE)
    return _with_levels(study, claim, methods, percentile)


def random_claim(study: Study, name: str) -> Claim:
    """The claim, not of the paper, that its best method is better than a random map."""
    areas = {
        method: [localisation[method].auc for localisation in _localisations(study)]
        for method in (OURS, RANDOM)
    }
    text = f"{OURS} is better than a random map (ours; the paper does not compare)."
    statement = Statement(name, text, kind="target")
    return _settle_maps(study, statement, {}, areas, "total AUC", MORE)


def trained_claim(study: Study, statement: Statement, lead: Lead) -> Claim:
    """A claim that one way to train gives better maps in every measure, over trainings."""
    leads = [lead.of(localisation) for localisation in _localisations(study)]
    of = f"least of the mean differences, {lead}, over {_count_runs(study)}"
    interval = _least_over_runs(study, leads)
    claim = statement.settle(lead.printed, lead.means(leads), interval, of, **MORE)
    return _with_levels(study, claim, (lead.better, lead.worse))


def alike_claim(study: Study, statement: Statement, lead: Lead) -> Claim:
    """A claim that the maps of two ways to train are alike in every measure, over trainings."""
    leads = [lead.of(localisation) for localisation in _localisations(study)]
    left = [np.concatenate([ALIKE + of_run, ALIKE - of_run], axis=1) for of_run in leads]
    of = f"what is least left of {ALIKE:g} by the mean differences of IoU, {lead}"
    of += f", over {_count_runs(study)}"
    interval = _least_over_runs(study, left)
    return statement.settle(lead.printed, lead.means(leads), interval, of, **AT_LEAST)


def likeness_claim(
    study: Study, statement: Statement, ways: tuple[str, str], measure: str, pair: str
) -> Claim:
    """A claim that one way to train makes two images more alike, over trainings and images."""
    printed = published.PSNR if measure == "PSNR" else published.SSIM

    def values(quality: Quality) -> Float[np.ndarray, " n"]:
        return (quality.psnr if measure == "PSNR" else quality.ssim)[pair]

    return statement.settle_runs(
        {way: printed[way][pair] for way in ways},
        {way: [values(run.quality[way]) for run in study.runs] for way in ways},
        f"{measure} ({pair})",
        cases=_cases(study, study.groups),
        unit="test images" if study.groups.names is None else study.groups.unit,
        **MORE,
    )


def similar_area_claim(study: Study, statement: Statement, generator: str, least: float) -> Claim:
    """A claim that similar images are decided as the images are, over images."""
    quality = study.first.quality[generator]
    images = study.groups.describe(len(quality.decided), "test images")
    return statement.settle(
        {"AUC_s": published.TABLE_4[generator][0]},
        {"AUC_s": quality.auc_similar.estimate},
        quality.auc_similar,
        f"AUC_s over {images}",
        minimum=least,
    )


def adversarial_area_claim(
    study: Study, statement: Statement, generator: str, others: Sequence[str], sign: int = 1
) -> Claim:
    """A claim that one generator turns more decisions over than every other, over trainings.

    With ``sign`` -1 it turns fewer over.
    """
    names = [generator, *others]
    # (runs, generators)
    areas = np.array([[_adversarial_area(run.quality[way]) for way in names] for run in study.runs])
    margins = sign * (areas[:, :1] - areas[:, 1:])
    images = len(study.first.quality[generator].decided)
    return statement.settle(
        {way: published.TABLE_4[way][1] for way in names},
        dict(zip(names, areas.mean(axis=0).tolist(), strict=True)),
        least_interval([interval_over_runs(margin[:, None]) for margin in margins.T]),
        f"least margin of AUC_a, over {len(areas)} runs, with the {images} test images held fixed",
        **MORE,
    )


def speed_claim(study: Study, statement: Statement, fast: str, slow: str) -> Claim:
    """A claim that one method explains far faster than another."""
    maps, seconds = study.first.maps, published.SECONDS
    timings = [maps[method].timings for method in (slow, fast)]
    return statement.settle(
        {method: seconds[method] for method in (fast, slow)},
        {method: maps[method].seconds for method in (fast, slow)},
        _ratio_interval(*timings),
        f"ratio of the median seconds for one image, of {len(timings[0])} and {len(timings[1])}"
        " timed batches",
        minimum=FASTER,
    )


def _are_trained_again(study: Study, methods: Sequence[str]) -> bool:
    """Whether one of these methods is a generator of which there are several trainings."""
    generators = with_averages(list(study.first.generators))
    return len(study.runs) > 1 and not set(generators).isdisjoint(methods)


def _localisations(study: Study) -> list[Mapping[str, Localisation]]:
    """The localisation of all methods in each run; what is trained once is the same in all."""
    return [{**study.first.localisation, **run.localisation} for run in study.runs]


def _settle_maps(
    study: Study,
    statement: Statement,
    paper: Mapping[str, float | None],
    ours: Mapping[str, list[Float[np.ndarray, " n"]]],
    statistic: str,
    bounds: Mapping[str, Any],
) -> Claim:
    """A claim about two methods by one number for each annotated image of each run."""
    if not _are_trained_again(study, list(ours)):
        first = {method: runs[0] for method, runs in ours.items()}
        return statement.settle_pair(
            paper, first, statistic, **study.marked_groups.options, **bounds
        )
    groups = study.marked_groups
    unit = "annotated test images" if groups.names is None else groups.unit
    cases = _cases(study, groups)
    return statement.settle_runs(paper, ours, statistic, cases=cases, unit=unit, **bounds)


def _with_levels(
    study: Study, claim: Claim, methods: Sequence[str], percentile: float | None = None
) -> Claim:
    """The claim, with a sentence for each method at the level of a control.

    That level is by the IoU at a percentile, or by the total area where there is none.
    """
    levels = [
        area_level(study, name) if percentile is None else overlap_level(study, name, percentile)
        for name in methods
    ]
    return add_levels(claim, levels)


def _count_runs(study: Study) -> str:
    """The numbers of trainings and of marked images or groups, in words."""
    assert study.marked is not None
    number, unit = len(study.marked.images), "annotated test images"
    if study.marked.groups.names is not None:
        number, unit = len(np.unique(study.marked.groups.names)), study.marked.groups.unit
    return f"{len(study.runs)} runs and {number} {unit}"


def _least_over_runs(study: Study, values: Sequence[Float[np.ndarray, "n m"]]) -> Interval:
    """The interval of the least mean of several measures, of values for each training."""
    cases = _cases(study, study.marked_groups)
    by_measure = zip(*(of_run.T for of_run in values), strict=True)
    return least_interval([interval_over_runs(list(runs), cases=cases) for runs in by_measure])


def _cases(study: Study, groups: Groups) -> list[np.ndarray] | None:
    """The names of the cases of each run."""
    return None if groups.names is None else [groups.names] * len(study.runs)


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
