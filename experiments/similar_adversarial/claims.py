"""The claims of the paper, each with an interval and a verdict.

Claims about ways to train (11, 12, 16a, 17b to 17e) compare generators over several trainings and
stay undecided with one. Claims about maps (13 to 16) are over annotated images, and over trainings
too where a generator has several (``--num-runs``); 17a is about the first training. A claim about
several measures holds where the least of its mean differences is above its bound.
``claim_comparisons`` tests them.
"""

import dataclasses
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from experiments.charachon_shared import (
    AVERAGED,
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INPUT_GRADIENT,
    MASK_GENERATOR,
    PAIRS,
    PERCEPTUAL,
    SMOOTH_GRAD,
)
from experiments.shared import Claim, Statement
from experiments.similar_adversarial import published
from experiments.similar_adversarial.claim_comparisons import (
    ALIKE,
    FASTER,
    Lead,
    adversarial_area_claim,
    alike_claim,
    likeness_claim,
    map_claim,
    overlap_claim,
    random_claim,
    similar_area_claim,
    speed_claim,
    trained_claim,
)
from experiments.similar_adversarial.compared_generators import (
    AE1,
    AE1_TV,
    AE1_W,
    AE2_W,
    DUO,
    DUO_TV,
    NAIVE,
    OURS,
)
from experiments.similar_adversarial.study import Study, nearest, with_averages

_LEAST_AREA = 0.997
_NEAR, _FAR = 90.0, 98.0  # percentiles that the paper names
_GENERATORS = "section V-A"
_LOCALISATION = "section V-B"
_OTHERS = [name for name in published.STATE_OF_THE_ART if name != NAIVE]
_WITHOUT_AREAS = (SMOOTH_GRAD, INPUT_GRADIENT)  # of Table VIII, not of Table IX

_NOT_SHOWN = {
    "11h": "Table V does not show it for Duo AE",
    "12d": "Table VI does not show it at 98",
    "12f": "Table VI does not show it at 80",
    "12j": "Table VI does not show it at 80",
    "12m": "Table VI does not show it at 95",
}
"""Sentences that the paper's own tables do not bear out for the two ways to train of a claim."""


class Sentence(NamedTuple):
    """A sentence of the paper about ways to train.

    Attributes:
        text: the sentence of the paper.
        ways: for each claim, by its name, the better way to train and the worse one.
        place: where the paper says it.
        pair: the two images that are alike, of sentences about likeness.
    """

    text: str
    ways: dict[str, tuple[str, str]]
    place: str
    pair: str = ""


_SIMILAR, _ADVERSARIAL, _BOTH = PAIRS
_ONE_NETWORK = "section V-B, first paragraph"

LIKENESS = (
    Sentence(
        "One network draws adversarial images nearer",
        {"11a": (AE1_TV, DUO_TV), "11b": (AE1, DUO)},
        _ONE_NETWORK,
        _ADVERSARIAL,
    ),
    Sentence(
        "One network draws the two images together",
        {"11c": (AE1_TV, DUO_TV), "11d": (AE1, DUO)},
        _ONE_NETWORK,
        _BOTH,
    ),
    Sentence(
        "Weights drawn together bring the two images together",
        {"11e": (AE1, AE1_TV), "11f": (DUO, DUO_TV)},
        _GENERATORS,
        _BOTH,
    ),
    Sentence(
        "Weights drawn together bring and adversarial images nearer",
        {"11g": (AE1, AE1_TV), "11h": (DUO, DUO_TV)},
        _GENERATORS,
        _ADVERSARIAL,
    ),
    Sentence(
        "Similar images are most alike without weights drawn together",
        {"11i": (AE1_TV, AE1), "11j": (DUO_TV, DUO)},
        _GENERATORS,
        _SIMILAR,
    ),
    Sentence(
        "With weights drawn together adversarial images are even nearer than the naive generator's",
        {"11k": (OURS, NAIVE)},
        _GENERATORS,
        _ADVERSARIAL,
    ),
)
"""O11: what one network, and weights drawn together, do for the likeness of the images."""

