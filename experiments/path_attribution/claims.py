"""The claims of the paper, each with an interval over images and a verdict.

O1 to O5 are about Table 1, row by row; O6 to O9 about Table 2; O10 about Figure 2; O11 about both
of the latter. Where a map is compared with several others, the statistic is the least of its
margins, so none is chosen after the fact.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import relevance_score
from experiments.charachon_shared import GRAD_CAM, GRADIENT, INTEGRATED_GRADIENTS, RANDOM, Groups
from experiments.path_attribution import published
from experiments.path_attribution.faithfulness import Faithfulness, NotMeasured
from experiments.path_attribution.study import Study
from experiments.path_attribution.tables import perturbation_level, relevance_level, values_of
from experiments.shared import Claim, Kind, Statement, add_levels, find_level, of_one_training

_PAR = 0.02  # ours; the largest difference that Table 1 shows between SyCE's v1 and E is 0.015
_COMPETITIVE_R = 0.03  # the largest lead that Table 2 shows of v1 or v2 over v2,k, rounded up
_COMPETITIVE_AOPC = 0.01  # ours: the paper prints no numbers
_OURS = "SyCE v2,k"
_OTHERS = tuple(method for method in published.METHODS if method != _OURS)
_WEIGHED = ("v1", "v2", "v2,k")
_LOCALISATION = "section 4.3, 'Pathology localization'"
_RELEVANCE = "section 4.3, 'Feature relevance evaluation'"
_ALL = published.GROUPS[0]


class Scores(NamedTuple):
    """IoU and FDR of each image, which the claims about Table 1 are made from.

    Attributes:
        values: ``{(measure, percentile): {method or control: (n,)}}``, finite.
        groups: images that are drawn together.
    """

    values: Mapping[tuple[str, float], Mapping[str, Float[np.ndarray, " n"]]]
    groups: Groups = Groups()


class Comparison(NamedTuple):
    """A claim that one method leads others.

    Attributes:
        name: how the names of its claims begin.
        first: the method that leads, or with ``sign`` -1 trails.
        others: the methods that it is compared with.
        text: the claim in a sentence.
        place, kind: as in ``report.Claim``.
        group: a group of methods in Table 2.
        minimum: the least lead.
        strict: whether the lead is to be larger than that.
        sign: -1 where the first is to be below the others.
    """

    name: str
    first: str
    others: tuple[str, ...]
    text: str
    place: str
    kind: Kind = "statement"
    group: str = _ALL
    minimum: float = 0.0
    strict: bool = True
    sign: int = 1

    def statement(self, measure: str, text: str = "") -> Statement:
        """The statement that is settled by one measure, with a further sentence."""
        rival = f" / {self.others[0]}" if len(self.others) == 1 else ""
        name = f"{self.name} {measure} {self.first}{rival}"
        return Statement(name, self.text + text, self.place, self.kind)

    @property
    def rival(self) -> str:
        """The others in words."""
        single = len(self.others) == 1
        return self.others[0] if single else f"each of {len(self.others)} others, the least"

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that are compared."""
        return self.first, *self.others

    @property
    def subjects(self) -> tuple[str, ...]:
        """The methods whose level among the controls the claim states."""
        return self.methods if len(self.others) == 1 else (self.first,)


def make_claims(study: Study) -> list[Claim]:
    """All claims that these data can test; claims that need missing sweeps are undecided."""
    return judge(study.task, _scores(study), study.faithfulness, note=study.note)


def judge(
    task: str | None, scores: Scores | None, faithfulness: Faithfulness | NotMeasured, *, note: str
) -> list[Claim]:
    """Judges the claims by their measures.

    Args:
        task: "pneumonia" or "brain", whose printed figures stand beside ours; None for other
            images.
        scores: the scores of the maps against annotations; None where there are none.
        faithfulness: the sweeps of every method, or why there are none.
        note: a remark that a reader needs to judge them.
    """
    claims: list[Claim | None] = []
    if scores is not None:
        for row in scores.values:
            comparisons = _localisation_comparisons(task, row[0])
            claims += [_localisation_claim(task, scores, row, made) for made in comparisons]
    by_relevance, by_perturbation = _relevance_comparisons(task), _perturbation_comparisons()
    if isinstance(faithfulness, NotMeasured):
        statements = [made.statement(f"R {made.group}") for made in by_relevance]
        statements += [made.statement("AOPC") for made in by_perturbation]
        claims += [
            statement.settle({}, {}, None, "", note=faithfulness.reason) for statement in statements
        ]
    else:
        claims += [_relevance_claim(task, faithfulness, made) for made in by_relevance]
        claims += [_perturbation_claim(faithfulness, made) for made in by_perturbation]
    return of_one_training(
        dataclasses.replace(made, note=" ".join(filter(None, (note, made.note))))
        for made in claims
        if made is not None
    )


