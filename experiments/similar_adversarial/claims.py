"""What the paper says and shows, each with an interval and a verdict.

Claims about ways to train (11, 12, 16a, 17b to 17e) compare generators over several trainings and
stay undecided with one; the others are about the maps and images of the first training, over
images. A claim about several measures holds where the least of its mean differences is above its
bound.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval, interval_over_runs, roc_auc
from cfx_jax.report import Claim
from experiments.charachon.attributions import (
    AVERAGED,
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INPUT_GRADIENT,
    MASK_GENERATOR,
    PERCEPTUAL,
    RANDOM,
    SMOOTH_GRAD,
)
from experiments.charachon.images import Data
from experiments.charachon.localisation import Localisation
from experiments.charachon.quality import PAIRS, Quality
from experiments.shared.interval_claims import claim, counted, paired_claim, runs_claim
from experiments.similar_adversarial import published
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.rows import NAIVE, OURS
from experiments.similar_adversarial.study import Localised, Study, nearest

_ALIKE = 0.01  # difference of two IoUs that are called equal
_FASTER = 10.0  # "orders of magnitude"
_OVER_TRAININGS = (
    "11",
    "12",
    "16a",
    "17b",
    "17c",
    "17d",
    "17e",
)  # how the names of such claims begin
_NEAR, _FAR = 90.0, 98.0
_GENERATORS = "section V-A"
_LOCALISATION = "section V-B"
_UNLIKE_TABLE = "{} (its own {} does not show it {})"
_WITHOUT_AREAS = (SMOOTH_GRAD, INPUT_GRADIENT)  # of Table VIII, not of Table IX


def claims(config: Config, data: Data, study: Study) -> list[Claim]:
    """All claims that these data and generators can test."""
    found = [*_similarity_claims(study), *_decision_claims(study)]
    if study.localised is not None:
        found += _generator_claims(config, study)
        found += _averaging_claims(config, study.localised)
        found += _comparison_claims(config, study, study.localised)
        found += _speed_claims(study.localised)
    order = sorted(found, key=lambda each: int(each.id[:2]))
    return [
        dataclasses.replace(
            each, note=" ".join(filter(None, (data.note, _trainings(each), _warning(study, each))))
        )
        for each in order
    ]


def _trainings(tested: Claim) -> str:
    """What a claim that is not over trainings rests on."""
    return (
        ""
        if tested.id.startswith(_OVER_TRAININGS)
        else "Of the first training of each network alone."
    )


def _warning(study: Study, tested: Claim) -> str:
    """Which generators that have collapsed a claim is about."""
    collapsed = [
        name
        for name, each in study.generators.items()
        if any(finding.name == "collapsed" for finding in each.findings) and name in tested.text
    ]
    return f"Collapsed: {', '.join(collapsed)}." if collapsed else ""


def _similarity_claims(study: Study) -> list[Claim]:
    """O11: what one network, and weights drawn together, do for the likeness of the images."""
    similar, first, second = PAIRS
    one_network = "section V-B, first paragraph"
    nearer, together = (
        "One network draws adversarial images nearer",
        "One network draws the two images together",
    )
    free = "Similar images are most alike without weights drawn together"
    weights, nearer_too = (
        "Weights drawn together bring the two images together",
        "and adversarial images nearer",
    )
    even = (
        "With weights drawn together adversarial images are even nearer than the naive generator's"
    )
    rows = [
        ("11a", nearer, first, "Single AE1 (TV)", "Duo AE (TV)", one_network),
        ("11b", nearer, first, "Single AE1 (W,TV)", "Duo AE (W,TV)", one_network),
        ("11c", together, second, "Single AE1 (TV)", "Duo AE (TV)", one_network),
        ("11d", together, second, "Single AE1 (W,TV)", "Duo AE (W,TV)", one_network),
        ("11e", weights, second, "Single AE1 (W,TV)", "Single AE1 (TV)", _GENERATORS),
        ("11f", weights, second, "Duo AE (W,TV)", "Duo AE (TV)", _GENERATORS),
        (
            "11g",
            f"Weights drawn together bring {nearer_too}",
            first,
            "Single AE1 (W,TV)",
            "Single AE1 (TV)",
            _GENERATORS,
        ),
        (
            "11h",
            f"Weights drawn together bring {nearer_too}",
            first,
            "Duo AE (W,TV)",
            "Duo AE (TV)",
            _UNLIKE_TABLE.format(_GENERATORS, "Table V", "for Duo AE"),
        ),
        ("11i", free, similar, "Single AE1 (TV)", "Single AE1 (W,TV)", _GENERATORS),
        ("11j", free, similar, "Duo AE (TV)", "Duo AE (W,TV)", _GENERATORS),
        ("11k", even, first, OURS, NAIVE, _GENERATORS),
    ]
    measures: list[
        tuple[str, str, dict[str, dict[str, float | None]], Callable[[Quality], Any]]
    ] = [
        ("", "PSNR", published.PSNR, lambda quality: quality.psnr),
        (" SSIM", "SSIM", published.SSIM, lambda quality: quality.ssim),
    ]
    return [
        runs_claim(
            f"{name}{end}",
            f"{text}: {better} has a higher {measure} ({pair}) than {worse}.",
            {each: paper[each][pair] for each in (better, worse)},
            {
                each: [values(run.quality[each])[pair] for run in study.runs]
                for each in (better, worse)
            },
            f"{measure} ({pair})",
            kind="statement",
            place=place,
            cases=_cases(study, study.groups),
            unit="test images" if study.groups is None else study.group_unit,
            minimum=0.0,
            strict=True,
        )
        for name, text, pair, better, worse, place in rows
        for end, measure, paper, values in measures
        # Table V's SSIM has three digits, in which it tells only x_s apart.
        if {better, worse} <= study.quality.keys() and (not end or pair == similar)
    ]


def _decision_claims(study: Study) -> list[Claim]:
    """O17: the classifier's answers to the generated images."""
    decided = next(iter(study.quality.values())).decided
    images = counted(len(decided), "test images", study.groups, study.group_unit)
    found = [
        claim(
            f"17a {name}",
            f"Similar images of {name} are decided as the images are: AUC_s of at least 0.997.",
            {"AUC_s": published.TABLE_4[name][0]},
            {"AUC_s": each.auc_similar.estimate},
            each.auc_similar,
            f"AUC_s over {images}",
            kind="statement",
            place=f"{_GENERATORS} ('almost reaches 1'); the bound is the least of Table IV",
            minimum=0.997,
        )
        for name, each in study.quality.items()
        if name != NAIVE and np.isfinite(each.auc_similar.estimate)
    ]
    if len(np.unique(decided)) < 2:
        return found
    ranks = [("17b", "Single AE1 (TV)", 1, "most"), ("17c", "Duo AE (TV)", -1, "fewest")]
    found += [
        _area_claim(
            name,
            f"{extreme} turns the {word} decisions over, by AUC_a.",
            study,
            extreme,
            [each for each in study.quality if each != extreme],
            sign,
            "ordering",
            "Table IV",
        )
        for name, extreme, sign, word in ranks
        if extreme in study.quality
    ]
    close = [name for name in study.quality if "Single" in name or "(W" in name]
    for number, rival, place in (
        ("17d", NAIVE, "even outperform the naive approach"),
        ("17e", "Duo AE (TV)", "Single"),
    ):
        found += [
            _area_claim(
                f"{number} {name}",
                f"{name} turns more decisions over than {rival}, by AUC_a.",
                study,
                name,
                [rival],
                1,
                "statement",
                f"{_GENERATORS} ('{place}')",
            )
            for name in close
            if rival in study.quality
        ]
    return found


