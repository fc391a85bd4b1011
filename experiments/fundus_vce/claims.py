"""The paper's sentences and orderings, and targets of ours, each with an interval and a verdict.

What is drawn independently is the patient where an image set knows patients, the picture where some
are there twice, else the image. Numbers of one image, such as those of its counterfactuals towards
both classes, are averaged before anything is drawn.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from cfx_jax.attributions import vce_saliency
from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.metrics import Interval, balanced_accuracy, bootstrap_interval
from cfx_jax.report import Claim
from cfx_jax.report.claims import Kind
from experiments.fundus_vce import published
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluation, Evaluations
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.intervals import balanced_difference_interval
from experiments.fundus_vce.localise import ABLATIONS, GUIDED, INTEGRATED, Localised, vce_method
from experiments.shared.image_set import ImageSet
from experiments.shared.interval_claims import (
    claim,
    counted,
    mean_claim,
    of_one_training,
    paired_claim,
)

_VISIBLE = 1 / 255  # a pixel is changed where a channel moves by more than one grey level
_TOP = 0.01  # share of pixels whose part of the change's energy measures sparsity
_SLACK = 0.01  # fall of confidence that a search's own inaccuracy explains
# difference of overlap below which two models' maps are as good as each other: the unit of Table 2
_ALIKE = 0.01
# the same for methods: the largest difference in Table 2 that the paper calls on par, GBP 0.15 and
# l2 0.12
_ON_PAR = 0.03
_FEWEST = 10  # images, or groups of them, below which nothing is decided


_Grouped: TypeAlias = ImageSet | Evaluation
"""Images that know which of them are drawn together."""


def claims(
    config: Config,
    data: Data,
    evaluations: Evaluations,
    studied: Studied,
    localised: Localised | None,
) -> list[Claim]:
    """All claims that these data can test; on a user's own images they are targets, without the
    paper's figures.
    """
    found = [each for place in data.tests for each in _accuracy_claims(evaluations, place)]
    if localised is not None:
        found += _overlap_claims(localised)
    found += _confidence_claims(config, data, studied)
    found += _size_claims(config, data, studied)
    found.append(_saturation_claim(config, data, studied))
    if localised is not None:
        found += _on_par_claims(localised)
    if not data.published:
        found = [dataclasses.replace(each, paper={}, kind="target", place="") for each in found]
    return of_one_training(found)


def _enough(found: Claim, values: Float[np.ndarray, " n"], of: _Grouped) -> Claim:
    """The claim, undecided where it rests on too few images or groups of them."""
    number, unit = (
        (len(values), "images") if of.groups is None else (len(np.unique(of.groups)), of.group_unit)
    )
    if number >= _FEWEST or found.interval is None:
        return found
    unknown = Interval(found.interval[0], np.nan, np.nan)
    note = f"{number} {unit} are too few to decide"
    return dataclasses.replace(found, interval=unknown, verdict="undecided", note=note)


def _paired(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    ours: Mapping[str, np.ndarray],
    statistic: str,
    *,
    of: _Grouped,
    **options: Any,
) -> Claim:
    """``paired_claim`` over groups of images, undecided where they are few."""
    found = paired_claim(
        name, text, paper, ours, statistic, groups=of.groups, group_unit=of.group_unit, **options
    )
    return _enough(found, next(iter(ours.values())), of)


def _mean(
    name: str,
    text: str,
    paper: Mapping[str, Any],
    values: np.ndarray,
    statistic: str,
    *,
    of: _Grouped,
    **options: Any,
) -> Claim:
    """``mean_claim`` over groups of images, undecided where they are few."""
    found = mean_claim(
        name, text, paper, values, statistic, groups=of.groups, group_unit=of.group_unit, **options
    )
    return _enough(found, values, of)


def _accuracy_claims(evaluations: Evaluations, place: str) -> list[Claim]:
    """Claims 1 to 3 on one test set."""
    of = _Pairs({name: evaluations[place, name] for name in ("plain", "robust", "ensemble")}, place)
    return [
        of.difference(
            "1a",
            "The ensemble is about as accurate as the plain model: at most 2 points below.",
            "accuracy",
            "ensemble",
            "plain",
            minimum=-0.02,
            kind="statement",
            said="section 3.1, second paragraph",
        ),
        of.difference(
            "1b",
            "The ensemble's balanced accuracy is at most 2 points below the plain model's.",
            "balanced",
            "ensemble",
            "plain",
            minimum=-0.02,
            said="Table 1",
        ),
        of.difference(
            "2a",
            "The robust model is far more robust than the ensemble: by more than 20 points.",
            "robust",
            "robust",
            "ensemble",
            minimum=0.2,
            said="Table 1",
        ),
        of.difference(
            "2b",
            "The ensemble is more robust than the plain model.",
            "robust",
            "ensemble",
            "plain",
            minimum=0.0,
            kind="statement",
            said="section 3.1, second paragraph",
        ),
        of.difference(
            "3a",
            "The robust model is less accurate than the plain model.",
            "accuracy",
            "plain",
            "robust",
            minimum=0.0,
            said="Table 1",
        ),
        of.difference(
            "3b",
            "The robust model is less accurate than the plain model by more than 10 points.",
            "accuracy",
            "plain",
            "robust",
            minimum=0.1,
            kind="statement",
            said="section 3.1, first paragraph",
        ),
    ]


class _Pairs:
    """Differences between classifiers on the same images of one test set."""

    def __init__(self, measures: Mapping[str, Evaluation], place: str) -> None:
        self._measures, self._place = measures, place

    def difference(
        self,
        name: str,
        text: str,
        measure: str,
        first: str,
        second: str,
        *,
        minimum: float,
        said: str,
        kind: Kind = "ordering",
    ) -> Claim:
        end = "" if self._place == "test" else f" ({self._place})"
        one, other = (_answers(self._measures[each], measure) for each in (first, second))
        images = self._measures[first].attacked if measure == "robust" else self._measures[first]
        paper = {
            each: published.TABLE_1[self._place][each][measure] / 100 for each in (first, second)
        }
        statistic = f"{published.KINDS[measure]} (claimed: above {minimum:g})"
        options: dict[str, Any] = {
            "kind": kind,
            "place": said,
            "minimum": minimum,
            "strict": minimum >= 0,
        }
        name, text = name + end, text + end
        if measure != "balanced":
            ours = {first: one.astype(float), second: other.astype(float)}
            return _paired(name, text, paper, ours, statistic, of=images, **options)
        interval = balanced_difference_interval(one, other, images.label, images.groups)
        means = {
            each: balanced_accuracy(a, images.label) for each, a in ((first, one), (second, other))
        }
        over = counted(len(one), "images", images.groups, images.group_unit)
        statistic += (
            f"; {first} minus {second}, paired over {over}, as many of each class in every draw"
        )
        found = claim(name, text, paper, means, interval, statistic, **options)
        return _enough(found, one, images)


def _answers(evaluation: Evaluation, measure: str) -> np.ndarray:
    """Whether each image is right: as it is, or under attack."""
    return evaluation.robust if measure == "robust" else evaluation.correct


def _overlap_claims(localised: Localised) -> list[Claim]:
    """Claims 4 and 5."""
    return [
        *_better_than_plain(localised),
        *_as_good_as_robust(localised),
        *_order_of_methods(localised),
    ]


def _better_than_plain(localised: Localised) -> list[Claim]:
    return [
        _between_maps(
            localised,
            f"4 {method} {better}",
            f"{method} maps of the {better} model overlap the lesions more than those of the plain"
            f" model.",
            {better: (better, method), "plain": ("plain", method)},
            **_said_of(better, method),
            minimum=0.0,
            strict=True,
        )
        for better, method in itertools.product(
            ("robust", "ensemble"), (*localised.methods, *ABLATIONS)
        )
    ]


def _said_of(better: str, method: str) -> dict[str, str]:
    """Where the paper says that a model's maps are better than the plain one's."""
    if method in ABLATIONS:
        return {"kind": "target"}
    if better == "ensemble":
        return {"kind": "statement", "place": "Table 2, caption"}
    if method in (GUIDED, INTEGRATED):
        return {"kind": "statement", "place": "section 3.1, first paragraph"}
    return {"kind": "statement", "place": "Figure 1, caption"}


def _as_good_as_robust(localised: Localised) -> list[Claim]:
    return [
        _between_maps(
            localised,
            f"4 {method} equal",
            f"{method} maps of the ensemble overlap the lesions as well as those of the robust"
            f" model, to {_ALIKE:g}.",
            {each: (each, method) for each in ("ensemble", "robust")},
            kind="statement",
            place="section 3.1, second paragraph",
            minimum=-_ALIKE,
        )
        for method in localised.methods
    ]


def _order_of_methods(localised: Localised) -> list[Claim]:
    sparse, *others = (each for each in localised.methods if each not in (GUIDED, INTEGRATED))
    table: dict[str, Any] = {"kind": "ordering", "place": "Table 2"}
    best: dict[str, Any] = {
        "kind": "statement",
        "place": "section 3.2",
    }  # "produced the best quality of T-VSMs"
    order = [
        (GUIDED, INTEGRATED, table),
        (INTEGRATED, sparse, table),
        *((sparse, each, best) for each in others),
    ]
    return [
        _between_maps(
            localised,
            f"5 {first} {second} {name}",
            f"For the {name} model, {first} maps overlap the lesions at least as much as {second}"
            f" maps.",
            {first: (name, first), second: (name, second)},
            **said,
            minimum=0.0,
        )
        for name, (first, second, said) in itertools.product(("robust", "ensemble"), order)
    ]


def _on_par_claims(localised: Localised) -> list[Claim]:
    """Claim 9: the paper's conclusion from Table 2, with the norm that was chosen."""
    method = vce_method(localised.norm)
    return [
        _between_maps(
            localised,
            f"9 {method} {other} {name}",
            f"For the {name} model, {method} maps are on par with {other}: their overlaps differ by"
            f" at most {_ON_PAR:g}.",
            {method: (name, method), other: (name, other)},
            kind="statement",
            place="section 2.5, last paragraph",
            minimum=-_ON_PAR,
            maximum=_ON_PAR,
        )
        for name, other in itertools.product(("plain", "robust", "ensemble"), (GUIDED, INTEGRATED))
    ]