def _scores(study: Study) -> Scores | None:
    """IoU and FDR of each image, row by row of Table 1; None where nothing is annotated."""
    if not study.localisation:
        return None
    values = {
        row: {name: values_of(made, *row) for name, made in study.localisation.items()}
        for row in product((published.IOU, published.FDR), study.percentiles)
    }
    explained = study.explained
    return Scores(values, explained.groups.of(explained.localised))


def _localisation_comparisons(task: str | None, measure: str) -> Iterator[Comparison]:
    """The comparisons on Table 1, by one of its measures (O1 to O5)."""

    def better(name: str, first: str, second: str, place: str = _LOCALISATION) -> Comparison:
        text = f"{first} maps localise better than {second} maps."
        kind: Kind = "statement" if place == _LOCALISATION else "ordering"
        return Comparison(name, first, (second,), text, place, kind)

    for generator, (first, second) in product(published.GENERATORS, (("v2,k", "v2"), ("v2", "v1"))):
        yield better("O1", f"{generator} {first}", f"{generator} {second}")
    for variant in _WEIGHED:
        yield better("O2", f"CyCE {variant}", "CyCE E")
    for variant in ("v2", "v2,k"):
        yield better("O3", f"SyCE {variant}", "SyCE E")
    text = f"SyCE v1 maps localise as well as SyCE E maps, to {_PAR:g}."
    yield Comparison("O3", "SyCE v1", ("SyCE E",), text, _LOCALISATION, minimum=-_PAR, strict=False)
    yield better("O4", "SyCE E", "CyCE E", "Table 1")
    if (task, measure) == ("brain", published.FDR):
        yield better("O4", "CyCE v2,k", _OURS, "Table 1")
    else:
        text = f"{_OURS} maps localise better than every other map."
        yield Comparison("O4 best", _OURS, _OTHERS, text, "Table 1", "ordering")
    for generator, variant in product(published.GENERATORS, published.VARIANTS):
        first, weighed = f"{generator} {variant}", "section 3.2, before equation 4, and section 4.3"
        text = f"{first} maps localise better than every method of the state of the art."
        place = _LOCALISATION if variant == "E" else weighed
        yield Comparison("O5", first, published.STATE_OF_THE_ART, text, place)


def _localisation_claim(
    task: str | None, scores: Scores, row: tuple[str, float], comparison: Comparison
) -> Claim:
    """A claim about one row of Table 1: more IoU, or less FDR."""
    (measure, percentile), values = row, scores.values[row]
    at = f"{measure} at percentile {percentile:g}"
    statement = comparison.statement(f"{measure} {percentile:g}", f" {at}.")
    paper = _select(published.localisation(task, *row), comparison.methods)
    first, others, least = comparison.first, comparison.others, comparison.minimum
    options = {**scores.groups.options, "strict": comparison.strict}
    sign = 1 if measure == published.IOU else -1
    levels = [
        find_level(method, values, groups=scores.groups.names, sign=sign)
        for method in comparison.subjects
    ]
    if len(others) == 1:
        pair = {method: values[method] for method in comparison.methods}
        options |= {"minimum": least} if measure == published.IOU else {"maximum": -least}
        return add_levels(statement.settle_pair(paper, pair, at, **options), levels)
    leads = sign * np.stack([values[first] - values[other] for other in others], axis=1)
    ours = {method: float(values[method].mean()) for method in comparison.methods}
    of = f"{at}; least lead of {first} over {len(others)} others"
    claim = statement.settle_least(paper, ours, leads, of, minimum=least, **options)
    return add_levels(claim, levels)


def _relevance_comparisons(task: str | None) -> Iterator[Comparison]:
    """The comparisons on Table 2 (O6 to O9, O11)."""

    def leads(name: str, first: str, second: str, group: str, place: str = "Table 2") -> Comparison:
        text = _uses(first, f"more than what {second} maps name", group)
        kind: Kind = "ordering" if place == "Table 2" else "statement"
        return Comparison(name, first, (second,), text, place, kind, group)

    def leads_all(
        name: str, first: str, others: Sequence[str], what: str, group: str
    ) -> Comparison:
        text = _uses(first, f"more than what {what} names", group)
        return Comparison(name, first, tuple(others), text, "Table 2", "ordering", group)

    for group, generator, variant in product(published.GROUPS, published.GENERATORS, _WEIGHED):
        # The sentence is about the two predicted classes; of all images Table 2 alone tells.
        place = "Table 2" if group == _ALL else f"{_RELEVANCE}, (i)"
        yield leads("O6", f"{generator} {variant}", f"{generator} E", group, place)
    yield leads_all("O7 best", _OURS, _OTHERS, "any other map", _ALL)
    for generator in published.GENERATORS:
        first, second = f"{generator} v2,k", f"{generator} v2"
        text = _uses(first, f"at least as much as what {second} maps name", _ALL)
        yield Comparison("O7", first, (second,), text, "Table 2", "ordering", strict=False)
    yield from _competitive("relevance score", _COMPETITIVE_R, "section 3.2, after equation 5")
    if task == "pneumonia":
        for generator in published.GENERATORS:
            yield leads("O7 reversed", f"{generator} v2", f"{generator} v2,k", "0")
        for group in published.GROUPS:
            yield leads("O8", "CyCE E", "SyCE E", group)
    if task == "brain":
        for group in published.GROUPS:
            yield leads("O8", "SyCE E", "CyCE E", group)
        for group, method in product((_ALL, "0"), ("SAGen E", GRAD_CAM)):
            others = [f"CyCE {variant}" for variant in published.VARIANTS]
            yield leads_all("O8 best", method, others, "any map of CyCE", group)
    text = f"No map names what the classifier uses as little as a random one, on {_where(_ALL)}."
    yield Comparison("O9", RANDOM, published.METHODS, text, "Table 2", "ordering", sign=-1)
    if task == "pneumonia":
        for method in (GRADIENT, INTEGRATED_GRADIENTS):
            yield leads("O9 below random", RANDOM, method, "1")


