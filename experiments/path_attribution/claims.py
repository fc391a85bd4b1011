"""What the paper says and shows, each with an interval over images and a verdict.

O1 to O5 are about Table 1, row by row; O6 to O9 about Table 2; O10 about Figure 2; O11 about both
of the latter. Where a map is compared with several others, the statistic is the least of its
margins, so none is chosen after the fact.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import bootstrap_interval, relevance_score
from cfx_jax.report import Claim
from cfx_jax.report.claims import Kind
from experiments.path_attribution import published
from experiments.path_attribution.faithfulness import Faithfulness, NotMeasured
from experiments.path_attribution.published import (
    FDR,
    GENERATORS,
    IOU,
    METHODS,
    RANDOM,
    STATE_OF_THE_ART,
)
from experiments.shared.image_set import PATIENTS
from experiments.shared.interval_claims import claim, counted, of_one_training, paired_claim

_PAR = 0.02  # ours; the largest difference that Table 1 shows between SyCE's v1 and E is 0.015
_COMPETITIVE_R = 0.03  # the largest lead that Table 2 shows of v1 or v2 over v2,k, rounded up
_COMPETITIVE_AOPC = 0.01  # ours: the paper prints no numbers
_OURS = "SyCE v2,k"
_WEIGHED = ("v1", "v2", "v2,k")
_LOCALISATION = "section 4.3, 'Pathology localization'"
_RELEVANCE = "section 4.3, 'Feature relevance evaluation'"
_ALL = published.GROUPS[0]
_SAID_OF_GROUPS: tuple[Kind, str] = (
    "statement",
    f"{_RELEVANCE}, (i)",
)  # "on the two predicted classes"
_SAID_OF_ALL: tuple[Kind, str] = ("ordering", "Table 2")


class Scores(NamedTuple):
    """What the claims about Table 1 are made from.

    Attributes:
        values: ``{(measure, percentile): {method: (n,)}}``, IoU and FDR of each image, finite.
        groups: images that are drawn together, of one patient or of one picture; or None.
        group_unit: what the groups are, in words.
    """

    values: Mapping[tuple[str, float], Mapping[str, Float[np.ndarray, " n"]]]
    groups: np.ndarray | None = None
    group_unit: str = PATIENTS


def claims(
    task: str | None, scores: Scores | None, faithfulness: Faithfulness | NotMeasured, *, note: str
) -> list[Claim]:
    """All claims that these data can test, and those that need sweeps that there are not,
    undecided.

    Args:
        task: "pneumonia" or "brain", whose printed figures stand beside ours; None for other
            images.
        scores: of the maps against annotations; None where there are none.
        faithfulness: the sweeps of every method, or why there are none.
        note: what a reader must know to judge them.
    """
    found = (
        []
        if scores is None
        else [each for row in scores.values for each in _localisation(task, scores, row)]
    )
    found += [*_relevance(task, faithfulness), *_perturbation(faithfulness)]
    found = [
        dataclasses.replace(each, note=" ".join(filter(None, (note, each.note)))) for each in found
    ]
    return of_one_training(found)


def _localisation(task: str | None, scores: Scores, row: tuple[str, float]) -> Iterator[Claim]:
    """O1 to O5 for one row of Table 1."""
    rows = _Row(task, scores, row)
    for generator, (better, worse) in itertools.product(GENERATORS, (("v2,k", "v2"), ("v2", "v1"))):
        yield rows.better(
            "O1",
            f"{generator} {better}",
            f"{generator} {worse}",
            kind="statement",
            place=_LOCALISATION,
        )
    for variant in _WEIGHED:
        yield rows.better("O2", f"CyCE {variant}", "CyCE E", kind="statement", place=_LOCALISATION)
    for variant in ("v2", "v2,k"):
        yield rows.better("O3", f"SyCE {variant}", "SyCE E", kind="statement", place=_LOCALISATION)
    yield rows.competitive("O3", "SyCE v1", "SyCE E", kind="statement", place=_LOCALISATION)
    yield rows.better("O4", "SyCE E", "CyCE E", kind="ordering", place="Table 1")
    if (task, row[0]) == ("brain", FDR):
        yield rows.better("O4", "CyCE v2,k", _OURS, kind="ordering", place="Table 1")
    else:
        others = [each for each in METHODS if each != _OURS]
        yield rows.best(
            "O4 best", _OURS, others, "every other map", kind="ordering", place="Table 1"
        )
    for generator, variant in itertools.product(GENERATORS, published.VARIANTS):
        place = (
            _LOCALISATION if variant == "E" else "section 3.2, before equation 4, and section 4.3"
        )
        yield rows.best(
            "O5",
            f"{generator} {variant}",
            STATE_OF_THE_ART,
            "every method of the state of the art",
            kind="statement",
            place=place,
        )


class _Row(NamedTuple):
    """One row of Table 1, and claims about it."""

    task: str | None
    scores: Scores
    row: tuple[str, float]

    def better(self, name: str, first: str, second: str, *, kind: Kind, place: str) -> Claim:
        """That one method is better: more IoU, less FDR."""
        text = f"{first} maps localise better than {second} maps."
        return self._pair(
            name, text, first, second, margin=0.0, strict=True, kind=kind, place=place
        )

    def competitive(self, name: str, first: str, second: str, *, kind: Kind, place: str) -> Claim:
        """That one method is hardly worse."""
        text = f"{first} maps localise as well as {second} maps, to {_PAR:g}."
        return self._pair(
            name, text, first, second, margin=-_PAR, strict=False, kind=kind, place=place
        )

    def best(
        self, name: str, first: str, others: Sequence[str], what: str, *, kind: Kind, place: str
    ) -> Claim:
        """That no other of some methods is as good as one."""
        measure, percentile = self.row
        values, paper = (
            self.scores.values[self.row],
            published.localisation(self.task, measure, percentile),
        )
        margins = self._sign * np.stack([values[first] - values[each] for each in others], axis=1)
        return claim(
            f"{name} {measure} {percentile:g} {first}",
            f"{first} maps localise better than {what}. {measure} at percentile {percentile:g}.",
            _chosen(paper, (first, *others)),
            {each: float(values[each].mean()) for each in (first, *others)},
            bootstrap_interval(margins, statistic=_least_mean, groups=self.scores.groups),
            f"{measure} at percentile {percentile:g}; least lead of {first} over {len(others)}"
            f" others, over"
            f" {counted(len(margins), 'images', self.scores.groups, self.scores.group_unit)}",
            kind=kind,
            place=place,
            minimum=0.0,
            strict=True,
        )

    @property
    def _sign(self) -> int:
        return 1 if self.row[0] == IOU else -1

    def _pair(
        self,
        name: str,
        text: str,
        first: str,
        second: str,
        *,
        margin: float,
        strict: bool,
        **where: Any,
    ) -> Claim:
        measure, percentile = self.row
        values, paper = (
            self.scores.values[self.row],
            published.localisation(self.task, measure, percentile),
        )
        bound: dict[str, Any] = {"minimum": margin} if measure == IOU else {"maximum": -margin}
        return paired_claim(
            f"{name} {measure} {percentile:g} {first} / {second}",
            f"{text} {measure} at percentile {percentile:g}.",
            _chosen(paper, (first, second)),
            {first: values[first], second: values[second]},
            f"{measure} at percentile {percentile:g}",
            groups=self.scores.groups,
            group_unit=self.scores.group_unit,
            strict=strict,
            **bound,
            **where,
        )


class _Comparison(NamedTuple):
    """A claim that one map's order of regions leads those of others.

    Attributes:
        name: of the claim.
        first: the method that leads, or with ``sign`` -1 trails.
        others: the methods that it is compared with.
        group: of Table 2.
        text: the claim in a sentence.
        kind, place: as in ``report.Claim``.
        minimum: the least lead.
        strict: whether the lead is to be larger than that.
        sign: -1 where the first is to be below the others.
    """

    name: str
    first: str
    others: tuple[str, ...]
    group: str
    text: str
    kind: Kind
    place: str
    minimum: float = 0.0
    strict: bool = True
    sign: int = 1


def _relevance(task: str | None, found: Faithfulness | NotMeasured) -> list[Claim]:
    """O6 to O9 and O11 on Table 2."""
    comparisons = _relevance_comparisons(task)
    if isinstance(found, NotMeasured):
        return [
            _undecided(_relevance_id(each), each.text, found, each.kind, each.place)
            for each in comparisons
        ]
    made = [_relevance_claim(task, found, each) for each in comparisons]
    return [each for each in made if each is not None]


def _relevance_comparisons(task: str | None) -> Iterator[_Comparison]:
    def more(name: str, first: str, second: str, group: str, kind: Kind, place: str) -> _Comparison:
        text = f"The classifier uses what {first} maps name more than what {second} maps name, on {_where(group)}."
        return _Comparison(name, first, (second,), group, text, kind, place)

    def best(
        name: str, first: str, others: Sequence[str], what: str, group: str, place: str
    ) -> _Comparison:
        text = f"The classifier uses what {first} maps name more than what {what} names, on {_where(group)}."
        return _Comparison(name, first, tuple(others), group, text, "ordering", place)

    for group, generator, variant in itertools.product(published.GROUPS, GENERATORS, _WEIGHED):
        kind, place = _SAID_OF_ALL if group == _ALL else _SAID_OF_GROUPS
        yield more("O6", f"{generator} {variant}", f"{generator} E", group, kind, place)
    yield best(
        "O7 best",
        _OURS,
        [each for each in METHODS if each != _OURS],
        "any other map",
        _ALL,
        "Table 2",
    )
    for generator in GENERATORS:
        first, second = f"{generator} v2,k", f"{generator} v2"
        text = f"The classifier uses what {first} maps name at least as much as what {second} maps name, on {_where(_ALL)}."
        yield _Comparison("O7", first, (second,), _ALL, text, "ordering", "Table 2", strict=False)
    for generator, variant in itertools.product(GENERATORS, ("v1", "v2")):
        first, second = f"{generator} v2,k", f"{generator} {variant}"
        text = f"{first} maps are competitive with {second} maps in the relevance score: not below by {_COMPETITIVE_R:g}."
        yield _Comparison(
            "O11",
            first,
            (second,),
            _ALL,
            text,
            "statement",
            "section 3.2, after equation 5",
            minimum=-_COMPETITIVE_R,
            strict=False,
        )
    if task == "pneumonia":
        for generator in GENERATORS:
            yield more(
                "O7 reversed", f"{generator} v2", f"{generator} v2,k", "0", "ordering", "Table 2"
            )
        for group in published.GROUPS:
            yield more("O8", "CyCE E", "SyCE E", group, "ordering", "Table 2")
    if task == "brain":
        for group in published.GROUPS:
            yield more("O8", "SyCE E", "CyCE E", group, "ordering", "Table 2")
        for group, method in itertools.product((_ALL, "0"), ("SAGen E", "Grad-CAM")):
            others = [f"CyCE {each}" for each in published.VARIANTS]
            yield best("O8 best", method, others, "any map of CyCE", group, "Table 2")
    text = f"No map names what the classifier uses as little as a random one, on {_where(_ALL)}."
    yield _Comparison("O9", RANDOM, METHODS, _ALL, text, "ordering", "Table 2", sign=-1)
    if task == "pneumonia":
        for method in ("Gradient", "Integrated Gradients"):
            yield more("O9 below random", RANDOM, method, "1", "ordering", "Table 2")


def _relevance_claim(task: str | None, found: Faithfulness, given: _Comparison) -> Claim | None:
    """None for a group of fewer than two images."""
    interval = found.relevance_margin(given.first, given.others, given.group, sign=given.sign)
    if interval is None:
        return None
    methods, chosen = (given.first, *given.others), found.group(given.group)
    groups = None if found.groups is None else found.groups[chosen]
    rival = (
        given.others[0]
        if len(given.others) == 1
        else f"each of {len(given.others)} others, the least"
    )
    minus = (
        f"{given.first} minus {rival}"
        if given.sign == 1
        else f"{rival} of the differences to {given.first}"
    )
    return claim(
        _relevance_id(given),
        given.text,
        _chosen(published.relevance(task, given.group), methods),
        {each: _score(found, each, given.group) for each in methods},
        interval,
        f"relevance score R; {minus}, over"
        f" {counted(int(chosen.sum()), 'images', groups, found.group_unit)}",
        kind=given.kind,
        place=given.place,
        minimum=given.minimum,
        strict=given.strict,
    )


def _relevance_id(given: _Comparison) -> str:
    rival = f" / {given.others[0]}" if len(given.others) == 1 else ""
    return f"{given.name} R {given.group} {given.first}{rival}"


def _score(found: Faithfulness, method: str, group: str) -> float:
    return relevance_score(*found.sweeps[method].areas[found.group(group)].T)


def _where(group: str) -> str:
    return "all images" if group == _ALL else f"images predicted {group}"


def _perturbation(found: Faithfulness | NotMeasured) -> list[Claim]:
    """O10 and O11, on the AOPC over the full sweep."""
    comparisons = _perturbation_comparisons()
    if isinstance(found, NotMeasured):
        return [
            _undecided(_perturbation_id(each), each.text, found, each.kind, each.place)
            for each in comparisons
        ]
    return [_perturbation_claim(found, each) for each in comparisons]


def _perturbation_comparisons() -> Iterator[_Comparison]:
    for generator, variant in itertools.product(GENERATORS, _WEIGHED):
        first, second = f"{generator} {variant}", f"{generator} E"
        text = f"Overwriting in the order of {first} maps lowers the score more than in that of {second} maps."
        yield _Comparison("O10", first, (second,), _ALL, text, "statement", f"{_RELEVANCE}, (i)")
    for generator, variant in itertools.product(GENERATORS, ("v1", "v2")):
        first, second = f"{generator} v2,k", f"{generator} {variant}"
        text = f"{first} maps are competitive with {second} maps in the AOPC: not below by {_COMPETITIVE_AOPC:g}."
        yield _Comparison(
            "O11",
            first,
            (second,),
            _ALL,
            text,
            "statement",
            f"{_RELEVANCE}, (ii)",
            minimum=-_COMPETITIVE_AOPC,
            strict=False,
        )
    for generator in GENERATORS:
        first = f"{generator} v2,k"
        text = f"Overwriting by the order of {first} maps does more than by that of any method of the state of the art."
        yield _Comparison(
            "O10 best", first, STATE_OF_THE_ART, _ALL, text, "statement", f"{_RELEVANCE}, (iii)"
        )
    others = tuple(each for each in METHODS if not each.startswith("SyCE"))
    text = (
        f"Overwriting by the order of {_OURS} maps does more than by that of any map without SyCE."
    )
    yield _Comparison("O10 best of all", _OURS, others, _ALL, text, "ordering", "Figure 2")


def _perturbation_claim(found: Faithfulness, given: _Comparison) -> Claim:
    methods = (given.first, *given.others)
    reached = {each: found.above_random(each)[:, -1] for each in methods}
    leads = np.stack([reached[given.first] - reached[each] for each in given.others], axis=1)
    rival = (
        given.others[0]
        if len(given.others) == 1
        else f"each of {len(given.others)} others, the least"
    )
    return claim(
        _perturbation_id(given),
        given.text,
        {},
        {each: float(values.mean()) for each, values in reached.items()},
        bootstrap_interval(leads, statistic=_least_mean, groups=found.groups),
        f"AOPC over the full sweep less that of random maps; {given.first} minus {rival}, over"
        f" {counted(len(leads), 'images', found.groups, found.group_unit)}",
        kind=given.kind,
        place=given.place,
        minimum=given.minimum,
        strict=given.strict,
    )


def _perturbation_id(given: _Comparison) -> str:
    rival = f" / {given.others[0]}" if len(given.others) == 1 else ""
    return f"{given.name} AOPC {given.first}{rival}"


def _undecided(name: str, text: str, why: NotMeasured, kind: Kind, place: str) -> Claim:
    return Claim(
        id=name,
        text=text,
        paper={},
        ours={},
        interval=None,
        verdict="undecided",
        kind=kind,
        place=place,
        note=why.reason,
    )


def _least_mean(leads: Float[np.ndarray, "m k"]) -> float:
    return float(leads.mean(axis=0).min())


def _chosen(paper: Mapping[str, float], methods: Sequence[str]) -> dict[str, float]:
    return {each: paper[each] for each in methods if each in paper}
