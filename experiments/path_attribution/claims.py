"""The paper's orderings, each with an interval over images and a verdict.

O1 to O5 are about Table 1, row by row; O6 to O9 about Table 2; O10 about Figure 2. "Best" is tested against the best of the
other methods by its mean on the same images, which is chosen after the fact and so is a little too good an opponent.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import relevance_score
from cfx_jax.report import Claim
from experiments.interval_claims import claim, paired_claim
from experiments.path_attribution import published
from experiments.path_attribution.faithfulness import Faithfulness
from experiments.path_attribution.published import FDR, GENERATORS, IOU, METHODS, RANDOM, STATE_OF_THE_ART

_PAR = 0.015  # the largest difference that Table 1 shows between SyCE's v1 and E
_OURS = "SyCE v2,k"
_WEIGHED = ("v1", "v2", "v2,k")


class Scores(NamedTuple):
    """What the claims about Table 1 are made from.

    Attributes:
        values: ``{(measure, percentile): {method: (n,)}}``, IoU and FDR of each image, finite.
        patients: whom each image shows, where images of one patient are drawn together; or None.
    """

    values: Mapping[tuple[str, float], Mapping[str, Float[np.ndarray, " n"]]]
    patients: np.ndarray | None = None


def claims(task: str | None, scores: Scores | None, faithfulness: Faithfulness, *, note: str) -> list[Claim]:
    """All claims that these data can test.

    Args:
        task: "pneumonia" or "brain", whose printed figures stand beside ours; None for other images.
        scores: of the maps against annotations; None where there are none.
        faithfulness: the sweeps of every method.
        note: what a reader must know to judge them.
    """
    found = [] if scores is None else [each for row in scores.values for each in _localisation(task, scores, row)]
    found += [*_relevance(task, faithfulness), *_perturbation(faithfulness)]
    return [dataclasses.replace(each, note=note) for each in found]


def _localisation(task: str | None, scores: Scores, row: tuple[str, float]) -> Iterator[Claim]:
    """O1 to O5 for one row of Table 1."""
    rows = _Row(task, scores, row)
    for generator, (better, worse) in itertools.product(GENERATORS, (("v2,k", "v2"), ("v2", "v1"))):
        yield rows.better("O1", f"{generator} {better}", f"{generator} {worse}")
    for variant in _WEIGHED:
        yield rows.better("O2", f"CyCE {variant}", "CyCE E")
    for variant in ("v2", "v2,k"):
        yield rows.better("O3", f"SyCE {variant}", "SyCE E")
    yield rows.alike("O3", "SyCE v1", "SyCE E")
    yield rows.better("O4", "SyCE E", "CyCE E")
    if (task, row[0]) == ("brain", FDR):
        yield rows.better("O4", "CyCE v2,k", _OURS)
    else:
        yield rows.best("O4", _OURS)
    for method in STATE_OF_THE_ART:
        yield rows.better("O5", "SyCE E", method)


class _Row(NamedTuple):
    """One row of Table 1, and claims about it."""

    task: str | None
    scores: Scores
    row: tuple[str, float]

    def better(self, name: str, first: str, second: str, *, text: str = "") -> Claim:
        """That one method is better: more IoU, less FDR."""
        measure, percentile = self.row
        bound = {"minimum": 0.0} if measure == IOU else {"maximum": 0.0}
        text = text or f"{first} maps localise better than {second} maps."
        return self._claim(name, f"{text} {measure} at percentile {percentile:g}.", first, second, strict=True, **bound)

    def alike(self, name: str, first: str, second: str) -> Claim:
        """That two methods are on par."""
        measure, percentile = self.row
        text = f"{first} maps localise about as {second} maps, to {_PAR:g}. {measure} at percentile {percentile:g}."
        return self._claim(name, text, first, second, minimum=-_PAR, maximum=_PAR)

    def best(self, name: str, method: str) -> Claim:
        """That no other method of the table is better than one."""
        values = self.scores.values[self.row]
        others = {each: values[each].mean() for each in METHODS if each != method}
        rival = (max if self.row[0] == IOU else min)(others, key=lambda each: others[each])
        return self.better(name, method, rival, text=f"{method} maps localise best, here against {rival}.")

    def _claim(self, name: str, text: str, first: str, second: str, *, strict: bool = False, **bounds: float) -> Claim:
        measure, percentile = self.row
        values, paper = self.scores.values[self.row], published.localisation(self.task, measure, percentile)
        return paired_claim(
            f"{name} {measure} {percentile:g} {first} / {second}",
            text,
            _chosen(paper, (first, second)),
            {first: values[first], second: values[second]},
            f"{measure} at percentile {percentile:g}",
            groups=self.scores.patients,
            strict=strict,
            **bounds,
        )


def _relevance(task: str | None, found: Faithfulness) -> list[Claim]:
    """O6 to O9 on Table 2."""
    pairs = _relevance_pairs(task, found)
    made = [_relevance_claim(task, found, *each) for each in pairs]
    return [each for each in made if each is not None]


def _relevance_pairs(task: str | None, found: Faithfulness) -> Iterator[tuple[str, str, str, str, bool]]:
    """Name, better and worse method, group, and whether strictly."""
    groups = [each for each in published.GROUPS if found.group(each).sum() > 1]
    if not groups:
        return
    for group, generator, variant in itertools.product(groups, GENERATORS, _WEIGHED):
        yield "O6", f"{generator} {variant}", f"{generator} E", group, True
    whole = published.GROUPS[0]
    yield "O7 best", _OURS, _best(found, [each for each in METHODS if each != _OURS]), whole, True
    for generator in GENERATORS:
        yield "O7", f"{generator} v2,k", f"{generator} v2", whole, False
    if task == "pneumonia":
        for generator in GENERATORS:
            yield "O7 reversed", f"{generator} v2", f"{generator} v2,k", "0", True
        for group in groups:
            yield "O8", "CyCE E", "SyCE E", group, True
    if task == "brain":
        for group in groups:
            yield "O8", "SyCE E", "CyCE E", group, True
        without_1 = [each for each in groups if each != "1"]
        for group, method in itertools.product(without_1, ("SAGen E", "Grad-CAM")):
            yield "O8", method, _best(found, [f"CyCE {each}" for each in published.VARIANTS], group), group, True
    yield "O9", _best(found, METHODS, sign=-1), RANDOM, whole, True
    if task == "pneumonia":
        for method in ("Gradient", "Integrated Gradients"):
            yield "O9 below random", RANDOM, method, "1", True


def _best(found: Faithfulness, methods: Sequence[str], group: str = "ALL", *, sign: int = 1) -> str:
    """The method of highest R, or with sign -1 of lowest."""
    return max(methods, key=lambda each: sign * _score(found, each, group))


def _score(found: Faithfulness, method: str, group: str) -> float:
    return relevance_score(*found.sweeps[method].areas[found.group(group)].T)


def _relevance_claim(
    task: str | None, found: Faithfulness, name: str, first: str, second: str, group: str, strict: bool
) -> Claim | None:
    """That R of one method is higher; None for a group of fewer than two images."""
    interval = found.relevance_difference(first, second, group)
    if interval is None:
        return None
    ours = {each: _score(found, each, group) for each in (first, second)}
    where = "all images" if group == published.GROUPS[0] else f"images predicted {group}"
    return claim(
        f"{name} R {group} {first} / {second}",
        f"The classifier uses what {first} maps name {'more than' if strict else 'at least as much as'} what {second} maps"
        f" name, on {where}.",
        _chosen(published.relevance(task, group), (first, second)),
        ours,
        interval,
        f"relevance score R; {first} minus {second}, over {found.group(group).sum()} images",
        minimum=0.0,
        strict=strict,
    )


def _perturbation(found: Faithfulness) -> Iterator[Claim]:
    """O10, on the AOPC over the full sweep."""
    reached = {method: found.above_random(method)[:, -1] for method in METHODS}

    def higher(name: str, first: str, second: str, text: str) -> Claim:
        return paired_claim(
            f"{name} AOPC {first} / {second}",
            text,
            {},
            {first: reached[first], second: reached[second]},
            "AOPC over the full sweep less that of random maps",
            groups=found.patients,
            minimum=0.0,
            strict=True,
        )

    if len(found.predicted) < 2:
        return
    for generator, variant in itertools.product(GENERATORS, _WEIGHED):
        first, second = f"{generator} {variant}", f"{generator} E"
        yield higher(
            "O10",
            first,
            second,
            f"Overwriting in the order of {first} maps lowers the score more than in that of {second} maps.",
        )
    rival = max((each for each in METHODS if not each.startswith("SyCE")), key=lambda each: reached[each].mean())
    text = f"Overwriting by the order of {_OURS} maps does more than by that of any map without SyCE, here {rival}."
    yield higher("O10 best", _OURS, rival, text)


def _chosen(paper: Mapping[str, float], methods: tuple[str, str]) -> dict[str, float]:
    return {each: paper[each] for each in methods if each in paper}