def _perturbation_comparisons() -> Iterator[Comparison]:
    """The comparisons on Figure 2, by the AOPC over the full sweep (O10, O11)."""
    for generator, variant in product(published.GENERATORS, _WEIGHED):
        first, second = f"{generator} {variant}", f"{generator} E"
        text = f"Overwriting in the order of {first} maps lowers the score more than in that of"
        yield Comparison("O10", first, (second,), f"{text} {second} maps.", f"{_RELEVANCE}, (i)")
    yield from _competitive("AOPC", _COMPETITIVE_AOPC, f"{_RELEVANCE}, (ii)")
    for generator in published.GENERATORS:
        first = f"{generator} v2,k"
        text = f"Overwriting by the order of {first} maps does more than by that of any method of"
        text += " the state of the art."
        yield Comparison(
            "O10 best", first, published.STATE_OF_THE_ART, text, f"{_RELEVANCE}, (iii)"
        )
    others = tuple(method for method in published.METHODS if not method.startswith("SyCE"))
    text = f"Overwriting by the order of {_OURS} maps does more than by that of any map without"
    yield Comparison("O10 best of all", _OURS, others, f"{text} SyCE.", "Figure 2", "ordering")


def _competitive(measure: str, margin: float, place: str) -> Iterator[Comparison]:
    """The comparisons of smoothed maps with others: they are hardly below (O11)."""
    for generator, variant in product(published.GENERATORS, ("v1", "v2")):
        first, second = f"{generator} v2,k", f"{generator} {variant}"
        text = f"{first} maps are competitive with {second} maps in the {measure}: not below by"
        text += f" {margin:g}."
        yield Comparison("O11", first, (second,), text, place, minimum=-margin, strict=False)


def _relevance_claim(
    task: str | None, faithfulness: Faithfulness, comparison: Comparison
) -> Claim | None:
    """A claim about the relevance score; None for a group of fewer than two images."""
    first, others, rival = comparison.first, comparison.others, comparison.rival
    group, sweeps = comparison.group, faithfulness.sweeps
    interval = faithfulness.relevance_margin(first, others, group, sign=comparison.sign)
    if interval is None:
        return None
    chosen = faithfulness.group(group)
    images = faithfulness.groups.of(chosen).describe(int(chosen.sum()))
    above, below = f"{first} minus {rival}", f"{rival} of the differences to {first}"
    claim = comparison.statement(f"R {group}").settle(
        _select(published.relevance(task, group), comparison.methods),
        {name: relevance_score(*sweeps[name].areas[chosen].T) for name in comparison.methods},
        interval,
        f"relevance score R; {above if comparison.sign == 1 else below}, over {images}",
        minimum=comparison.minimum,
        strict=comparison.strict,
    )
    subjects = [method for method in comparison.subjects if method != RANDOM]
    return add_levels(claim, [relevance_level(faithfulness, name, group) for name in subjects])


def _perturbation_claim(faithfulness: Faithfulness, comparison: Comparison) -> Claim:
    """A claim about the AOPC over the full sweep."""
    first, rival = comparison.first, comparison.rival
    reached = {method: faithfulness.above_random(method)[:, -1] for method in comparison.methods}
    claim = comparison.statement("AOPC").settle_least(
        {},
        {method: float(values.mean()) for method, values in reached.items()},
        np.stack([reached[first] - reached[other] for other in comparison.others], axis=1),
        f"AOPC over the full sweep less that of random maps; {first} minus {rival}",
        **faithfulness.groups.options,
        minimum=comparison.minimum,
        strict=comparison.strict,
    )
    levels = [perturbation_level(faithfulness, method) for method in comparison.subjects]
    return add_levels(claim, levels)


def _uses(first: str, than: str, group: str) -> str:
    return f"The classifier uses what {first} maps name {than}, on {_where(group)}."


def _where(group: str) -> str:
    return "all images" if group == _ALL else f"images predicted {group}"


def _select(paper: Mapping[str, float], methods: Sequence[str]) -> dict[str, float]:
    return {method: paper[method] for method in methods if method in paper}