def _area_claim(
    name: str,
    text: str,
    study: Study,
    first: str,
    others: Sequence[str],
    sign: int,
    kind: Any,
    place: str,
) -> Claim:
    """Whether one generator's AUC_a is above (or with sign -1 below) that of every one of some
    others, over trainings.
    """
    names = [first, *others]
    areas = np.array(
        [[_adversarial_area(run.quality[each]) for each in names] for run in study.runs]
    )
    margins = sign * (areas[:, :1] - areas[:, 1:])
    return claim(
        name,
        text,
        {each: published.TABLE_4[each][1] for each in names},
        dict(zip(names, areas.mean(axis=0).tolist(), strict=True)),
        _least_interval([interval_over_runs(column[:, None]) for column in margins.T]),
        f"least margin of AUC_a, over {len(areas)} runs, with the"
        f" {len(study.quality[first].decided)} test images"
        " held fixed",
        kind=kind,
        place=place,
        minimum=0.0,
        strict=True,
    )


def _adversarial_area(quality: Quality) -> float:
    return roc_auc(quality.adversarial_odds, quality.decided == 0)


def _generator_claims(config: Config, study: Study) -> list[Claim]:
    """O12: what each part of the loss and of the network does for the maps, in every measure."""
    variation = "Total variation helps"
    heads, weights = "Heads of two layers are better", "Weights drawn together help"
    one = "One network with two heads is better than two networks"
    at_98 = _UNLIKE_TABLE.format(_LOCALISATION, "Table VI", "at 98")
    at_95 = _UNLIKE_TABLE.format(_LOCALISATION, "Table VI", "at 95")
    at_80 = _UNLIKE_TABLE.format(_LOCALISATION, "Table VI", "at 80")
    rows = [
        ("12a", "Single AE2 (W,TV)", "Single AE2 (W)", variation, _LOCALISATION),
        ("12b", "Single AE1 (W,TV)", "Single AE1 (W)", variation, _LOCALISATION),
        ("12c", "Single AE2 (W)", "Single AE1 (W)", heads, _LOCALISATION),
        ("12d", "Single AE2 (W,TV)", "Single AE1 (W,TV)", heads, at_98),
        ("12e", "Single AE1 (W,TV)", "Single AE1 (TV)", weights, _LOCALISATION),
        ("12f", "Duo AE (W,TV)", "Duo AE (TV)", weights, at_80),
        ("12h", "Single AE1 (W,TV)", "Duo AE (W,TV)", one, _LOCALISATION),
        ("12i", "Single AE2 (W,TV)", "Duo AE (W,TV)", one, _LOCALISATION),
        ("12j", "Single AE1 (TV)", "Duo AE (TV)", one, at_80),
        ("12k", "Single AE1 (W,TV)" + AVERAGED, "Duo AE (W,TV)" + AVERAGED, one, _LOCALISATION),
        ("12l", "Single AE2 (W,TV)" + AVERAGED, "Duo AE (W,TV)" + AVERAGED, one, _LOCALISATION),
        ("12m", "Single AE1 (TV)" + AVERAGED, "Duo AE (TV)" + AVERAGED, one, at_95),
    ]
    found = [
        _trained_claim(
            name,
            f"{text}: {better} is better than {worse} at every percentile and in both areas.",
            config,
            study,
            better,
            worse,
            place,
        )
        for name, better, worse, text, place in rows
        if _has(study, better, worse)
    ]
    pair = ("Single AE1 (TV)", "Duo AE (TV)")
    return [*found, _alike_claim("12g", config, study, *pair)] if _has(study, *pair) else found