def _between_maps(
    localised: Localised, name: str, text: str, pair: Mapping[str, tuple[str, str]], **options: Any
) -> Claim:
    """A claim about the overlap of two kinds of maps, given as ``{name: (classifier, method)}``."""
    paper = {each: published.overlap(*key) for each, key in pair.items()}
    ours = {each: localised.iou[key] for each, key in pair.items()}
    return _paired(name, text, paper, ours, "IoU", of=localised.images, **options)


class _Sample:
    """The images that claims are about, of those studied, in numbers."""

    def __init__(self, studied: Studied) -> None:
        self._studied, self._part = studied, slice(0, studied.sample)
        self.images = studied.images.take(np.arange(studied.sample))
        self.labels = self.images.labels

    def predicted(self, name: str) -> np.ndarray:
        return self._studied.predicted(name)[self._part]

    def probability(self, found: Counterfactual) -> np.ndarray:
        return np.asarray(found.probability)[self._part]

    def change(self, found: Counterfactual) -> np.ndarray:
        return np.asarray(
            vce_saliency(self.images.arrays["image"], np.asarray(found.image)[self._part])
        )


def _confidence_claims(config: Config, data: Data, studied: Studied) -> list[Claim]:
    """Claim 6, along the sweep of the ensemble."""
    settings, finding, sample = config.explanations, data.finding, _Sample(studied)
    norm, healthy = settings.norms[-1], 0
    values = {key: sample.probability(found) for key, found in studied.sweep.items()}
    falls = [
        values[after, target] - values[before, target]
        for before, after in itertools.pairwise(settings.sweep)
        for target in range(len(data.class_names))
    ]
    steady = np.min(falls, axis=0) >= -_SLACK
    right = np.flatnonzero((sample.labels == finding) & (sample.predicted("ensemble") == finding))
    small, named = settings.sweep[0], data.class_names
    found = [
        _mean(
            "6a",
            f"The confidence in the target does not fall as the radius grows (l{norm:g},"
            f" ensemble).",
            {"share of images": 1.0},
            steady.astype(float),
            f"share of images without a fall by more than {_SLACK:g} in either direction (claimed:"
            f" at least 0.95)",
            kind="ordering",
            place="Figures 3, 6 and 7",
            of=sample.images,
            minimum=0.95,
        )
    ]
    if not len(right):
        return found
    flipped = sample.probability(studied.vce["ensemble", norm, healthy])[right]
    shown = sample.images.take(right)
    return [
        *found,
        _paired(
            "6b",
            f"For images of {named[finding]} rightly classified, enhancing the class saturates no"
            f" later than flipping it.",
            {"enhanced": 1.0, "flipped": 0.74},
            {"enhanced": values[small, finding][right], "flipped": values[small, healthy][right]},
            f"probability of the target at l{norm:g}, ε = {small:g}",
            kind="ordering",
            place="Figure 3",
            of=shown,
            minimum=0.0,
        ),
        _mean(
            "6c",
            f"At l{norm:g}, ε = {studied.radii[norm]:g} the flip from {named[finding]} to"
            f" {named[healthy]} stays below 1.",
            {"Figure 2": 0.92, "Figure 4": 0.86, "Figure 5": 0.82},
            flipped,
            "mean probability of the target (claimed: at most 0.99)",
            of=shown,
            maximum=0.99,
        ),
    ]


