"""The paper's orderings, each with an interval over images and a verdict."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import roc_auc
from cfx_jax.metrics.statistics import Interval, bootstrap_interval
from cfx_jax.report import Claim
from experiments.generation.attributions import (
    AVERAGED,
    BBMP,
    GRAD_CAM,
    GRADIENT,
    MASK_GENERATOR,
    PERCEPTUAL,
    RANDOM,
)
from experiments.generation.images import Data
from experiments.generation.quality import PAIRS
from experiments.interval_claims import claim, mean_claim, paired_claim
from experiments.similar_adversarial import published
from experiments.similar_adversarial.config import Config
from experiments.similar_adversarial.rows import NAIVE, OURS
from experiments.similar_adversarial.study import Localised, Study, measures, nearest

_ALIKE = 0.01  # difference of two IoUs that are called equal
_TIMING = 2.0  # factor by which one timing may be off
_FASTER = 10.0  # "orders of magnitude"
_NEAR, _FAR = 90.0, 98.0


def claims(config: Config, data: Data, study: Study) -> list[Claim]:
    """All claims that these data and generators can test."""
    found = [*_similarity_claims(study), *_decision_claims(data, study)]
    if study.localised is not None:
        found += _generator_claims(config, study)
        found += _averaging_claims(config, study.localised)
        found += _comparison_claims(config, study.localised)
        found += _speed_claims(study.localised)
    order = sorted(found, key=lambda each: int(each.id[:2]))
    return [dataclasses.replace(each, note=f"{data.note}{_warning(study, each)}") for each in order]


def _warning(study: Study, tested: Claim) -> str:
    """Which generators that have collapsed a claim is about."""
    collapsed = [
        name
        for name, each in study.generators.items()
        if any(finding.name == "collapsed" for finding in each.findings) and name in tested.text
    ]
    return f" Collapsed: {', '.join(collapsed)}." if collapsed else ""


def _similarity_claims(study: Study) -> list[Claim]:
    """O11: one network, and weights drawn together, bring the images nearer."""
    first, second = PAIRS[1], PAIRS[2]
    nearer, together = "One network draws adversarial images nearer", "One network draws the two images together"
    weights = "Weights drawn together bring the two images together"
    rows = [
        ("11a", nearer, first, "Single AE1 (TV)", "Duo AE (TV)"),
        ("11b", nearer, first, "Single AE1 (W,TV)", "Duo AE (W,TV)"),
        ("11c", together, second, "Single AE1 (TV)", "Duo AE (TV)"),
        ("11d", together, second, "Single AE1 (W,TV)", "Duo AE (W,TV)"),
        ("11e", weights, second, "Single AE1 (W,TV)", "Single AE1 (TV)"),
        ("11f", weights, second, "Duo AE (W,TV)", "Duo AE (TV)"),
    ]
    return [
        paired_claim(
            name,
            f"{text}: {better} has a higher PSNR ({pair}) than {worse}.",
            {each: published.PSNR[each][pair] for each in (better, worse)},
            {each: study.quality[each].psnr[pair] for each in (better, worse)},
            f"PSNR ({pair})",
            minimum=0.0,
            strict=True,
        )
        for name, text, pair, better, worse in rows
        if {better, worse} <= study.quality.keys()
    ]


def _decision_claims(data: Data, study: Study) -> list[Claim]:
    """O17: the classifier's answers to the generated images."""
    found = [
        claim(
            f"17a {name}",
            f"Similar images of {name} are decided as the images are: AUC_s of at least 0.997.",
            {"AUC_s": published.TABLE_4[name][0]},
            {"AUC_s": each.auc_similar.estimate},
            each.auc_similar,
            "AUC_s over the test images",
            minimum=0.997,
        )
        for name, each in study.quality.items()
        if name != NAIVE and np.isfinite(each.auc_similar.estimate)
    ]
    ranks = [("17b", "Single AE1 (TV)", 1, "most"), ("17c", "Duo AE (TV)", -1, "fewest")]
    return found + [
        _rank_claim(name, f"{extreme} turns the {word} decisions over, by AUC_a.", data, study, extreme, sign)
        for name, extreme, sign, word in ranks
        if extreme in study.quality and len(np.unique(study.quality[extreme].decided)) == 2
    ]