def _alike_claim(name: str, config: Config, study: Study, first: str, second: str) -> Claim:
    """A claim that the maps of two ways to train overlap alike at every percentile."""
    differences = _differences(study, first, second, config.percentiles, areas=False)
    left = [np.concatenate([_ALIKE + each, _ALIKE - each], axis=1) for each in differences]
    return claim(
        name,
        f"{first} and {second} overlap alike at every percentile, to {_ALIKE:g}.",
        _paper_differences(first, second, config.percentiles, areas=False),
        _mean_differences(differences, config.percentiles, areas=False),
        _least_over_runs(study, left),
        f"what is least left of {_ALIKE:g} by the mean differences of IoU, {first} minus {second},"
        f" over"
        f" {_counted_runs(study)}",
        kind="ordering",
        place="Table VI",
        minimum=0.0,
    )


def _has(study: Study, *names: str) -> bool:
    return {each.removesuffix(AVERAGED) for each in names} <= study.generators.keys()


def _trained_claim(
    name: str, text: str, config: Config, study: Study, better: str, worse: str, place: str
) -> Claim:
    """A claim about two ways to train, in every measure, over trainings and images."""
    differences = _differences(study, better, worse, config.percentiles)
    return claim(
        name,
        text,
        _paper_differences(better, worse, config.percentiles),
        _mean_differences(differences, config.percentiles),
        _least_over_runs(study, differences),
        f"least of the mean differences, {better} minus {worse}, over {_counted_runs(study)}",
        kind="statement",
        place=place,
        minimum=0.0,
        strict=True,
    )


