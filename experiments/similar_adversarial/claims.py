"""What the paper says and shows, each with an interval and a verdict.

Claims about ways to train (11, 12, 16a, 17b to 17e) compare generators over several trainings and
stay undecided with one; the others are about the maps and images of the first training, over
images. A claim about several measures holds where the least of its mean differences is above its
bound. ``comparisons`` tests them.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cfx_jax.report import Claim
from experiments.charachon import (
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
from experiments.similar_adversarial import published
from experiments.similar_adversarial.comparisons import (
    ALIKE,
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
from experiments.similar_adversarial.rows import (
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

_OVER_TRAININGS = ("11", "12", "16a", "17b", "17c", "17d", "17e")
"""How the names of claims about ways to train begin."""
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
        text: what is said.
        ways: by the name of the claim, the better way to train and the worse one.
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
        dataclasses.replace(claim, note=" ".join(filter(None, _notes(study, claim))))
        for claim in claims
    ]


def _notes(study: Study, claim: Claim) -> tuple[str, ...]:
    """What a reader must know: of the data, the trainings, and generators that have collapsed."""
    collapsed = [
        name
        for name, generator in study.first.generators.items()
        if any(finding.name == "collapsed" for finding in generator.findings) and name in claim.text
    ]
    over_trainings = claim.id.startswith(_OVER_TRAININGS)
    return (
        study.note,
        "" if over_trainings else "Of the first training of each network alone.",
        f"Collapsed: {', '.join(collapsed)}." if collapsed else "",
    )


def _place(name: str, sentence: Sentence) -> str:
    unlike = _NOT_SHOWN.get(name)
    return sentence.place if unlike is None else f"{sentence.place} (its own {unlike})"


def _likeness_claims(study: Study) -> list[Claim]:
    """O11, by PSNR, and by SSIM of similar images: only these its three digits tell apart."""
    return [
        likeness_claim(
            study,
            f"{name}{end}",
            ways,
            measure,
            sentence.pair,
            sentence.text,
            _place(name, sentence),
        )
        for sentence in LIKENESS
        for name, ways in sentence.ways.items()
        for end, measure in (("", "PSNR"), (" SSIM", "SSIM"))
        if {*ways} <= study.first.quality.keys() and (not end or sentence.pair == _SIMILAR)
    ]


def _training_claims(study: Study) -> Iterator[Claim]:
    """O12: ways to train."""
    percentiles = study.setup.config.percentiles
    known = with_averages(list(study.first.generators))
    for sentence in TRAINING:
        for name, (better, worse) in sentence.ways.items():
            if {better, worse} <= {*known}:
                lead, text = (
                    Lead(better, worse, percentiles),
                    f"{sentence.text}: {better} is better",
                )
                text += f" than {worse} at every percentile and in both areas."
                yield trained_claim(study, name, lead, text, _place(name, sentence))
    if {AE1_TV, DUO_TV} <= {*known}:
        lead = Lead(AE1_TV, DUO_TV, percentiles, areas=False)
        yield alike_claim(study, "12g", lead, "Table VI")


def _map_claims(study: Study) -> Iterator[Claim]:
    """O13 to O16: averaging over augmentations, and the paper's best against other methods."""
    every = study.setup.config.percentiles
    far, near = nearest(every, _FAR), nearest(every, _NEAR)
    best, names = OURS + AVERAGED, study.first.localisation

    for name in [name for name in names if name + AVERAGED in names]:
        text = (
            f"Averaging over augmentations improves {name} at every percentile and in both areas."
        )
        place = f"{_LOCALISATION} ('all localization scores improve')"
        yield map_claim(study, f"13 {name}", Lead(name + AVERAGED, name, every), text, place)

    wide = [at for at in every if at <= 95]
    for name in _OTHERS:
        areas, said = name not in _WITHOUT_AREAS, name in (MASK_GENERATOR, BBMP)
        text = f"{OURS} is better than {name} at the percentiles up to 95{_in_areas(areas)}."
        tables = "Tables VIII and IX" if areas else "Table VIII"
        kind, place = ("statement", _LOCALISATION) if said else ("ordering", tables)
        yield map_claim(study, f"14a {name}", Lead(OURS, name, wide, areas), text, place, kind)
    place = f"{_LOCALISATION} ('only Mask Generator and Gradient outperform or compete')"
    text = f"At {far:g} the Mask Generator is better."
    yield overlap_claim(study, "14b", (MASK_GENERATOR, OURS), far, text, place)
    text = f"At {far:g} the gradient is as good, to {ALIKE:g}."
    yield overlap_claim(study, "14c", (GRADIENT, OURS), far, text, place, to=ALIKE)

    widest = [at for at in every if at <= 90]
    for name in (GRADIENT, GRAD_CAM, MASK_GENERATOR, NAIVE):
        text = f"Averaged, {OURS} is better than {name} up to percentile 90 and in both areas."
        place = f"{_LOCALISATION}, last paragraph; Tables X and XI"
        yield map_claim(study, f"15a {name}", Lead(best, name + AVERAGED, widest), text, place)
    for at in [at for at in every if at > 90]:
        text, place = f"Averaged, the Mask Generator is better at {at:g}.", "last paragraph"
        methods = (MASK_GENERATOR + AVERAGED, best)
        yield overlap_claim(study, f"15b {at:g}", methods, at, text, f"{_LOCALISATION}, {place}")
    text = f"Averaged, the gradient is better at {far:g}."
    methods = (GRADIENT + AVERAGED, best)
    yield overlap_claim(study, "15c", methods, far, text, "Table X", "ordering")
    for name in published.STATE_OF_THE_ART:
        areas = name not in _WITHOUT_AREAS
        text = (
            f"Averaged, {OURS} is better than plain {name} at every percentile{_in_areas(areas)}."
        )
        place = f"{_LOCALISATION} ('outperforms all the others')"
        yield map_claim(study, f"15d {name}", Lead(best, name, every, areas), text, place)

    text, place = f"{NAIVE} is worse than {OURS} in every measure.", "('much poorer results')"
    yield trained_claim(study, "16a", Lead(OURS, NAIVE, every), text, f"{_LOCALISATION} {place}")
    for name in [name for name in (*_OTHERS, NAIVE, OURS) if name != PERCEPTUAL]:
        text, methods = f"Perceptual perturbation overlaps less than {name}.", (name, PERCEPTUAL)
        yield overlap_claim(study, f"16b {name}", methods, near, text, "Table VIII", "ordering")
    yield random_claim(study, "16d")
    for fast in (OURS, MASK_GENERATOR):
        for slow in (BBMP, PERCEPTUAL):
            yield speed_claim(study, f"16c {fast} {slow}", fast, slow, "Tables IX and XI")


