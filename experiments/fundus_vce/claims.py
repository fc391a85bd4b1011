"""The paper's orderings each with an interval over images and a verdict."""

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np

from cfx_jax.attributions import vce_saliency
from cfx_jax.counterfactuals import Counterfactual
from cfx_jax.metrics import balanced_weights
from cfx_jax.report import Claim
from experiments.fundus_vce import published
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.evaluate import Evaluation, Evaluations
from experiments.fundus_vce.explain import Studied
from experiments.fundus_vce.localise import ABLATIONS, GUIDED, INTEGRATED, Localised, vce_method
from experiments.interval_claims import mean_claim, paired_claim

_VISIBLE = 1 / 255  # a pixel is changed where a channel moves by more than one grey level
_TOP = 0.01  # share of pixels whose part of the change's energy measures sparsity
_SLACK = 0.01  # fall of confidence that a search's own inaccuracy explains


def claims(
    config: Config, data: Data, evaluations: Evaluations, studied: Studied, localised: Localised | None
) -> list[Claim]:
    """All claims that these data can test."""
    found = [claim for place in data.tests for claim in _accuracy_claims(evaluations, place)]
    if localised is not None:
        found += _overlap_claims(localised)
    found += _confidence_claims(config, data, studied)
    found += _size_claims(config, data, studied)
    found.append(_saturation_claim(config, data, studied))
    return [dataclasses.replace(each, note=data.note) for each in found]


def _accuracy_claims(evaluations: Evaluations, place: str) -> list[Claim]:
    """Orderings 1 to 3 on one test set."""
    measures = {name: evaluations[place, name] for name in ("plain", "robust", "ensemble")}
    end = "" if place == "test" else f" ({place})"
    of = _Pairs(measures, published.TABLE_1[place], end)
    return [
        of.difference("1a", "The ensemble is about as accurate as the plain model: at most 2 points below.",
                      "accuracy", "ensemble", "plain", minimum=-0.02),
        of.difference("1b", "The ensemble's balanced accuracy is at most 2 points below the plain model's.",
                      "balanced", "ensemble", "plain", minimum=-0.02),
        of.difference("2a", "The robust model is far more robust than the ensemble: by more than 20 points.",
                      "robust", "robust", "ensemble", minimum=0.2),
        of.difference("2b", "The ensemble is a little more robust than the plain model.",
                      "robust", "ensemble", "plain", minimum=0.0),
        of.difference("3a", "The robust model is less accurate than the plain model.",
                      "accuracy", "plain", "robust", minimum=0.0),
        of.difference("3b", "The robust model is less accurate than the plain model by more than 10 points.",
                      "accuracy", "plain", "robust", minimum=0.1),
    ]  # fmt: skip


class _Pairs:
    """Differences between classifiers on the same images."""

    def __init__(self, measures: Mapping[str, Evaluation], paper: Mapping[str, Mapping[str, float]], end: str) -> None:
        self._measures, self._paper, self._end = measures, paper, end

    def difference(self, name: str, text: str, kind: str, first: str, second: str, *, minimum: float) -> Claim:
        one, other = (_per_image(self._measures[each], kind) for each in (first, second))
        return paired_claim(
            name + self._end,
            text + self._end,
            {each: self._paper[each][kind] / 100 for each in (first, second)},
            {first: one, second: other},
            f"{published.KINDS[kind]}, claimed: above {minimum:g}",
            minimum=minimum,
            strict=minimum >= 0,
        )


def _per_image(evaluation: Evaluation, kind: str) -> np.ndarray:
    """Numbers for each image whose mean is the measure."""
    if kind == "robust":
        return evaluation.robust.astype(float)
    correct = evaluation.correct.astype(float)
    if kind == "accuracy":
        return correct
    return correct * balanced_weights(evaluation.label)


def _overlap_claims(localised: Localised) -> list[Claim]:
    """Orderings 4 and 5."""
    iou, found = localised.iou, []
    for better, method in itertools.product(("robust", "ensemble"), (*localised.methods, *ABLATIONS)):
        found.append(
            paired_claim(
                f"4 {method} {better}",
                f"{method} maps of the {better} model overlap the lesions more than those of the plain model.",
                {each: published.overlap(each, method) for each in (better, "plain")},
                {better: iou[better, method], "plain": iou["plain", method]},
                "IoU",
                minimum=0.0,
                strict=True,
            )
        )
    for method in localised.methods:
        found.append(
            paired_claim(
                f"4 {method} equal",
                f"{method} maps of the robust model and of the ensemble overlap the lesions alike, to 0.01.",
                {each: published.overlap(each, method) for each in ("robust", "ensemble")},
                {each: iou[each, method] for each in ("robust", "ensemble")},
                "IoU",
                minimum=-0.01,
                maximum=0.01,
            )
        )
    sparse, *others = (each for each in localised.methods if each not in (GUIDED, INTEGRATED))
    order = [(GUIDED, INTEGRATED), (INTEGRATED, sparse), *((sparse, each) for each in others)]
    for name, (first, second) in itertools.product(("robust", "ensemble"), order):
        found.append(
            paired_claim(
                f"5 {first} {second} {name}",
                f"For the {name} model, {first} maps overlap the lesions at least as much as {second} maps.",
                {each: published.overlap(name, each) for each in (first, second)},
                {each: iou[name, each] for each in (first, second)},
                "IoU",
                minimum=0.0,
            )
        )
    return found