def _differences(
    study: Study, first: str, second: str, percentiles: Sequence[float], *, areas: bool = True
) -> list[Float[np.ndarray, "n m"]]:
    """Of two methods, for each training, image and measure."""
    return [
        _measures(run.found[first], percentiles, areas=areas)
        - _measures(run.found[second], percentiles, areas=areas)
        for run in study.runs
    ]


def _mean_differences(
    differences: Sequence[Float[np.ndarray, "n m"]],
    percentiles: Sequence[float],
    *,
    areas: bool = True,
) -> dict[str, float]:
    means = np.mean([each.mean(axis=0) for each in differences], axis=0)
    return dict(zip(_labels(percentiles, areas=areas), means.tolist(), strict=True))


def _least_over_runs(study: Study, values: Sequence[Float[np.ndarray, "n m"]]) -> Interval:
    """The interval of the least mean of several measures, of values for each training."""
    cases = _cases(study, None if study.localised is None else study.localised.groups)
    columns = range(values[0].shape[1])
    return _least_interval(
        [interval_over_runs([run[:, each] for run in values], cases=cases) for each in columns]
    )


def _counted_runs(study: Study) -> str:
    """How many trainings and cases there are, in words."""
    assert study.localised is not None
    groups = study.localised.groups
    cases = f"{len(study.localised.images)} annotated test images"
    return f"{len(study.runs)} runs and {cases if groups is None else f'{len(np.unique(groups))} {study.group_unit}'}"


def _least_interval(intervals: Sequence[Interval]) -> Interval:
    """The least estimate, and the least of the low and of the high ends: the least is that low only
    if one of them is.
    """
    return Interval(*np.array(intervals).min(axis=0).tolist())


def _cases(study: Study, groups: np.ndarray | None) -> list[np.ndarray] | None:
    return None if groups is None else [groups] * len(study.runs)


def _averaging_claims(config: Config, localised: Localised) -> list[Claim]:
    """O13: averaging over augmentations helps every method in every measure."""
    names = [name for name in localised.found if name + AVERAGED in localised.found]
    return [
        _least_claim(
            f"13 {name}",
            f"Averaging over augmentations improves {name} at every percentile and in both areas.",
            localised,
            name + AVERAGED,
            name,
            config.percentiles,
            kind="statement",
            place=f"{_LOCALISATION} ('all localization scores improve')",
        )
        for name in names
    ]