def _in_areas(areas: bool) -> str:
    return " and in both areas" if areas else ""


def _decision_claims(study: Study) -> Iterator[Claim]:
    """O17: the classifier's answers to the generated images."""
    names = list(study.first.quality)
    for name in names:
        if name != NAIVE and np.isfinite(study.first.quality[name].auc_similar.estimate):
            place = f"{_GENERATORS} ('almost reaches 1'); the bound is the least of Table IV"
            yield similar_area_claim(study, f"17a {name}", name, place)
    if len(np.unique(study.first.quality[names[0]].decided)) < 2:
        return  # the areas need images of both decisions
    for number, extreme, word in (("17b", AE1_TV, "most"), ("17c", DUO_TV, "fewest")):
        if extreme in names:
            text = f"{extreme} turns the {word} decisions over, by AUC_a."
            others, sign = [name for name in names if name != extreme], 1 if word == "most" else -1
            yield adversarial_area_claim(
                study, number, extreme, others, text, "Table IV", "ordering", sign
            )
    rivals = (("17d", NAIVE, "even outperform the naive approach"), ("17e", DUO_TV, "Single"))
    for number, rival, quote in rivals:
        for name in [name for name in names if "Single" in name or "(W" in name]:
            if rival in names:
                text = f"{name} turns more decisions over than {rival}, by AUC_a."
                place = f"{_GENERATORS} ('{quote}')"
                yield adversarial_area_claim(study, f"{number} {name}", name, [rival], text, place)