def _confidence_claims(config: Config, data: Data, studied: Studied) -> list[Claim]:
    """Ordering 6, along the sweep of the ensemble."""
    settings, finding = config.explanations, data.finding
    norm, healthy = settings.norms[-1], 0
    values = {key: np.asarray(found.probability) for key, found in studied.sweep.items()}
    falls = [
        values[after, target] - values[before, target]
        for before, after in itertools.pairwise(settings.sweep)
        for target in range(len(data.class_names))
    ]
    steady = np.min(falls, axis=0) >= -_SLACK
    right = (studied.images.labels == finding) & (studied.predicted("ensemble") == finding)
    small, named = settings.sweep[0], data.class_names
    found = [
        mean_claim(
            "6a",
            f"The confidence in the target does not fall as the radius grows (l{norm:g}, ensemble).",
            {"share of images": 1.0},
            steady.astype(float),
            f"share of images without a fall by more than {_SLACK:g} in either direction; claimed: at least 0.95",
            minimum=0.95,
        )
    ]
    if right.sum() < 2:
        return found
    table = np.asarray(studied.vce["ensemble", norm, healthy].probability)[right]
    return [
        *found,
        paired_claim(
            "6b",
            f"For images of {named[finding]} rightly classified, enhancing the class saturates no later than flipping it.",
            {"enhanced": 1.0, "flipped": 0.74},
            {"enhanced": values[small, finding][right], "flipped": values[small, healthy][right]},
            f"probability of the target at l{norm:g}, ε = {small:g}",
            minimum=0.0,
        ),
        mean_claim(
            "6c",
            f"At l{norm:g}, ε = {settings.radii[-1]:g} the flip from {named[finding]} to {named[healthy]} stays below 1.",
            {"lowest": 0.82, "highest": 0.95},
            table,
            "mean probability of the target; claimed: at most 0.99",
            maximum=0.99,
        ),
    ]


def _size_claims(config: Config, data: Data, studied: Studied) -> list[Claim]:
    """Ordering 7: how large and how sparse changes are."""
    settings, image = config.explanations, studied.images.arrays["image"]
    targets = range(len(data.class_names))
    smallest, largest = (
        np.concatenate([_change(image, studied.sweep[radius, target]) for target in targets])
        for radius in (settings.sweep[0], settings.sweep[-1])
    )
    ends = (f"ε = {settings.sweep[-1]:g}", f"ε = {settings.sweep[0]:g}")
    norm = settings.norms[-1]
    length, area = (lambda change: np.sqrt(np.square(change).sum((1, 2, 3)))), _area
    found = [
        paired_claim(
            name, text, {}, dict(zip(ends, map(measure, (largest, smallest)), strict=True)), of, minimum=0, strict=True
        )
        for name, text, measure, of in (
            ("7a", "The change grows with the radius.", length, f"l2 norm of the change, l{norm:g}"),
            ("7b", "The changed area grows with the radius.", area, f"share of pixels changed visibly, l{norm:g}"),
        )
    ]
    sparsity = {
        p: np.concatenate([_top_share(_change(image, studied.vce["ensemble", p, target])) for target in targets])
        for p in settings.norms
    }
    found += [
        paired_claim(
            f"7c l{p:g} l{q:g}",
            f"Changes in l{p:g} are sparser than in l{q:g}.",
            {},
            {f"l{p:g}": sparsity[p], f"l{q:g}": sparsity[q]},
            f"share of the change's energy in {_TOP:.0%} of the pixels",
            minimum=0,
            strict=True,
        )
        for p, q in itertools.pairwise(settings.norms)
    ]
    return found


def _saturation_claim(config: Config, data: Data, studied: Studied) -> Claim:
    """Ordering 8."""
    p, radius = config.explanations.norms[0], config.explanations.radii[0]
    reached = [np.asarray(studied.vce["plain", p, target].probability) for target in range(len(data.class_names))]
    return mean_claim(
        "8",
        "Counterfactuals of the plain model are confident too: confidence does not tell the models apart.",
        {vce_method(p): 1.0},
        np.concatenate(reached),
        f"mean probability of the target at l{p:g}, ε = {radius:g}; claimed: at least 0.95",
        minimum=0.95,
    )


def _change(image: np.ndarray, found: Counterfactual) -> np.ndarray:
    return np.asarray(vce_saliency(image, np.asarray(found.image)))


def _area(change: np.ndarray) -> np.ndarray:
    return (np.abs(change).max(axis=-1) > _VISIBLE).mean(axis=(1, 2))


def _top_share(change: np.ndarray) -> np.ndarray:
    energy = np.sort(np.square(change).sum(axis=-1).reshape(len(change), -1), axis=1)
    top = energy[:, -max(1, round(_TOP * energy.shape[1])) :].sum(axis=1)
    return top / np.maximum(energy.sum(axis=1), np.finfo(energy.dtype).tiny)