def _size_claims(config: Config, data: Data, studied: Studied) -> list[Claim]:
    """Claim 7: how large and how sparse changes are, mean over the targets of each image."""
    settings, sample, targets = config.explanations, _Sample(studied), range(len(data.class_names))

    def measured(measure: Any, founds: Sequence[Counterfactual]) -> np.ndarray:
        return np.mean([measure(sample.change(found)) for found in founds], axis=0)

    swept = {
        f"ε = {radius:g}": [studied.sweep[radius, target] for target in targets]
        for radius in (settings.sweep[-1], settings.sweep[0])
    }
    norm = settings.norms[-1]
    found = [
        _paired(
            name,
            text,
            {},
            {radius: measured(measure, changes) for radius, changes in swept.items()},
            f"{of}, l{norm:g}, mean over the targets",
            kind="statement",
            place=place,
            of=sample.images,
            minimum=0,
            strict=True,
        )
        for name, text, measure, of, place in (
            (
                "7a",
                "The change grows with the radius.",
                _length,
                "l2 norm of the change",
                "Figure 3, caption",
            ),
            (
                "7b",
                "The changed area grows with the radius.",
                _area,
                "share of pixels changed visibly",
                "section 3.4",
            ),
        )
    ]
    sparsity = {
        p: measured(_top_share, [studied.vce["ensemble", p, target] for target in targets])
        for p in settings.norms
    }
    found += [
        _paired(
            f"7c l{p:g} l{q:g}",
            f"Changes in l{p:g} are sparser than in l{q:g}.",
            {},
            {f"l{p:g}": sparsity[p], f"l{q:g}": sparsity[q]},
            f"share of the change's energy in {_TOP:.0%} of the pixels, mean over the targets",
            kind="statement",
            place="section 3.2",
            of=sample.images,
            minimum=0,
            strict=True,
        )
        for p, q in itertools.pairwise(settings.norms)
    ]
    return found