def _rank_claim(name: str, text: str, data: Data, study: Study, extreme: str, sign: int) -> Claim:
    """Whether one generator's AUC_a is above (or below) that of every other."""
    names = [extreme, *(each for each in study.quality if each != extreme)]
    flipped = study.quality[extreme].decided == 0
    scores = np.stack([study.quality[each].adversarial_odds for each in names] + [flipped.astype(float)], axis=1)

    def margin(values: Float[np.ndarray, "m k"]) -> float:
        areas = np.array([np.nan_to_num(roc_auc(each, values[:, -1]), nan=0.5) for each in values[:, :-1].T])
        return float((sign * (areas[0] - areas[1:])).min())

    interval = bootstrap_interval(scores, statistic=margin, num_resamples=500, groups=data.patients)
    return claim(
        name,
        text,
        {each: published.TABLE_4[each][1] for each in names},
        {each: study.quality[each].auc_adversarial.estimate for each in names},
        interval,
        "least margin of AUC_a to the others",
        minimum=0.0,
    )


def _generator_claims(config: Config, study: Study) -> list[Claim]:
    """O12: what each part of the loss and of the network does for the maps."""
    rows = [
        ("12a", "Single AE2 (W,TV)", "Single AE2 (W)", "Total variation helps"),
        ("12b", "Single AE1 (W,TV)", "Single AE1 (W)", "Total variation helps"),
        ("12c", "Single AE2 (W)", "Single AE1 (W)", "Heads of two layers are better"),
        ("12d", "Single AE2 (W,TV)", "Single AE1 (W,TV)", "Heads of two layers are better"),
        ("12e", "Single AE1 (W,TV)", "Single AE1 (TV)", "Weights drawn together help"),
        ("12f", "Duo AE (W,TV)", "Duo AE (TV)", "Weights drawn together help"),
    ]
    localised = study.localised
    assert localised is not None
    near = nearest(config.percentiles, _NEAR)
    found = [
        _overlap_claim(name, f"{text}: {better} overlaps at least as much as {worse}.", localised, better, worse, near,
                       minimum=0.0)
        for name, better, worse, text in rows
        if {better, worse} <= study.generators.keys()
    ]  # fmt: skip
    pair = ("Single AE1 (TV)", "Duo AE (TV)")
    if set(pair) <= study.generators.keys():
        text = f"{pair[0]} and {pair[1]} overlap alike, to {_ALIKE:g}."
        found.append(_overlap_claim("12g", text, localised, *pair, near, minimum=-_ALIKE, maximum=_ALIKE))
    return found


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
        )
        for name in names
    ]


