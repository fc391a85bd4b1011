"""The paper's sentences and orderings, and targets of ours, each with an interval and a verdict.

The units drawn independently are patients where an image set has patients, pictures where some are
there twice, else images. Numbers of one image, such as the numbers of its counterfactuals towards
both classes, are averaged before anything is drawn.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, balanced_accuracy, bootstrap_interval
from experiments.fundus_vce import published
from experiments.fundus_vce.accuracy import Evaluation
from experiments.fundus_vce.localisation import ABLATIONS, GUIDED, INTEGRATED, Localised, vce_method
from experiments.fundus_vce.study import Study
from experiments.shared import (
    AT_LEAST,
    MORE,
    Claim,
    ImageSet,
    Statement,
    add_levels,
    balanced_difference_interval,
    counted,
    of_one_training,
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
"""Images and the groups in which they are drawn together."""


def make_claims(study: Study) -> list[Claim]:
    """All claims that these data can test.

    On a user's own images they are targets, without the paper's figures.
    """
    claims = [claim for place in study.data.tests for claim in _accuracy_claims(study, place)]
    localised = study.localised
    if localised is not None:
        claims += [*_better_than_plain(localised), *_as_good_as_robust(localised)]
        claims += _order_of_methods(localised)
    claims += [*_confidence_claims(study), *_size_claims(study), _saturation_claim(study)]
    if localised is not None:
        claims += _on_par_claims(localised)
    if not study.data.published:
        claims = [dataclasses.replace(made, paper={}, kind="target", place="") for made in claims]
    return of_one_training(claims)


def _enough(made: Claim, images: _Grouped) -> Claim:
    """The claim, undecided where it rests on too few images or groups of them."""
    if images.groups is None:
        number, unit = len(images.labels), "images"
    else:
        number, unit = len(np.unique(images.groups)), images.group_unit
    if number >= _FEWEST or made.interval is None:
        return made
    unknown = Interval(made.interval[0], np.nan, np.nan)
    note = f"{number} {unit} are too few to decide"
    return dataclasses.replace(made, interval=unknown, verdict="undecided", note=note)


def _settle(images: _Grouped, how: Callable[..., Claim], *given: Any, **bounds: Any) -> Claim:
    """The claim over groups of images, undecided where they are few.

    Args:
        images: the images, with their groups.
        how: ``settle_pair`` or ``settle_mean`` of a statement, and what these are given.
        bounds: the bounds of the statistic.
    """
    made = how(*given, groups=images.groups, group_unit=images.group_unit, **bounds)
    return _enough(made, images)


# ---- Claims 1 to 3: accuracy on one test set


class _Lead(NamedTuple):
    """A lead of one classifier over another, in a column of Table 1."""

    measure: str
    first: str
    second: str
    minimum: float


_FIRST_PARAGRAPH, _SECOND_PARAGRAPH = (
    "section 3.1, first paragraph",
    "section 3.1, second paragraph",
)
_LEADS = {
    _Lead("accuracy", "ensemble", "plain", -0.02): Statement(
        "1a",
        "The ensemble is about as accurate as the plain model: at most 2 points below.",
        _SECOND_PARAGRAPH,
    ),
    _Lead("balanced", "ensemble", "plain", -0.02): Statement(
        "1b",
        "The ensemble's balanced accuracy is at most 2 points below the plain model's.",
        "Table 1",
        "ordering",
    ),
    _Lead("robust", "robust", "ensemble", 0.2): Statement(
        "2a",
        "The robust model is far more robust than the ensemble: by more than 20 points.",
        "Table 1",
        "ordering",
    ),
    _Lead("robust", "ensemble", "plain", 0.0): Statement(
        "2b", "The ensemble is more robust than the plain model.", _SECOND_PARAGRAPH
    ),
    _Lead("accuracy", "plain", "robust", 0.0): Statement(
        "3a", "The robust model is less accurate than the plain model.", "Table 1", "ordering"
    ),
    _Lead("accuracy", "plain", "robust", 0.1): Statement(
        "3b",
        "The robust model is less accurate than the plain model by more than 10 points.",
        _FIRST_PARAGRAPH,
    ),
}


def _accuracy_claims(study: Study, place: str) -> Iterator[Claim]:
    """Claims 1 to 3 on one test set."""
    end = "" if place == "test" else f" ({place})"
    for lead, statement in _LEADS.items():
        named = statement._replace(name=statement.name + end, text=statement.text + end)
        yield _accuracy_claim(study, place, named, lead)


def _accuracy_claim(study: Study, place: str, statement: Statement, lead: _Lead) -> Claim:
    """A claim that one classifier leads another on the same images."""
    measure, pair = lead.measure, (lead.first, lead.second)
    images = study.evaluations[place, lead.first]
    images = images.attacked if measure == "robust" else images
    answers = {name: _answers(study.evaluations[place, name], measure) for name in pair}
    paper = {name: published.TABLE_1[place][name][measure] / 100 for name in pair}
    is_strict = lead.minimum >= 0  # "almost as good" is at least so good
    bound = f"{'above' if is_strict else 'at least'} {lead.minimum:g}"
    statistic = f"{published.KINDS[measure]} (claimed: {bound})"
    bounds: dict[str, Any] = {"minimum": lead.minimum, "strict": is_strict}
    if measure != "balanced":
        ours = {name: correct.astype(float) for name, correct in answers.items()}
        return _settle(images, statement.settle_pair, paper, ours, statistic, **bounds)
    one, other = answers.values()
    interval = balanced_difference_interval(one, other, images.labels, images.groups)
    means = {name: balanced_accuracy(correct, images.labels) for name, correct in answers.items()}
    over = counted(len(images.labels), "images", images.groups, images.group_unit)
    statistic += (
        f"; {lead.first} minus {lead.second}, paired over {over}, as many of each class in every"
        " draw"
    )
    return _enough(statement.settle(paper, means, interval, statistic, **bounds), images)


def _answers(evaluation: Evaluation, measure: str) -> np.ndarray:
    """Whether each image is right: as it is, or under attack."""
    return evaluation.robust if measure == "robust" else evaluation.correct


# ---- Claims 4, 5 and 9: overlap of maps with lesions


def _better_than_plain(localised: Localised) -> Iterator[Claim]:
    """Claim 4: maps of the robust model and of the ensemble are better than the plain model's."""
    methods = (*localised.methods, *ABLATIONS)
    for better, method in itertools.product(("robust", "ensemble"), methods):
        statement = Statement(
            f"4 {method} {better}",
            f"{method} maps of the {better} model overlap the lesions more than those of the plain"
            " model.",
            _place_of_better(better, method),
            "target" if method in ABLATIONS else "statement",
        )
        pair = {better: (better, method), "plain": ("plain", method)}
        yield _between_maps(localised, statement, pair, **MORE)


