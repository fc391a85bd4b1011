"""What the paper says and what its tables show of the explained label, each with an interval over
queries and a verdict.

Claims of the kind "target" are bounds of ours: the paper prints no number for them.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from cfx_jax.metrics import bootstrap_interval
from cfx_jax.report import Claim
from experiments.progressive_exaggeration import published
from experiments.progressive_exaggeration.chapters import Chapter
from experiments.progressive_exaggeration.published import ABSENT, GROUPS, OVERALL, PRESENT
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.sweeps import OURS, XGEM
from experiments.progressive_exaggeration.tables import correlation, own_psnr
from experiments.shared.interval_claims import claim, mean_claim, of_one_training, paired_claim

_DATA_CONSISTENCY = "section 4.1, data consistency, and Table 1"
_DRAWS = 1000
_IDENTITY = "section 4.1, identity preservation, and Table 2"


def claims(study: Study, chapters: Iterable[Chapter]) -> list[Claim]:
    """All claims that these data can test, in reading order."""
    found = [*_distances(study), *_groups(study), *_identity(study), *_reach(study)]
    found += [each for chapter in chapters for each in chapter.claims()]
    found = [
        each if each.note else dataclasses.replace(each, note=study.data.note) for each in found
    ]
    return of_one_training(found)


def _distances(study: Study) -> Iterator[Claim]:
    """C1."""
    for group in GROUPS:
        interval = study.measures.distances.difference((group, OURS), (group, XGEM))
        if interval is None:
            continue
        paper = published.distances(study.data.label, group)
        yield claim(
            f"C1 {group}",
            f"Explanations by {OURS} are nearer to real images than those by {XGEM}, {group}.",
            {} if paper is None else {OURS: paper[1], XGEM: paper[0]},
            {
                name: study.measures.distances.found[group, name].interval.estimate
                for name in (OURS, XGEM)
            },
            interval,
            f"Fréchet distance of features of {study.features.name}; {OURS} minus {XGEM},"
            f" {_drawn(study, group, group)}",
            kind="statement",
            place=_DATA_CONSISTENCY,
            maximum=0.0,
            strict=True,
        )


def _groups(study: Study) -> Iterator[Claim]:
    """C2."""
    found = {group: study.measures.distances.found[group, OURS].interval for group in GROUPS}
    for near, far in ((OVERALL, PRESENT), (PRESENT, ABSENT)):
        interval = study.measures.distances.difference((near, OURS), (far, OURS))
        if interval is None:
            continue
        paper = {group: published.distances(study.data.label, group) for group in (near, far)}
        yield claim(
            f"C2 {near}",
            f"Explanations by {OURS} are nearer to real images {near} than {far}.",
            {group: both[1] for group, both in paper.items() if both is not None},
            {group: found[group].estimate for group in (near, far)},
            interval,
            f"Fréchet distance of features of {study.features.name}; {near} minus {far},"
            f" {_drawn(study, near, far)}",
            kind="ordering",
            place="Table 1",
            maximum=0.0,
            strict=True,
        )


def _drawn(study: Study, *groups: str) -> str:
    """What the interval of a difference of groups is over."""
    number = min(study.measures.distances.found[each, OURS].num_units for each in groups)
    return f"{number} {study.subject.unit} drawn with all their explanations"


def _identity(study: Study) -> Iterator[Claim]:
    """C4 and C5."""
    ours, other = (study.measures.identity[name] for name in (OURS, XGEM))
    paper = published.closeness(study.data.label)
    close = {XGEM: other.closeness.mean(axis=1), OURS: ours.closeness.mean(axis=1)}
    chest = published.of_chest(study.data.label)
    first, second = (OURS, XGEM) if chest else (XGEM, OURS)
    yield paired_claim(
        "C4",
        f"On {'radiographs' if chest else 'faces'}, explanations by {first} are at least as close"
        f" to their queries as those"
        f" by {second}.",
        {} if paper is None else {XGEM: paper[0], OURS: paper[1]},
        {first: close[first], second: close[second]},
        "latent space closeness",
        kind="ordering",
        place="Table 2",
        minimum=0.0,
        **study.subject.units,
    )
    if study.verifier is not None and ours.verified is not None and other.verified is not None:
        paper = published.verification(study.data.label)
        yield paired_claim(
            "C5",
            f"Explanations by {OURS} show the same person more often than those by {XGEM}.",
            {} if paper is None else {OURS: paper[1], XGEM: paper[0]},
            {OURS: ours.verified.mean(axis=1), XGEM: other.verified.mean(axis=1)},
            f"share verified by {study.verifier.who}",
            kind="statement",
            place=_IDENTITY,
            minimum=0.0,
            strict=True,
            **study.subject.units,
        )


def _reach(study: Study) -> Iterator[Claim]:
    """Figure 3, and targets of ours for what an explanation must do to be one."""
    ours = study.sweeps[0]
    desired, achieved = np.asarray(ours.found.desired), np.asarray(ours.found.probabilities)
    interval = correlation(desired, achieved, study.subject.groups)
    over = f"Spearman's correlation over all pairs of desired and achieved, of {len(desired)} queries drawn with all bins"
    place = "section 4.1, compatibility with the black-box, and the caption of Figure 3"
    yield claim(
        "Figure 3 correlation",
        "The probability that is reached correlates positively with the one that was asked for.",
        {},
        {"rank correlation": interval.estimate},
        interval,
        over,
        kind="statement",
        place=place,
        minimum=0.0,
        strict=True,
    )
    yield _rises(study, achieved, place)
    yield claim(
        "correlation of 0.8",
        "The correlation of the probabilities that are reached and asked for is at least 0.8.",
        {},
        {"rank correlation": interval.estimate},
        interval,
        over,
        minimum=0.8,
    )
    yield mean_claim(
        "turned over",
        "At the opposite extreme at least 80 % of the decisions are turned over.",
        {},
        ours.crossed,
        "share of queries",
        minimum=0.8,
        **study.subject.units,
    )
    yield mean_claim(
        "own bin",
        "Drawn for its own bin, an image comes back with at least 22 dB.",
        {},
        own_psnr(study, ours),
        "PSNR in decibels",
        minimum=22.0,
        **study.subject.units,
    )
    seen = study.seen_by_judge
    yield paired_claim(
        "second classifier",
        "A classifier that the explainer was not trained against sees the change too: its"
        " probability rises by more than a"
        " half from the lowest bin to the highest.",
        {},
        {"highest bin": seen[:, -1], "lowest bin": seen[:, 0]},
        "its probability",
        minimum=0.5,
        **study.subject.units,
    )


def _rises(study: Study, achieved: np.ndarray, place: str) -> Claim:
    """The mean curve, from each bin to the next: the claim is as sure as its least sure step."""
    steps = np.diff(achieved, axis=1)
    interval = bootstrap_interval(
        steps, statistic=_least_step, num_resamples=_DRAWS, groups=study.subject.groups
    )
    return claim(
        "Figure 3 rises",
        "The mean probability that is reached rises from every bin to the next.",
        {},
        {"least step": interval.estimate},
        interval,
        f"least of the {steps.shape[1]} steps of the mean curve, over {len(steps)} queries drawn"
        f" with all bins",
        kind="statement",
        place=place,
        minimum=0.0,
        strict=True,
    )


def _least_step(steps: np.ndarray) -> float:
    return float(steps.mean(axis=0).min())