def _comparison_claims(config: Config, study: Study, localised: Localised) -> list[Claim]:
    """O14 to O16: the paper's best against other methods."""
    ours, ours_averaged = OURS, OURS + AVERAGED
    others = [name for name in published.STATE_OF_THE_ART if name != NAIVE]
    far, near = nearest(config.percentiles, _FAR), nearest(config.percentiles, _NEAR)
    wide = [each for each in config.percentiles if each <= 95]
    widest = [each for each in config.percentiles if each <= 90]
    said = {MASK_GENERATOR: _LOCALISATION, BBMP: _LOCALISATION}
    found = [
        _least_claim(
            f"14a {name}",
            f"{ours} is better than {name} at the percentiles up to"
            f" 95{' and in both areas' if areas else ''}.",
            localised,
            ours,
            name,
            wide,
            areas=areas,
            kind="statement" if name in said else "ordering",
            place=said.get(name, "Tables VIII and IX" if areas else "Table VIII"),
        )
        for name in others
        for areas in [name not in _WITHOUT_AREAS]
    ]
    only = f"{_LOCALISATION} ('only Mask Generator and Gradient outperform or compete')"
    found += [
        _overlap_claim(
            "14b",
            f"At {far:g} the Mask Generator is better.",
            localised,
            MASK_GENERATOR,
            ours,
            far,
            kind="statement",
            place=only,
            minimum=0.0,
            strict=True,
        ),
        _overlap_claim(
            "14c",
            f"At {far:g} the gradient is as good, to {_ALIKE:g}.",
            localised,
            GRADIENT,
            ours,
            far,
            kind="statement",
            place=only,
            minimum=-_ALIKE,
            maximum=_ALIKE,
        ),
    ]
    found += [
        _least_claim(
            f"15a {name}",
            f"Averaged, {ours} is better than {name} up to percentile 90 and in both areas.",
            localised,
            ours_averaged,
            name + AVERAGED,
            widest,
            kind="statement",
            place=f"{_LOCALISATION}, last paragraph; Tables X and XI",
        )
        for name in (GRADIENT, GRAD_CAM, MASK_GENERATOR, NAIVE)
    ]
    found += [
        _overlap_claim(
            f"15b {each:g}",
            f"Averaged, the Mask Generator is better at {each:g}.",
            localised,
            MASK_GENERATOR + AVERAGED,
            ours_averaged,
            each,
            kind="statement",
            place=f"{_LOCALISATION}, last paragraph",
            minimum=0.0,
            strict=True,
        )
        for each in config.percentiles
        if each > 90
    ]
    found.append(
        _overlap_claim(
            "15c",
            f"Averaged, the gradient is better at {far:g}.",
            localised,
            GRADIENT + AVERAGED,
            ours_averaged,
            far,
            kind="ordering",
            place="Table X",
            minimum=0.0,
            strict=True,
        )
    )
    found += [
        _least_claim(
            f"15d {name}",
            f"Averaged, {ours} is better than plain {name} at every"
            f" percentile{' and in both areas' if areas else ''}.",
            localised,
            ours_averaged,
            name,
            config.percentiles,
            areas=areas,
            kind="statement",
            place=f"{_LOCALISATION} ('outperforms all the others')",
        )
        for name in published.STATE_OF_THE_ART
        for areas in [name not in _WITHOUT_AREAS]
    ]
    text = f"{NAIVE} is worse than {ours} in every measure."
    found.append(
        _trained_claim(
            "16a", text, config, study, ours, NAIVE, f"{_LOCALISATION} ('much poorer results')"
        )
    )
    found += [
        _overlap_claim(
            f"16b {name}",
            f"Perceptual perturbation overlaps less than {name}.",
            localised,
            name,
            PERCEPTUAL,
            near,
            kind="ordering",
            place="Table VIII",
            minimum=0.0,
            strict=True,
        )
        for name in (*others, NAIVE, ours)
        if name != PERCEPTUAL
    ]
    text = f"{ours} is better than a random map (ours; the paper does not compare)."
    areas = {name: localised.found[name].auc for name in (ours, RANDOM)}
    return [
        *found,
        paired_claim(
            "16d",
            text,
            {},
            areas,
            "total AUC",
            groups=localised.groups,
            group_unit=localised.images.group_unit,
            minimum=0.0,
            strict=True,
        ),
    ]


def _speed_claims(localised: Localised) -> list[Claim]:
    """O16: a trained generator explains far faster than a search."""
    found = []
    for fast in (OURS, MASK_GENERATOR):
        for slow in (BBMP, PERCEPTUAL):
            timings = {name: localised.maps[name].timings for name in (fast, slow)}
            found.append(
                claim(
                    f"16c {fast} {slow}",
                    f"{fast} explains at least {_FASTER:g} times as fast as {slow}.",
                    {name: published.SECONDS[name] for name in (fast, slow)},
                    {name: localised.maps[name].seconds for name in (fast, slow)},
                    _ratio_interval(timings[slow], timings[fast]),
                    f"ratio of the median seconds for one image, of {len(timings[slow])} and"
                    f" {len(timings[fast])} timed"
                    " batches",
                    kind="ordering",
                    place="Tables IX and XI; the factor is ours",
                    minimum=_FASTER,
                )
            )
    return found


