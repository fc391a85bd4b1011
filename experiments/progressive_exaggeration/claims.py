"""The paper's statements and orderings of the explained label, each with an interval and a verdict.

Intervals are over queries. Claims of the kind "target" are bounds of ours: the paper prints no
number for them.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.metrics import Interval, bootstrap_interval, interval_over_runs
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.label_study import (
    OURS,
    OVER_TRAININGS,
    XGEM,
    LabelStudy,
    correlation,
    correlation_by_query,
    own_psnr,
)
from experiments.progressive_exaggeration.study import Study
from experiments.shared import AT_LEAST, MORE, Claim, Statement, of_one_training

_DRAWS = 1000
_DATA_CONSISTENCY = "section 4.1, data consistency, and Table 1"
_IDENTITY = "section 4.1, identity preservation, and Table 2"
_COMPATIBILITY = "section 4.1, compatibility with the black-box, and the caption of Figure 3"


def make_claims(study: Study) -> list[Claim]:
    """All claims that these data can test, in reading order."""
    label = study.label
    claims = [*_nearer_than_xgem(label), *_order_of_groups(label)]
    claims += [*_closeness(label), *_verification(label), *_reach(label)]
    claims += [claim for chapter in study.chapters.values() for claim in chapter.claims()]
    return [_noted(claim, study.note) for claim in claims]


def _noted(claim: Claim, note: str) -> Claim:
    """The claim with the note on the images, where it has none, and with that on its trainings."""
    if claim.note == OVER_TRAININGS:
        return dataclasses.replace(claim, note=f"{note} {OVER_TRAININGS}")
    noted = claim if claim.note else dataclasses.replace(claim, note=note)
    return of_one_training([noted])[0]


def _nearer_than_xgem(study: LabelStudy) -> Iterator[Claim]:
    """Yields C1 for each group: the paper's method has a smaller distance than xGEM."""
    for group in published.GROUPS:
        printed = published.distances(study.data.label, group)
        statement = Statement(
            f"C1 {group}",
            f"Explanations by {OURS} are nearer to real images than those by {XGEM}, {group}.",
            _DATA_CONSISTENCY,
        )
        paper = {} if printed is None else {OURS: printed[1], XGEM: printed[0]}
        yield from _nearer(study, statement, paper, {OURS: (group, OURS), XGEM: (group, XGEM)})


def _order_of_groups(study: LabelStudy) -> Iterator[Claim]:
    """Yields C2 for each pair of groups: one has a smaller distance than the other."""
    for near, far in (
        (published.OVERALL, published.PRESENT),
        (published.PRESENT, published.ABSENT),
    ):
        printed = {group: published.distances(study.data.label, group) for group in (near, far)}
        statement = Statement(
            f"C2 {near}",
            f"Explanations by {OURS} are nearer to real images {near} than {far}.",
            "Table 1",
            "ordering",
        )
        paper = {group: pair[1] for group, pair in printed.items() if pair is not None}
        yield from _nearer(study, statement, paper, {near: (near, OURS), far: (far, OURS)})


def _nearer(
    study: LabelStudy,
    statement: Statement,
    paper: dict[str, float],
    compared: dict[str, tuple[str, str]],
) -> Iterator[Claim]:
    """Yields the claim that one distance is below another, where both are known.

    Args:
        study: the study of the label.
        statement: the paper's statement.
        paper: its distances, by name.
        compared: group and method of the two distances, by name, the nearer one first.
    """
    distances = study.measures.distances
    (first, second), (near, far) = compared, compared.values()
    interval = distances.difference(near, far)
    if interval is None:
        return
    number = min(distances.cells[group, OURS].num_units for group, _ in compared.values())
    yield statement.settle(
        paper,
        {name: distances.cells[cell].interval.estimate for name, cell in compared.items()},
        interval,
        f"Fréchet distance of features of {study.features.name}; {first} minus {second}, {number}"
        f" {study.subject.unit} drawn with all their explanations",
        maximum=0.0,
        strict=True,
    )


def _closeness(study: LabelStudy) -> Iterator[Claim]:
    """Yields C4: one method's explanations are at least as close to their queries."""
    is_chest, printed = (
        published.of_chest(study.data.label),
        published.closeness(study.data.label),
    )
    first, second = (OURS, XGEM) if is_chest else (XGEM, OURS)
    yield Statement(
        "C4",
        f"On {'radiographs' if is_chest else 'faces'}, explanations by {first} are at least as"
        f" close to their queries as those by {second}.",
        "Table 2",
        "ordering",
    ).settle_pair(
        {} if printed is None else {XGEM: printed[0], OURS: printed[1]},
        {name: study.measures.identity[name].closeness.mean(axis=1) for name in (first, second)},
        "latent space closeness",
        **AT_LEAST,
        **study.subject.units,
    )


def _verification(study: LabelStudy) -> Iterator[Claim]:
    """Yields C5, where there is a verifier: the paper's method shows the same person more often."""
    printed = published.verification(study.data.label)
    verified = {
        name: answers.mean(axis=1)
        for name in (OURS, XGEM)
        if (answers := study.measures.identity[name].verified) is not None
    }
    if study.verifier is None or len(verified) < 2:
        return
    yield Statement(
        "C5",
        f"Explanations by {OURS} show the same person more often than those by {XGEM}.",
        _IDENTITY,
    ).settle_pair(
        {} if printed is None else {OURS: printed[1], XGEM: printed[0]},
        verified,
        f"share verified by {study.verifier.who}",
        **MORE,
        **study.subject.units,
    )