TRAINING = (
    Sentence("Total variation helps", {"12a": (OURS, AE2_W), "12b": (AE1, AE1_W)}, _LOCALISATION),
    Sentence(
        "Heads of two layers are better", {"12c": (AE2_W, AE1_W), "12d": (OURS, AE1)}, _LOCALISATION
    ),
    Sentence(
        "Weights drawn together help", {"12e": (AE1, AE1_TV), "12f": (DUO, DUO_TV)}, _LOCALISATION
    ),
    Sentence(
        "One network with two heads is better than two networks",
        {
            "12h": (AE1, DUO),
            "12i": (OURS, DUO),
            "12j": (AE1_TV, DUO_TV),
            "12k": (AE1 + AVERAGED, DUO + AVERAGED),
            "12l": (OURS + AVERAGED, DUO + AVERAGED),
            "12m": (AE1_TV + AVERAGED, DUO_TV + AVERAGED),
        },
        _LOCALISATION,
    ),
)
"""O12: what each part of the loss and of the network does for the maps, in every measure."""


def make_claims(study: Study) -> list[Claim]:
    """All claims that these data and generators can test, in the order of their names."""
    about_maps = [] if study.marked is None else [*_training_claims(study), *_map_claims(study)]
    claims = [*_likeness_claims(study), *about_maps, *_decision_claims(study)]
    return [
        dataclasses.replace(claim, note=" ".join(filter(None, (*_notes(study, claim), claim.note))))
        for claim in claims
    ]


def _notes(study: Study, claim: Claim) -> tuple[str, ...]:
    """Notes of the data, the trainings, and generators that have collapsed."""
    collapsed = [
        name
        for name, generator in study.first.generators.items()
        if any(finding.name == "collapsed" for finding in generator.findings) and name in claim.text
    ]
    over_trainings = " runs" in claim.statistic
    return (
        study.note,
        "" if over_trainings else "Of the first training of each network alone.",
        f"Collapsed: {', '.join(collapsed)}." if collapsed else "",
    )


def _statement(name: str, sentence: Sentence, text: str) -> Statement:
    unlike = _NOT_SHOWN.get(name.split()[0])
    place = sentence.place if unlike is None else f"{sentence.place} (its own {unlike})"
    return Statement(name, f"{sentence.text}: {text}", place)


def _likeness_claims(study: Study) -> Iterator[Claim]:
    """Judges O11 by PSNR, and by SSIM of similar images: only these its three digits tell apart."""
    for sentence in LIKENESS:
        measures = {"": "PSNR", " SSIM": "SSIM"} if sentence.pair == _SIMILAR else {"": "PSNR"}
        for (name, ways), (end, measure) in product(sentence.ways.items(), measures.items()):
            if {*ways} <= study.first.quality.keys():
                (better, worse), pair = ways, sentence.pair
                text = f"{better} has a higher {measure} ({pair}) than {worse}."
                statement = _statement(name + end, sentence, text)
                yield likeness_claim(study, statement, ways, measure, pair)


def _training_claims(study: Study) -> Iterator[Claim]:
    """Judges what is said of ways to train (O12)."""
    percentiles = study.setup.config.percentiles
    known = {*with_averages(list(study.first.generators))}
    for sentence in TRAINING:
        for name, (better, worse) in sentence.ways.items():
            if {better, worse} <= known:
                text = f"{better} is better than {worse} at every percentile and in both areas."
                statement = _statement(name, sentence, text)
                yield trained_claim(study, statement, Lead(better, worse, percentiles))
    if {AE1_TV, DUO_TV} <= known:
        text = f"{AE1_TV} and {DUO_TV} overlap alike at every percentile, to {ALIKE:g}."
        statement = Statement("12g", text, "Table VI", "ordering")
        yield alike_claim(study, statement, Lead(AE1_TV, DUO_TV, percentiles, areas=False))