def _place_of_better(better: str, method: str) -> str:
    """The places where the paper says that a model's maps are better than the plain one's."""
    if method in ABLATIONS:
        return ""
    if better == "ensemble":
        return "Table 2, caption"
    return _FIRST_PARAGRAPH if method in (GUIDED, INTEGRATED) else "Figure 1, caption"


def _as_good_as_robust(localised: Localised) -> Iterator[Claim]:
    """Claim 4: maps of the ensemble are as good as the robust model's."""
    for method in localised.methods:
        statement = Statement(
            f"4 {method} equal",
            f"{method} maps of the ensemble overlap the lesions as well as those of the robust"
            f" model, to {_ALIKE:g}.",
            _SECOND_PARAGRAPH,
        )
        pair = {name: (name, method) for name in ("ensemble", "robust")}
        yield _between_maps(localised, statement, pair, minimum=-_ALIKE)


def _order_of_methods(localised: Localised) -> Iterator[Claim]:
    """Claim 5: guided backprop, then integrated gradients, the sparsest norm, other norms."""
    sparse, *others = (name for name in localised.methods if name not in (GUIDED, INTEGRATED))
    order = [(GUIDED, INTEGRATED, "Table 2"), (INTEGRATED, sparse, "Table 2")]
    # "produced the best quality of T-VSMs"
    order += [(sparse, other, "section 3.2") for other in others]
    for name, (first, second, place) in itertools.product(("robust", "ensemble"), order):
        statement = Statement(
            f"5 {first} {second} {name}",
            f"For the {name} model, {first} maps overlap the lesions at least as much as {second}"
            " maps.",
            place,
            "ordering" if place == "Table 2" else "statement",
        )
        pair = {first: (name, first), second: (name, second)}
        yield _between_maps(localised, statement, pair, **AT_LEAST)