def _ratio_interval(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"]) -> Interval:
    """The ratio of two medians, each over repeated timings."""
    is_first = np.repeat([1.0, 0.0], [len(first), len(second)])

    def ratio(drawn: Float[np.ndarray, "k 2"]) -> float:
        return float(np.median(drawn[drawn[:, 1] == 1, 0]) / np.median(drawn[drawn[:, 1] == 0, 0]))

    values = np.stack([np.concatenate([first, second]), is_first], axis=1)
    if min(len(first), len(second)) < _FEWEST_TIMINGS:
        return Interval(ratio(values), np.nan, np.nan)
    return bootstrap_interval(values, statistic=ratio, strata=is_first)


_FEWEST_TIMINGS = 6  # as ``metrics.bootstrap_interval`` asks of images


def _overlap_claim(
    name: str,
    text: str,
    localised: Localised,
    better: str,
    worse: str,
    percentile: float,
    **options: Any,
) -> Claim:
    """A claim about the IoU of two methods at one percentile."""
    pair = (better, worse)
    return paired_claim(
        name,
        text,
        {each: published.IOU[each].get(percentile) for each in pair},
        {each: localised.found[each].iou[percentile] for each in pair},
        f"IoU at percentile {percentile:g}",
        groups=localised.groups,
        group_unit=localised.images.group_unit,
        **options,
    )


def _least_claim(
    name: str,
    text: str,
    localised: Localised,
    better: str,
    worse: str,
    percentiles: Sequence[float],
    *,
    areas: bool = True,
    **options: Any,
) -> Claim:
    """A claim about two methods in several measures at once: the least of their mean differences is
    above 0.
    """
    one, other = (
        _measures(localised.found[each], percentiles, areas=areas) for each in (better, worse)
    )
    means = (one - other).mean(axis=0)
    return claim(
        name,
        text,
        _paper_differences(better, worse, percentiles, areas=areas),
        dict(zip(_labels(percentiles, areas=areas), means.tolist(), strict=True)),
        bootstrap_interval(one - other, statistic=_least_mean, groups=localised.groups),
        f"least of the mean differences, {better} minus {worse}, over"
        f" {counted(len(one), 'annotated test images', localised.groups, localised.images.group_unit)}",
        minimum=0.0,
        strict=True,
        **options,
    )


def _measures(
    found: Localisation, percentiles: Sequence[float], *, areas: bool = True
) -> Float[np.ndarray, "n m"]:
    """The IoU at some percentiles and both areas, for each image."""
    columns = [found.iou[each] for each in percentiles]
    return np.stack([*columns, found.auc, found.partial_auc] if areas else columns, axis=1)


def _labels(percentiles: Sequence[float], *, areas: bool = True) -> list[str]:
    return [
        *(f"IoU {each:g}" for each in percentiles),
        *(("total AUC", "partial AUC") if areas else ()),
    ]


def _paper_differences(
    better: str, worse: str, percentiles: Sequence[float], *, areas: bool = True
) -> dict[str, float]:
    """The printed differences of two methods, of the measures that are printed for both."""
    unknown = (None, None)
    one, other = (
        [
            *map(published.IOU[each].get, percentiles),
            *(published.AUC.get(each, unknown) if areas else ()),
        ]
        for each in (better, worse)
    )
    return {
        label: round(first - second, 3)
        for label, first, second in zip(_labels(percentiles, areas=areas), one, other, strict=True)
        if first is not None and second is not None
    }


def _least_mean(differences: Float[np.ndarray, "m k"]) -> float:
    return float(differences.mean(axis=0).min())