def _saturation_claim(config: Config, data: Data, studied: Studied) -> Claim:
    """Claim 8, a target: the paper shows one such image, in Figure 1."""
    p, sample = config.explanations.norms[0], _Sample(studied)
    targets = range(len(data.class_names))
    reached = np.mean(
        [sample.probability(studied.vce["plain", p, target]) for target in targets], axis=0
    )
    interval = bootstrap_interval(reached, groups=sample.images.groups, bounds=(0.0, 1.0))
    found = claim(
        "8",
        "Counterfactuals of the plain model are confident too: confidence does not tell the models"
        " apart.",
        {vce_method(p): 1.0},
        {"mean": float(reached.mean())},
        interval,
        f"probability of the target at l{p:g}, ε = {studied.radii[p]:g}, mean over the targets"
        f" (claimed: at least 0.95),"
        f" over {counted(len(reached), 'images', sample.images.groups, sample.images.group_unit)}",
        minimum=0.95,
    )
    return _enough(found, reached, sample.images)


def _length(change: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(change).sum((1, 2, 3)))


def _area(change: np.ndarray) -> np.ndarray:
    return (np.abs(change).max(axis=-1) > _VISIBLE).mean(axis=(1, 2))


def _top_share(change: np.ndarray) -> np.ndarray:
    energy = np.sort(np.square(change).sum(axis=-1).reshape(len(change), -1), axis=1)
    top = energy[:, -max(1, round(_TOP * energy.shape[1])) :].sum(axis=1)
    return top / np.maximum(energy.sum(axis=1), np.finfo(energy.dtype).tiny)