def _on_par_claims(localised: Localised) -> Iterator[Claim]:
    """Claim 9: the paper's conclusion from Table 2, with the norm that was chosen."""
    method, others = vce_method(localised.norm), (GUIDED, INTEGRATED)
    for name, other in itertools.product(("plain", "robust", "ensemble"), others):
        statement = Statement(
            f"9 {method} {other} {name}",
            f"For the {name} model, {method} maps are on par with {other}: their overlaps differ by"
            f" at most {_ON_PAR:g}.",
            "section 2.5, last paragraph",
        )
        pair = {method: (name, method), other: (name, other)}
        yield _between_maps(localised, statement, pair, minimum=-_ON_PAR, maximum=_ON_PAR)


def _between_maps(
    localised: Localised, statement: Statement, pair: Mapping[str, tuple[str, str]], **bounds: Any
) -> Claim:
    """A claim about the overlap of two kinds of maps, given as ``{name: (classifier, method)}``."""
    paper = {label: published.overlap(*key) for label, key in pair.items()}
    ours = {label: localised.iou[key] for label, key in pair.items()}
    claim = _settle(localised.images, statement.settle_pair, paper, ours, "IoU", **bounds)
    return add_levels(claim, [localised.level(*key) for key in pair.values()])


# ---- Claims 6 to 8: counterfactuals of test images


def _confidence_claims(study: Study) -> Iterator[Claim]:
    """Claim 6: the ensemble's confidence in the target, for several radii and both directions."""
    yield _steady_claim(study)
    yield from _flip_claims(study)


def _steady_claim(study: Study) -> Claim:
    settings, sample = study.config.explanations, study.explained.without_failures()
    confidence = {key: np.asarray(reached.probability) for key, reached in sample.sweep.items()}
    rises = [
        confidence[after, target] - confidence[before, target]
        for before, after in itertools.pairwise(settings.sweep)
        for target in range(len(study.data.class_names))
    ]
    is_steady = np.min(rises, axis=0) >= -_SLACK
    text = "The confidence in the target does not fall as the radius grows"
    statement = Statement(
        "6a",
        f"{text} (l{settings.norms[-1]:g}, ensemble).",
        "Figures 3, 6 and 7",
        "ordering",
    )
    return _settle(
        sample.images,
        statement.settle_mean,
        {"share of images": 1.0},
        is_steady.astype(float),
        f"share of images without a fall by more than {_SLACK:g} in either direction (claimed: at"
        " least 0.95)",
        minimum=0.95,
    )


def _flip_claims(study: Study) -> Iterator[Claim]:
    """Claims 6b and 6c: rightly classified images with the finding, enhanced and flipped."""
    settings, sample = study.config.explanations, study.explained.without_failures()
    finding, healthy, names = study.data.finding, 0, study.data.class_names
    norm, smallest = settings.norms[-1], settings.sweep[0]
    is_hit = sample.predicted("ensemble") == sample.images.labels
    rows = np.flatnonzero(is_hit & (sample.images.labels == finding))
    if not len(rows):
        return
    shown = sample.images.take(rows)
    yield _settle(
        shown,
        Statement(
            "6b",
            f"For images of {names[finding]} rightly classified, enhancing the class saturates no"
            " later than flipping it.",
            "Figure 3",
            "ordering",
        ).settle_pair,
        {"enhanced": 1.0, "flipped": 0.74},
        {
            "enhanced": np.asarray(sample.sweep[smallest, finding].probability)[rows],
            "flipped": np.asarray(sample.sweep[smallest, healthy].probability)[rows],
        },
        f"probability of the target at l{norm:g}, ε = {smallest:g}",
        **AT_LEAST,
    )
    yield _settle(
        shown,
        Statement(
            "6c",
            f"At l{norm:g}, ε = {sample.radii[norm]:g} the flip from {names[finding]} to"
            f" {names[healthy]} stays below 1.",
            kind="target",
        ).settle_mean,
        {"Figure 2": 0.92, "Figure 4": 0.86, "Figure 5": 0.82},
        np.asarray(sample.vce["ensemble", norm, healthy].probability)[rows],
        "mean probability of the target (claimed: at most 0.99)",
        maximum=0.99,
    )