def _map_claims(study: Study) -> Iterator[Claim]:
    """Judges averaging over augmentations (O13), and the best against others (O14 to O16)."""
    names, every = study.first.localisation, study.setup.config.percentiles
    far, near, best = nearest(every, _FAR), nearest(every, _NEAR), OURS + AVERAGED

    place = f"{_LOCALISATION} ('all localization scores improve')"
    for name in [name for name in names if name + AVERAGED in names]:
        text = f"Averaging over augmentations improves {name} at every percentile"
        statement = Statement(f"13 {name}", text + _in_areas(True), place)
        yield map_claim(study, statement, Lead(name + AVERAGED, name, every))

    for name in _OTHERS:
        areas = name not in _WITHOUT_AREAS
        text = f"{OURS} is better than {name} at the percentiles up to 95"
        statement = Statement(f"14a {name}", text + _in_areas(areas), _LOCALISATION)
        if name not in (MASK_GENERATOR, BBMP):
            tables = "Tables VIII and IX" if areas else "Table VIII"
            statement = statement._replace(place=tables, kind="ordering")
        lead = Lead(OURS, name, [at for at in every if at <= 95], areas)
        yield map_claim(study, statement, lead)
    place = f"{_LOCALISATION} ('only Mask Generator and Gradient outperform or compete')"
    statement = Statement("14b", f"At {far:g} the Mask Generator is better.", place)
    yield overlap_claim(study, statement, (MASK_GENERATOR, OURS), far)
    statement = Statement("14c", f"At {far:g} the gradient is as good, to {ALIKE:g}.", place)
    yield overlap_claim(study, statement, (GRADIENT, OURS), far, minimum=-ALIKE, maximum=ALIKE)

    place = f"{_LOCALISATION}, last paragraph"
    for name in (GRADIENT, GRAD_CAM, MASK_GENERATOR, NAIVE):
        text = f"Averaged, {OURS} is better than {name} up to percentile 90 and in both areas."
        statement = Statement(f"15a {name}", text, f"{place}; Tables X and XI")
        lead = Lead(best, name + AVERAGED, [at for at in every if at <= 90])
        yield map_claim(study, statement, lead)
    for at in [at for at in every if at > 90]:
        statement = Statement(
            f"15b {at:g}", f"Averaged, the Mask Generator is better at {at:g}.", place
        )
        yield overlap_claim(study, statement, (MASK_GENERATOR + AVERAGED, best), at)
    text = f"Averaged, the gradient is better at {far:g}."
    statement = Statement("15c", text, "Table X", "ordering")
    yield overlap_claim(study, statement, (GRADIENT + AVERAGED, best), far)
    place = f"{_LOCALISATION} ('outperforms all the others')"
    for name in published.STATE_OF_THE_ART:
        areas = name not in _WITHOUT_AREAS
        text = f"Averaged, {OURS} is better than plain {name} at every percentile"
        statement = Statement(f"15d {name}", text + _in_areas(areas), place)
        yield map_claim(study, statement, Lead(best, name, every, areas))

    place = f"{_LOCALISATION} ('much poorer results')"
    statement = Statement("16a", f"{NAIVE} is worse than {OURS} in every measure.", place)
    yield trained_claim(study, statement, Lead(OURS, NAIVE, every))
    for name in [name for name in (*_OTHERS, NAIVE, OURS) if name != PERCEPTUAL]:
        text = f"Perceptual perturbation overlaps less than {name}."
        statement = Statement(f"16b {name}", text, "Table VIII", "ordering")
        yield overlap_claim(study, statement, (name, PERCEPTUAL), near)
    yield random_claim(study, "16d")
    place = "Tables IX and XI; the factor is ours"
    for fast, slow in product((OURS, MASK_GENERATOR), (BBMP, PERCEPTUAL)):
        text = f"{fast} explains at least {FASTER:g} times as fast as {slow}."
        statement = Statement(f"16c {fast} {slow}", text, place, "ordering")
        yield speed_claim(study, statement, fast, slow)


def _in_areas(areas: bool) -> str:
    return " and in both areas." if areas else "."


def _decision_claims(study: Study) -> Iterator[Claim]:
    """Judges what the classifier answers to the generated images (O17)."""
    quality = study.first.quality
    place = f"{_GENERATORS} ('almost reaches 1'); the bound is the least of Table IV"
    for name in quality:
        if name != NAIVE and np.isfinite(quality[name].auc_similar.estimate):
            text = f"Similar images of {name} are decided as the images are: AUC_s of at least"
            statement = Statement(f"17a {name}", f"{text} {_LEAST_AREA:g}.", place)
            yield similar_area_claim(study, statement, name, _LEAST_AREA)
    if len(np.unique(next(iter(quality.values())).decided)) < 2:
        return  # the areas need images of both decisions
    for number, name, word, sign in (("17b", AE1_TV, "most", 1), ("17c", DUO_TV, "fewest", -1)):
        if name in quality:
            text = f"{name} turns the {word} decisions over, by AUC_a."
            statement = Statement(number, text, "Table IV", "ordering")
            others = [other for other in quality if other != name]
            yield adversarial_area_claim(study, statement, name, others, sign)
    rivals = (("17d", NAIVE, "even outperform the naive approach"), ("17e", DUO_TV, "Single"))
    for number, rival, quote in [row for row in rivals if row[1] in quality]:
        for name in [name for name in quality if "Single" in name or "(W" in name]:
            text = f"{name} turns more decisions over than {rival}, by AUC_a."
            statement = Statement(f"{number} {name}", text, f"{_GENERATORS} ('{quote}')")
            yield adversarial_area_claim(study, statement, name, [rival])