def _comparison_claims(config: Config, localised: Localised) -> list[Claim]:
    """O14 to O16: the paper's best against other methods."""
    ours, ours_averaged = OURS, OURS + AVERAGED
    others = [name for name in published.STATE_OF_THE_ART if name != NAIVE]
    far, near = nearest(config.percentiles, _FAR), nearest(config.percentiles, _NEAR)
    wide = [each for each in config.percentiles if each <= 95]
    widest = [each for each in config.percentiles if each <= 90]
    found = [
        _least_claim(f"14a {name}", f"{ours} is better than {name} at the percentiles up to 95 and in both areas.",
                     localised, ours, name, wide)
        for name in others
    ]  # fmt: skip
    found += [
        _overlap_claim("14b", f"At {far:g} the Mask Generator is better.", localised, MASK_GENERATOR, ours, far),
        _overlap_claim("14c", f"At {far:g} the gradient is as good, to {_ALIKE:g}.", localised, GRADIENT, ours, far,
                       minimum=-_ALIKE, maximum=_ALIKE),
    ]  # fmt: skip
    found += [
        _least_claim(f"15a {name}", f"Averaged, {ours} is better than {name} up to percentile 90 and in both areas.",
                     localised, ours_averaged, name + AVERAGED, widest)
        for name in (GRADIENT, GRAD_CAM, MASK_GENERATOR, NAIVE)
    ]  # fmt: skip
    found += [
        _overlap_claim(f"15b {each:g}", f"Averaged, the Mask Generator is better at {each:g}.", localised,
                       MASK_GENERATOR + AVERAGED, ours_averaged, each)
        for each in config.percentiles if each > 90
    ]  # fmt: skip
    found.append(_overlap_claim("15c", f"Averaged, the gradient is better at {far:g}.", localised,
                                GRADIENT + AVERAGED, ours_averaged, far))  # fmt: skip
    found.append(_least_claim("16a", f"{NAIVE} is worse than {ours} in every measure.", localised, ours, NAIVE,
                              config.percentiles))  # fmt: skip
    found += [
        _overlap_claim(f"16b {name}", f"Perceptual perturbation overlaps less than {name}.", localised, name, PERCEPTUAL,
                       near)
        for name in (*others, NAIVE, ours) if name != PERCEPTUAL
    ]  # fmt: skip
    chance = localised.found[ours].auc - localised.found[RANDOM].auc
    text = f"{ours} is better than a random map (ours; the paper does not compare)."
    return [
        *found,
        mean_claim("16d", text, {}, chance, "total AUC less the random map's", groups=localised.patients, minimum=0.0,
                   strict=True),
    ]  # fmt: skip


def _speed_claims(localised: Localised) -> list[Claim]:
    """O16: a trained generator explains far faster than a search."""
    found = []
    for fast in (OURS, MASK_GENERATOR):
        for slow in (BBMP, PERCEPTUAL):
            seconds = {name: localised.maps[name].seconds for name in (fast, slow)}
            ratio = seconds[slow] / seconds[fast]
            found.append(
                claim(
                    f"16c {fast} {slow}",
                    f"{fast} explains at least {_FASTER:g} times as fast as {slow}.",
                    {name: published.SECONDS[name] for name in (fast, slow)},
                    seconds,
                    Interval(ratio, ratio / _TIMING, ratio * _TIMING),
                    f"ratio of seconds for one image, timed once, a factor of {_TIMING:g} allowed either way",
                    minimum=_FASTER,
                )
            )
    return found


def _overlap_claim(
    name: str,
    text: str,
    localised: Localised,
    better: str,
    worse: str,
    percentile: float,
    **bounds: Any,
) -> Claim:
    """A claim about the IoU of two methods at one percentile, better unless bounds say otherwise."""
    pair = (better, worse)
    return paired_claim(
        name,
        text,
        {each: published.IOU[each].get(percentile) for each in pair},
        {each: localised.found[each].iou[percentile] for each in pair},
        f"IoU at percentile {percentile:g}",
        groups=localised.patients,
        **(bounds or {"minimum": 0.0, "strict": True}),
    )


def _least_claim(
    name: str, text: str, localised: Localised, better: str, worse: str, percentiles: Sequence[float]
) -> Claim:
    """A claim about two methods in several measures at once: the least of their mean differences is above 0."""
    one, other = (measures(localised.found[each], percentiles) for each in (better, worse))
    interval = bootstrap_interval(one - other, statistic=_least_mean, groups=localised.patients)
    labels = [*(f"IoU {each:g}" for each in percentiles), "total AUC", "partial AUC"]
    means = (one - other).mean(axis=0)
    return claim(
        name,
        text,
        {},
        dict(zip(labels, means.tolist(), strict=True)),
        interval,
        f"least of the mean differences, {better} minus {worse}, over {len(one)} images",
        minimum=0.0,
        strict=True,
    )


def _least_mean(differences: Float[np.ndarray, "m k"]) -> float:
    return float(differences.mean(axis=0).min())