def _size_claims(study: Study) -> Iterator[Claim]:
    """Claim 7: how large and how sparse changes are, mean over the targets of each image."""
    settings, sample = study.config.explanations, study.explained.without_failures()
    targets, norm = range(len(study.data.class_names)), settings.norms[-1]
    swept = {
        f"ε = {radius:g}": [sample.sweep[radius, target] for target in targets]
        for radius in (settings.sweep[-1], settings.sweep[0])
    }
    grows = Statement("7a", "The change grows with the radius.", "Figure 3, caption")
    wider = Statement("7b", "The changed area grows with the radius.", "section 3.4")
    for statement, measure, words in (
        (grows, _length, "l2 norm of the change"),
        (wider, _area, "share of pixels changed visibly"),
    ):
        sizes = {radius: sample.mean_size(measure, changes) for radius, changes in swept.items()}
        statistic = f"{words}, l{norm:g}, mean over the targets"
        yield _settle(sample.images, statement.settle_pair, {}, sizes, statistic, **MORE)
    sparsity = {
        p: sample.mean_size(_top_share, [sample.vce["ensemble", p, target] for target in targets])
        for p in settings.norms
    }
    statistic = f"share of the change's energy in {_TOP:.0%} of the pixels, mean over the targets"
    for p, q in itertools.pairwise(settings.norms):
        one, other, place = f"l{p:g}", f"l{q:g}", "section 3.2"
        text = f"Changes in {one} are sparser than in {other}."
        statement = Statement(f"7c {one} {other}", text, place)
        shares = {one: sparsity[p], other: sparsity[q]}
        yield _settle(sample.images, statement.settle_pair, {}, shares, statistic, **MORE)


def _saturation_claim(study: Study) -> Claim:
    """Claim 8, a target: the paper shows one such image, in Figure 1."""
    p, sample = study.config.explanations.norms[0], study.explained.without_failures()
    images, targets = sample.images, range(len(study.data.class_names))
    reached = np.mean([sample.vce["plain", p, target].probability for target in targets], axis=0)
    text = "Counterfactuals of the plain model are as good as certain of their target too."
    made = Statement("8", text, kind="target").settle(
        {vce_method(p): 1.0},
        {"mean": float(reached.mean())},
        bootstrap_interval(reached, groups=images.groups, bounds=(0.0, 1.0)),
        f"probability of the target at l{p:g}, ε = {sample.radii[p]:g}, mean over the targets"
        " (claimed: at least 0.95), over"
        f" {counted(len(reached), 'images', images.groups, images.group_unit)}",
        minimum=0.95,
    )
    return _enough(made, images)


def _length(change: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The l2 norm of each change."""
    return np.sqrt(np.square(change).sum((1, 2, 3)))


def _area(change: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The share of pixels that are changed visibly."""
    return (np.abs(change).max(axis=-1) > _VISIBLE).mean(axis=(1, 2))


def _top_share(change: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, " n"]:
    """The share of each change's energy in the pixels that change most."""
    energy = np.sort(np.square(change).sum(axis=-1).reshape(len(change), -1), axis=1)
    top = energy[:, -max(1, round(_TOP * energy.shape[1])) :].sum(axis=1)
    return top / np.maximum(energy.sum(axis=1), np.finfo(energy.dtype).tiny)