def _reach(study: LabelStudy) -> Iterator[Claim]:
    """Yields Figure 3's claims, and targets of ours for what an explanation must do to be one."""
    yield _correlates(
        study,
        Statement(
            "Figure 3 correlation",
            "The probability that is reached correlates positively with the one that was asked"
            " for.",
            _COMPATIBILITY,
        ),
        **MORE,
    )
    yield _rises(study)
    yield _correlates(
        study,
        Statement(
            "correlation of 0.8",
            "The correlation of the probabilities that are reached and asked for is at least 0.8.",
            kind="target",
        ),
        minimum=0.8,
    )
    yield _mean_of_trainings(
        study,
        Statement(
            "turned over",
            "At the opposite extreme at least 80 % of the decisions are turned over.",
            kind="target",
        ),
        [training.sweeps.crossed for training in study.trainings],
        "share of queries",
        minimum=0.8,
    )
    yield _mean_of_trainings(
        study,
        Statement(
            "own bin",
            "Drawn for its own bin, an image comes back with at least 22 dB.",
            kind="target",
        ),
        [own_psnr(study.subject.queries, training.sweeps) for training in study.trainings],
        "PSNR in decibels",
        minimum=22.0,
    )
    seen = [training.seen_by_judge for training in study.trainings]
    yield _mean_of_trainings(
        study,
        Statement(
            "second classifier",
            "A classifier that the explainer was not trained against sees the change too: its"
            " probability rises by more than a half from the lowest bin to the highest.",
            kind="target",
        ),
        [values[:, -1] - values[:, 0] for values in seen],
        "rise of its probability",
        minimum=0.5,
    )


def _mean_of_trainings(
    study: LabelStudy,
    statement: Statement,
    values: Sequence[Float[np.ndarray, " n"]],
    statistic: str,
    **bounds: Any,
) -> Claim:
    """The claim on the mean of a measure of each query, by one training of the explainer or more.

    Args:
        study: the study of the label.
        statement: the claim.
        values: for each training, one number for each query.
        statistic: the name of what the numbers measure.
        bounds: the bounds of the mean.
    """
    if len(values) == 1:
        return statement.settle_mean({}, values[0], statistic, **study.subject.units, **bounds)
    interval = _over_trainings(study, values)
    if statistic.startswith("share"):  # Student's interval knows no bounds
        interval = interval._replace(low=max(interval.low, 0.0), high=min(interval.high, 1.0))
    means = {f"training {number}": float(run.mean()) for number, run in enumerate(values, 1)}
    return statement.settle(
        {}, means, interval, f"{statistic}, {_drawn(study)}", note=OVER_TRAININGS, **bounds
    )


def _correlates(study: LabelStudy, statement: Statement, **bounds: Any) -> Claim:
    """The claim that the rank correlation of desired and achieved probability has a least value."""
    groups = study.subject.groups
    pairs = [
        (np.asarray(series.desired), np.asarray(series.probabilities))
        for series in (training.sweeps.series for training in study.trainings)
    ]
    statistic = "Spearman's correlation over all pairs of desired and achieved"
    if len(pairs) == 1:
        rank = correlation(*pairs[0], groups)
        statistic += f", of {len(pairs[0][0])} queries drawn with all bins"
        return statement.settle({}, {"rank correlation": rank.estimate}, rank, statistic, **bounds)
    values = [correlation_by_query(*pair, groups) for pair in pairs]
    interval = interval_over_runs(values)
    ours = {f"training {number}": float(run.mean()) for number, run in enumerate(values, 1)}
    return statement.settle(
        {}, ours, interval, f"{statistic}, {_drawn(study)}", note=OVER_TRAININGS, **bounds
    )


def _rises(study: LabelStudy) -> Claim:
    """Figure 3's mean curve rises; the claim is as sure as its least sure step."""
    steps = [
        np.diff(np.asarray(training.sweeps.series.probabilities), axis=1)
        for training in study.trainings
    ]
    number = steps[0].shape[1]
    if len(steps) == 1:
        interval = bootstrap_interval(
            steps[0], statistic=_least_step, num_resamples=_DRAWS, groups=study.subject.groups
        )
    else:
        intervals = [
            _over_trainings(study, [run[:, step] for run in steps]) for step in range(number)
        ]
        interval = min(intervals, key=lambda interval: interval.low)
    return Statement(
        "Figure 3 rises",
        "The mean probability that is reached rises from every bin to the next.",
        _COMPATIBILITY,
    ).settle(
        {},
        {"least step": interval.estimate},
        interval,
        f"least of the {number} steps of the mean curve, {_drawn(study)}",
        note=OVER_TRAININGS if len(steps) > 1 else "",
        **MORE,
    )


def _over_trainings(study: LabelStudy, values: Sequence[Float[np.ndarray, " n"]]) -> Interval:
    """The interval of a mean over trainings and over queries, or groups of them."""
    groups = study.subject.groups
    return interval_over_runs(values, cases=None if groups is None else [groups] * len(values))


def _drawn(study: LabelStudy) -> str:
    """The units that are drawn independently, in words."""
    queries = f"{len(study.subject.queries)} queries drawn with all bins"
    number = len(study.trainings)
    return f"over {queries}" if number == 1 else f"over {number} trainings and {queries}"


def _least_step(steps: Float[np.ndarray, "n m"]) -> float:
    return float(steps.mean(axis=0).min())
